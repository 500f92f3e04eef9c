package lookout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/lookout"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// started starts a lookout that may look at deployments and config maps in two namespaces.
func started(t *testing.T, c *cluster, p *plane, change ...func(*lookout.Options)) *lookout.Lookout {
	t.Helper()
	o := lookout.Options{
		Log: slog.New(slog.DiscardHandler), Uplink: p, Cluster: c, Again: 20 * time.Millisecond, Interval: time.Millisecond, RunNamespaces: []string{"tests", "more"},
		Rules:  lookout.Rules{Namespaces: []string{"shop", "cart"}, Resources: []string{"deployments", "configmaps", "things.example.test"}},
		Scopes: []lookout.Scope{{RunNamespace: "tests", Namespace: "shop"}},
	}
	for _, f := range change {
		f(&o)
	}
	l := lookout.New(o)
	l.Start(t.Context())
	t.Cleanup(l.Stop)
	l.Changed()
	return l
}

func next(t *testing.T, from <-chan string, want string) {
	t.Helper()
	for {
		select {
		case got := <-from:
			if strings.HasPrefix(got, "pending ") && !strings.HasPrefix(want, "pending ") {
				continue
			}
			if !strings.Contains(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			return
		case <-time.After(30 * time.Second):
			t.Fatalf("nothing came, want %q", want)
		}
	}
}

func nothing(t *testing.T, from <-chan string, why string) {
	t.Helper()
	select {
	case got := <-from:
		t.Fatalf("%q: %s", got, why)
	default:
	}
}

const rolledOut = agentv1.ObjectEvent_OBJECT_EVENT_ROLLED_OUT

// TestLookout_Restart: an agent that is started anew reports what was rolled out meanwhile, once, and nothing that is known.
func TestLookout_Restart(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane(&agentv1.Watch{Id: "w", Resource: "deployments", RunNamespace: "tests", Event: rolledOut})
	c.put("deployments", deployment("old", "1", 1))
	c.put("deployments", deployment("shop", "1", 1))
	l := started(t, c, p)
	next(t, p.states, "watching")
	c.put("deployments", deployment("shop", "2", 2))
	next(t, p.objects, "rolled_out deployments shop/shop 2 for [tests] sha256:aaa seen in shop")
	l.Stop()
	nothing(t, p.objects, "what was there already")
	c.put("deployments", deployment("shop", "3", 3))
	l = started(t, c, p)
	next(t, p.objects, "rolled_out deployments shop/shop 3 for [tests] sha256:aaa")
	next(t, p.states, "watching")
	l.Stop()
	l = started(t, c, p)
	next(t, p.states, "watching")
	c.put("deployments", deployment("last", "1", 1)) // comes after whatever would be told twice
	next(t, p.objects, "shop/last 1")
	nothing(t, p.objects, "it is known")
	l.Stop()
}

// TestLookout_Lost: what has happened is told again until it is acknowledged.
func TestLookout_Lost(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane(
		&agentv1.Watch{Id: "a", Resource: "configmaps", Namespace: "shop", Event: agentv1.ObjectEvent_OBJECT_EVENT_CREATED},
		&agentv1.Watch{Id: "b", Resource: "configmaps", Namespace: "shop", Event: agentv1.ObjectEvent_OBJECT_EVENT_DELETED, Name: "b*"},
		&agentv1.Watch{Id: "c", Resource: "configmaps", Namespace: "shop", Event: agentv1.ObjectEvent_OBJECT_EVENT_UPDATED, Name: "a"},
	)
	p.lost = 1 // the first list
	started(t, c, p)
	next(t, p.states, "watching")
	next(t, p.states, "watching")
	next(t, p.states, "watching")
	p.mu.Lock()
	p.lost = 1
	p.mu.Unlock()
	object := func(name string) *kube.Object {
		return &kube.Object{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	}
	c.put("configmaps", object("a"))
	next(t, p.objects, "created configmaps shop/a")
	c.put("configmaps", object("b"))
	next(t, p.objects, "created configmaps shop/b")
	for range 5 { // within a moment: one update
		c.put("configmaps", object("a"))
	}
	next(t, p.objects, "updated configmaps shop/a 7")
	c.remove("configmaps", "a")
	c.remove("configmaps", "b")
	next(t, p.objects, "deleted configmaps shop/b")
	nothing(t, p.objects, "nobody asked")
	if c.full["configmaps"] {
		t.Error("more was read than metadata")
	}
}

// TestLookout_States: what the agent may not look at, and what there is not, is said with what to do; what comes to be is looked at then.
func TestLookout_States(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		watch *agentv1.Watch
		want  string
	}{
		"Resource":  {&agentv1.Watch{Resource: "services", Namespace: "shop"}, "refused The agent may not watch services: add them to triggers.resources of its chart"},
		"Namespace": {&agentv1.Watch{Resource: "deployments", Namespace: "kube-system"}, "refused The agent may not watch in namespace kube-system: add it to triggers.namespaces"},
		"Beside":    {&agentv1.Watch{Resource: "deployments", RunNamespace: "more"}, "refused The agent may not watch in namespace more"},
		"Secrets":   {&agentv1.Watch{Resource: "secrets", Namespace: "shop"}, "refused The agent never reads secrets."},
		"Group":     {&agentv1.Watch{Resource: "deployments.other.test", Namespace: "shop"}, "refused The agent may not watch deployments.other.test"},
		"Forbidden": {&agentv1.Watch{Resource: "configmaps", Namespace: "cart"}, "refused The cluster does not let the agent watch configmaps in namespace cart"},
		"Everything": {
			&agentv1.Watch{Resource: "configmaps", Event: agentv1.ObjectEvent_OBJECT_EVENT_CREATED},
			"refused The cluster does not let the agent watch configmaps in namespace cart",
		},
		"Unknown": {&agentv1.Watch{Resource: "things.example.test", Namespace: "shop"}, "failing The cluster does not know things.example.test"},
		"Later":   {&agentv1.Watch{Resource: "deployments", Namespace: "shop", Event: 99}, "refused The agent does not know this event: upgrade it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.watch.GetEvent() == 0 {
				tc.watch.Event = rolledOut
			}
			c, p := newCluster(), newPlane(tc.watch)
			c.forbidden["cart"], c.missing["things.example.test"] = true, true
			started(t, c, p)
			next(t, p.states, tc.want)
			if name == "Unknown" {
				c.mu.Lock()
				c.missing = nil
				c.mu.Unlock()
				next(t, p.states, "watching")
			}
		})
	}
	t.Run("Nothing", func(t *testing.T) {
		t.Parallel()
		p := newPlane(&agentv1.Watch{Resource: "deployments", Namespace: "shop", Event: rolledOut})
		started(t, newCluster(), p, func(o *lookout.Options) { o.Rules = lookout.Rules{Resources: []string{"deployments"}} })
		next(t, p.states, "refused The agent may watch nothing: name namespaces in triggers of its chart")
	})
	t.Run("Wide", func(t *testing.T) {
		t.Parallel()
		c, p := newCluster(), newPlane(&agentv1.Watch{Resource: "deployments", Event: rolledOut})
		started(t, c, p, func(o *lookout.Options) { o.Rules.Namespaces = []string{lookout.All} })
		next(t, p.states, "watching")
		if c.listed != 1 {
			t.Errorf("%d lists for all namespaces", c.listed)
		}
	})
}

