package sim

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/seatrial/seatrial/agent/admit"
	"github.com/seatrial/seatrial/agent/collect"
	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/launch"
	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/outbox"
	"github.com/seatrial/seatrial/agent/tail"
	"github.com/seatrial/seatrial/agent/watch"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	namespace = "tests"
	maxStarts = 20
	// linger is shorter than in the program, and longer than a command lives.
	linger = 75 * time.Second
)

// agent is one agent process. There may be two of a site.
type agent struct {
	w        *World
	site     *site
	number   int
	link     *link.Link
	outbox   *outbox.Outbox
	watch    *watch.Watcher
	launch   *launch.Launcher
	collect  *collect.Server
	listener *listener // for runners
	dead     chan struct{}
	once     sync.Once
	stops    []func()
}

// startAgent starts an agent process of a site.
func (w *World) startAgent(s *site) error {
	w.mu.Lock()
	w.agentsMade++
	a := &agent{w: w, site: s, number: w.agentsMade, listener: newListener(), dead: make(chan struct{})}
	w.mu.Unlock()
	client, err := kube.New(&rest.Config{Host: "http://kube", Transport: &transport{w: w, kube: s.kube, agent: a}})
	if err != nil {
		return fmt.Errorf("client of the API server: %w", err)
	}
	if err := a.build(client); err != nil {
		return err
	}
	if err := a.start(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !a.gone() { // a point may have stopped it already
		s.agents = append(s.agents, a)
	}
	return nil
}

// build connects the stages as the program does.
func (a *agent) build(client *kube.Client) (err error) {
	log := a.w.log.With("agent", a.number, "site", a.site.name)
	identity := link.Identity{Key: a.w.shared.key, Certificate: a.w.shared.certificate, AgentID: a.site.id.String(), ClusterID: a.site.id.String()}
	a.link = link.New(link.Options{
		Log: log.With("component", "link"), Address: "passthrough:///controlplane", Version: "v0", Namespaces: []string{namespace}, Starts: maxStarts,
		DialOptions: a.dialOptions(),
	}, identity)
	locator := &late{}
	a.launch = launch.New(launch.Options{
		Log: log.With("component", "launch"), Client: client, Namespaces: []string{namespace}, Locator: locator, Linger: linger,
		Settings: jobspec.Settings{Agent: identity.ClusterID, RunnerImage: "runner:v0", Endpoint: "agent:1", Pin: a.w.shared.pin},
	})
	a.outbox = outbox.New(outbox.Options{
		Log: log.With("component", "outbox"), Reporter: a.link, Stopper: a.launch, Follower: noServices{}, Observer: nothing{},
		Tailer:    &tail.Tailer{Log: log.With("component", "tail"), Uplink: a.link, Source: tail.Cluster{Client: client}},
		Allowance: 2 * time.Minute,
	})
	a.watch, err = watch.New(watch.Options{
		Log: log.With("component", "watch"), Client: client, Namespaces: []string{namespace}, Agent: identity.ClusterID, Sink: a.outbox,
		Grace: watch.Grace{Image: time.Minute},
	})
	if err != nil {
		return fmt.Errorf("watch the cluster: %w", err)
	}
	locator.Locator = a.watch
	a.collect = collect.New(collect.Options{
		Log: log.With("component", "collect"), Listener: a.listener, Certificate: identity.Certificate, Reviews: reviews{a}, Pods: a.watch,
		Uplink: a.link, Attempts: a.outbox,
	})
	return nil
}

// start starts the stages in the order of the program.
func (a *agent) start() error {
	ctx := a.w.ctx
	a.outbox.Start(ctx, a.collect)
	a.watch.Start(ctx)
	if _, err := a.collect.Start(ctx); err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	sweeping, cancel := context.WithCancel(ctx)
	var swept sync.WaitGroup
	swept.Go(func() { a.launch.Run(sweeping) })
	// Set before the link starts: it is the first to come to a point.
	a.w.mu.Lock()
	a.stops = []func(){a.outbox.Stop, a.watch.Stop, a.collect.Stop, func() { cancel(); swept.Wait() }, a.link.Stop}
	a.w.mu.Unlock()
	a.link.Start(ctx, link.Stages{
		Start: a.outbox.Timed(admit.New(a.launch, maxStarts)), Cancel: a.outbox.Cancel, Resume: a.outbox.Resume, Release: a.launch.Release,
		Inventory: a.inventory, Again: a.outbox.Again,
	})
	return nil
}

func (a *agent) inventory(ctx context.Context) ([]*agentv1.InventoryItem, error) {
	made := a.launch.Made()
	items, err := a.watch.Inventory(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the Jobs: %w", err)
	}
	for _, item := range items {
		delete(made, item.GetAttemptId())
	}
	for id, ref := range made {
		items = append(items, &agentv1.InventoryItem{AttemptId: id, JobUid: ref.UID})
	}
	a.outbox.Mark(items)
	return items, nil
}

func (a *agent) host() string { return a.site.name }

func (a *agent) gone() bool {
	select {
	case <-a.dead:
		return true
	default:
		return false
	}
}

// kill ends the process as SIGKILL does. The Deployment makes another one when none is left.
func (a *agent) kill() {
	a.once.Do(func() {
		w := a.w
		close(a.dead)
		_ = a.listener.Close() // never fails
		w.network.cutAll(a)
		w.mu.Lock()
		a.site.agents = slices.DeleteFunc(a.site.agents, func(other *agent) bool { return other == a })
		alone, stops := len(a.site.agents) == 0, a.stops
		w.mu.Unlock()
		w.running.Go(func() {
			for _, stop := range slices.Backward(stops) {
				stop()
			}
		})
		if alone {
			w.later(w.chance.within("agent.down", time.Second, 40*time.Second), func() error { return w.startAgent(a.site) })
		}
	})
}

// dial connects to a replica that is there.
func (a *agent) dial(context.Context, string) (net.Conn, error) {
	r := a.w.anyReplica("agent.dial")
	if r == nil {
		return nil, errReset
	}
	return a.w.network.dial(a, r, r.listener)
}

// late is a launch.Locator that is known after the launcher.
type late struct{ launch.Locator }

// noServices is for tests without services.
type noServices struct{}

// Follow implements outbox.Follower.
func (noServices) Follow(context.Context, string, work.PodIdentity, string, <-chan struct{}) ([]string, error) {
	return nil, nil
}

// nothing is under test.
type nothing struct{}

// Observe implements outbox.Observer.
func (nothing) Observe(context.Context, string) *agentv1.Subject {
	return &agentv1.Subject{ObservedAt: timestamppb.Now()}
}

// reviews knows a pod by its UID, which is its token.
type reviews struct{ a *agent }

// Create implements collect.Reviews.
func (r reviews) Create(
	_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions,
) (*authenticationv1.TokenReview, error) {
	out := review.DeepCopy()
	pod := r.a.site.podByUID(review.Spec.Token)
	if pod == "" {
		out.Status.Error = "the token is unknown"
		return out, nil
	}
	out.Status = authenticationv1.TokenReviewStatus{
		Authenticated: true, Audiences: review.Spec.Audiences,
		User: authenticationv1.UserInfo{
			Username: "system:serviceaccount:" + namespace + ":default",
			Extra: map[string]authenticationv1.ExtraValue{
				"authentication.kubernetes.io/pod-name": {pod}, "authentication.kubernetes.io/pod-uid": {review.Spec.Token},
			},
		},
	}
	return out, nil
}

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