// TestLookout_Refused: one object that the control plane never takes keeps no other from it.
func TestLookout_Refused(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane(&agentv1.Watch{Id: "w", Resource: "deployments", Namespace: "shop", Event: rolledOut})
	started(t, c, p)
	next(t, p.states, "watching")
	p.mu.Lock() // until all have happened
	for _, name := range []string{"a", "b", "bad", "c", "d"} {
		c.put("deployments", deployment(name, "1", 1))
	}
	p.mu.Unlock()
	for _, name := range []string{"a", "b", "c", "d"} {
		next(t, p.objects, "shop/"+name+" 1")
	}
}

// TestLookout_Renewed: an agent that runs for long tells of all objects again, so that they are not forgotten, and of nothing twice.
func TestLookout_Renewed(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane(&agentv1.Watch{Id: "w", Resource: "deployments", Namespace: "shop", Event: rolledOut})
	c.put("deployments", deployment("old", "1", 1))
	p.compared = make(chan string, 1000)
	started(t, c, p, func(o *lookout.Options) { o.Renew = 50 * time.Millisecond })
	for range 3 {
		next(t, p.compared, "old")
	}
	nothing(t, p.objects, "it is known")
	c.put("deployments", deployment("old", "2", 2))
	next(t, p.objects, "shop/old 2")
}

// TestLookout_Many: an agent looks at so much and no more, and says for which triggers it does not.
func TestLookout_Many(t *testing.T) {
	t.Parallel()
	p := newPlane()
	for i := range 101 {
		p.list.Watches = append(p.list.Watches, &agentv1.Watch{Id: fmt.Sprint(i), Resource: "deployments", Namespace: fmt.Sprint("n", i), Event: rolledOut})
	}
	p.list.Watches = append(p.list.Watches, &agentv1.Watch{Id: "again", Resource: "deployments", Namespace: "n0", Event: rolledOut, Labels: map[string]string{"a": "b"}})
	p.states = make(chan string, 10_000)
	c := newCluster()
	started(t, c, p, func(o *lookout.Options) { o.Rules.Namespaces = []string{lookout.All} })
	for range 100 {
		<-p.states
	}
	next(t, p.states, "refused The agent looks at 100 resources and namespaces at most")
	if got := <-p.states; strings.HasPrefix(got, "refused") {
		t.Errorf("one that needs no more: %s", got)
	}
}

// TestLookout_Labels: an object whose labels change was not created, deleted, or rolled out.
func TestLookout_Labels(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"app": "shop"}
	watch := func(event agentv1.ObjectEvent) *agentv1.Watch {
		return &agentv1.Watch{Id: event.String(), Resource: "deployments", Namespace: "shop", Event: event, Labels: labels}
	}
	c, p := newCluster(), newPlane(watch(rolledOut), watch(agentv1.ObjectEvent_OBJECT_EVENT_CREATED), watch(agentv1.ObjectEvent_OBJECT_EVENT_DELETED))
	started(t, c, p)
	for range 3 {
		next(t, p.states, "watching")
	}
	labelled := func(name, revision string, generation int64) *kube.Object {
		o := deployment(name, revision, generation)
		o.Labels = labels
		return o
	}
	c.put("deployments", deployment("shop", "1", 1))
	c.put("deployments", labelled("shop", "1", 1))
	c.put("deployments", deployment("shop", "1", 1))
	c.remove("deployments", "shop")
	c.put("deployments", labelled("last", "1", 1))
	next(t, p.objects, "created deployments shop/last")
	next(t, p.objects, "rolled_out deployments shop/last 1")
	c.put("deployments", labelled("last", "2", 2))
	next(t, p.objects, "rolled_out deployments shop/last 2")
	c.remove("deployments", "last")
	next(t, p.objects, "deleted deployments shop/last")
}

// TestLookout_Another: with another list nothing is missed, told twice, or looked at any more.
func TestLookout_Another(t *testing.T) {
	t.Parallel()
	c, p := newCluster(), newPlane(&agentv1.Watch{Id: "a", Resource: "deployments", Namespace: "shop", Event: rolledOut, Name: "a*"})
	l := started(t, c, p)
	next(t, p.states, "watching")
	c.put("deployments", deployment("a1", "1", 1))
	next(t, p.objects, "shop/a1 1")
	c.put("deployments", deployment("b1", "1", 1))
	p.mu.Lock()
	p.list = &agentv1.ListWatchesResponse{Digest: "2", Watches: append(slices.Clone(p.list.GetWatches()),
		&agentv1.Watch{Id: "b", Resource: "deployments", Namespace: "shop", Event: rolledOut, Name: "b*"})}
	p.mu.Unlock()
	l.Changed()
	next(t, p.states, "watching")
	next(t, p.states, "watching")
	c.put("deployments", deployment("b1", "2", 2))
	next(t, p.objects, "shop/b1 2")
	p.mu.Lock()
	p.list = &agentv1.ListWatchesResponse{Digest: "3"}
	p.mu.Unlock()
	l.Changed()
	l.Changed()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C { // until the last view is gone
		c.mu.Lock()
		open := slices.ContainsFunc(c.watchers["deployments/shop/"], func(w *watch.RaceFreeFakeWatcher) bool { return !w.IsStopped() })
		c.mu.Unlock()
		if !open {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it looks on")
		}
	}
	c.put("deployments", deployment("a1", "2", 2))
	nothing(t, p.objects, "nobody asks any more")
}

// TestLookout_Old: a control plane that knows no watches is asked again with the next session.
func TestLookout_Old(t *testing.T) {
	t.Parallel()
	p := newPlane(&agentv1.Watch{Id: "a", Resource: "deployments", Namespace: "shop", Event: rolledOut})
	p.refuse = true
	l := started(t, newCluster(), p)
	p.mu.Lock()
	p.refuse = false
	p.mu.Unlock()
	l.Changed()
	next(t, p.states, "watching")
}

// TestLookout_Probes: they are tried at the services of the object's namespace alone, as often and as long as they say, and reported once.
func TestLookout_Probes(t *testing.T) {
	t.Parallel()
	answers := http.StatusOK
	var mu sync.Mutex
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(answers)
		}
	}))
	t.Cleanup(served.Close)
	var dialled []string
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		dialled = append(dialled, address)
		mu.Unlock()
		if strings.HasPrefix(address, "closed.") {
			return nil, errors.New("connection refused")
		}
		return (&net.Dialer{}).DialContext(ctx, network, served.Listener.Addr().String())
	}
	span := func(c *agentv1.ProbeCheck) *agentv1.ProbeCheck {
		c.Timeout, c.Interval, c.Attempts = durationpb.New(10*time.Second), durationpb.New(time.Millisecond), 3
		return c
	}
	get := func(service, path string) *agentv1.ProbeCheck {
		return span(&agentv1.ProbeCheck{Check: &agentv1.ProbeCheck_Http{Http: &agentv1.HTTPProbe{Service: service, Port: 80, Path: path}}})
	}
	port := func(service string) *agentv1.ProbeCheck {
		return span(&agentv1.ProbeCheck{Check: &agentv1.ProbeCheck_Tcp{Tcp: &agentv1.TCPProbe{Service: service, Port: 5432}}})
	}
	condition := func(kind string) *agentv1.ProbeCheck {
		return span(&agentv1.ProbeCheck{Check: &agentv1.ProbeCheck_Condition{Condition: &agentv1.ObjectCondition{Type: kind, Status: "True"}}})
	}
	for name, tc := range map[string]struct {
		namespace string
		checks    []*agentv1.ProbeCheck
		want      string
	}{
		"All":       {"shop", []*agentv1.ProbeCheck{get("shop", "/"), port("db"), condition("Available")}, "true "},
		"None":      {"shop", nil, "true "},
		"Redirect":  {"shop", []*agentv1.ProbeCheck{get("shop", "/moved")}, "true "},
		"Down":      {"shop", []*agentv1.ProbeCheck{get("shop", "/down")}, "false The probe of http://shop.shop.svc:80/down did not succeed in 3 tries within 0s: it answers 503"},
		"Closed":    {"shop", []*agentv1.ProbeCheck{port("closed")}, "false The probe of port closed.shop.svc:5432 did not succeed in 3 tries within 0s: connection refused"},
		"Condition": {"shop", []*agentv1.ProbeCheck{condition("Progressing")}, "Progressing=True of deployments shop did not succeed in 3 tries within 0s: it is False: stuck"},
		"Absent":    {"shop", []*agentv1.ProbeCheck{condition("Ready")}, "the object has no such condition"},
		"Elsewhere": {"kube-system", []*agentv1.ProbeCheck{get("shop", "/")}, "false The agent may not watch in namespace kube-system"},
		"Address":   {"shop", []*agentv1.ProbeCheck{get("169.254.169.254", "/")}, `false The probe is not tried: "169.254.169.254" is not the name of a service.`},
		"Path":      {"shop", []*agentv1.ProbeCheck{get("x.example.test/#", "/")}, "is not the name of a service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, p := newCluster(), newPlane()
			o := deployment("shop", "1", 1)
			o.Status.Conditions = []kube.ObjectCondition{{Type: "Available", Status: "True"}, {Type: "Progressing", Status: "False", Message: "stuck"}}
			c.put("deployments", o)
			p.list.Probes = []*agentv1.Probe{{Id: "p", Object: &agentv1.ObjectRef{Resource: "deployments", Namespace: tc.namespace, Name: "shop"}, Checks: tc.checks}}
			l := started(t, c, p, func(o *lookout.Options) { o.Dial = dial })
			next(t, p.probes, tc.want)
			l.Changed() // it is in the list still
			l.Stop()
			nothing(t, p.probes, "it was told")
		})
	}
	t.Cleanup(func() {
		for _, address := range dialled {
			if !strings.Contains(address, ".shop.svc:") {
				t.Errorf("%s was dialled", address)
			}
		}
	})
}

// TestLookout_Withdrawn: a probe that the list has no more is given up.
func TestLookout_Withdrawn(t *testing.T) {
	t.Parallel()
	p := newPlane()
	p.list.Probes = []*agentv1.Probe{{Id: "p", Object: &agentv1.ObjectRef{Resource: "deployments", Namespace: "shop", Name: "shop"}, Checks: []*agentv1.ProbeCheck{{
		Check:   &agentv1.ProbeCheck_Tcp{Tcp: &agentv1.TCPProbe{Service: "db", Port: 1}},
		Timeout: durationpb.New(time.Hour), Interval: durationpb.New(time.Hour), Attempts: 2,
	}}}}
	tried := make(chan string, 10)
	l := started(t, newCluster(), p, func(o *lookout.Options) {
		o.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
			tried <- address
			return nil, errors.New("refused")
		}
	})
	next(t, tried, "db.shop.svc:1")
	p.mu.Lock()
	p.list = &agentv1.ListWatchesResponse{Digest: "1"}
	p.mu.Unlock()
	l.Changed()
	l.Stop() // would not return otherwise
	nothing(t, p.probes, "nobody waits for it")
}
