package app_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// lookout is an agent that looks at objects.
type lookout struct {
	*agent

	session session
	watch   agentv1.AgentWatchClient
}

// look opens a session of an agent that looks at objects.
func (p *program) look(t *testing.T, ca, token string) *lookout {
	t.Helper()
	l := &lookout{agent: p.enrol(t, ca, token)}
	var err error
	l.session, err = l.gateway.Session(l.ctx)
	worked(t, err)
	send(t, l.session, &agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Hello{Hello: &agentv1.Hello{
		ProtocolMin: 1, ProtocolMax: 1, AgentVersion: "v1", KubernetesVersion: "v1.37", Namespaces: []string{"tests"}, Capabilities: []string{"watches"},
	}}})
	if f := receive(t, l.session); f.GetWelcome() == nil {
		t.Fatalf("no Welcome: %v", f)
	}
	l.watch = agentv1.NewAgentWatchClient(p.dial(t, ca))
	return l
}

// listed waits until the list is as a test wants it, asking whenever the control plane says that it is another one.
func (l *lookout) listed(t *testing.T, is func(*agentv1.ListWatchesResponse) bool) *agentv1.ListWatchesResponse {
	t.Helper()
	for {
		list, err := l.watch.ListWatches(l.ctx, &agentv1.ListWatchesRequest{})
		worked(t, err)
		if is(list) {
			return list
		}
		for receive(t, l.session).GetWatchesChanged() == nil { //nolint:revive // until it says so
		}
	}
}

func (l *lookout) stands(t *testing.T, list *agentv1.ListWatchesResponse) {
	t.Helper()
	r := &agentv1.ReportWatchesRequest{Digest: list.GetDigest()}
	for _, w := range list.GetWatches() {
		r.States = append(r.States, &agentv1.WatchState{Id: w.GetId(), Status: agentv1.WatchStatus_WATCH_STATUS_WATCHING})
	}
	_, err := l.watch.ReportWatches(l.ctx, r)
	worked(t, err)
}

// rolled is a deployment that has been rolled out.
func rolled(uid, revision string) *agentv1.ObjectChange {
	return &agentv1.ObjectChange{
		Event: agentv1.ObjectEvent_OBJECT_EVENT_ROLLED_OUT, Object: &agentv1.ObjectRef{Resource: "deployments", Namespace: "shop", Name: "shop-" + uid, Uid: uid},
		Kind: "Deployment", State: revision, Generation: 4, CreatedAt: timestamppb.New(time.Unix(1, 0)), RunNamespaces: []string{"tests"},
		Images: []*agentv1.SubjectImage{{Container: "shop", Image: "shop:1", Digest: "sha256:" + strings.Repeat("a", 64)}},
	}
}

func (l *lookout) news(t *testing.T, objects ...*agentv1.ObjectChange) []int32 {
	t.Helper()
	reply, err := l.watch.CompareObjects(l.ctx, &agentv1.CompareObjectsRequest{Objects: objects})
	worked(t, err)
	return reply.GetNews()
}

// until waits until what a trigger does about the newest event is in a state.
func until(t *testing.T, triggers apiv1connect.TriggerServiceClient, state string) *apiv1.Event {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := triggers.ListEvents(t.Context(), &apiv1.ListEventsRequest{})
		worked(t, err)
		if e := list.GetEvents(); len(e) > 0 && len(e[0].GetReactions()) > 0 && e[0].GetReactions()[0].GetState() == state {
			return e[0]
		}
		<-tick.C
	}
}

// TestTriggers_Cluster goes the whole way of what happens in a cluster but for the cluster: what the agent is told to look at, what it saw
// while it was away, the delay over a restart, the probes, and the start, which comes once.
func TestTriggers_Cluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir)
	c := p.clients(p.token)
	triggers := apiv1connect.NewTriggerServiceClient(c.http, p.url)
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "harbour", Namespace: "tests", Environment: "staging"})
	worked(t, err)
	apply := func(c clients, source string) {
		t.Helper()
		_, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source})
		worked(t, err)
	}
	apply(c, strings.Replace(document, "spec:\n", "spec:\n  params: {image: {type: string, default: none}}\n", 1))
	l := p.look(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	const on = "kubernetes: {environment: staging, resource: deployments, event: rolled-out, name: 'shop-*', delay: DELAY, values: {image: 'event.images[0].digest'}, probes: [{tcp: {service: shop, port: 80}}]}"
	apply(c, triggerDocument("on-rollout", strings.Replace(on, "DELAY", "100ms", 1)))
	list := l.listed(t, func(r *agentv1.ListWatchesResponse) bool { return len(r.GetWatches()) == 1 })
	if w := list.GetWatches()[0]; w.GetResource() != "deployments" || w.GetRunNamespace() != "tests" || w.GetName() != "shop-*" {
		t.Errorf("%v", w)
	}
	stands := func(want string) {
		t.Helper()
		got, err := triggers.GetTrigger(t.Context(), &apiv1.GetTriggerRequest{Name: "on-rollout"})
		worked(t, err)
		if w := got.GetTrigger().GetWatches(); len(w) != 1 || w[0].GetCluster() != "harbour" || w[0].GetState() != want {
			t.Errorf("%v, want %s", w, want)
		}
	}
	stands("pending")
	if news := l.news(t, rolled("a", "1")); len(news) != 0 {
		t.Errorf("before it was looked at: %v", news)
	}
	l.stands(t, list)
	stands("watching")
	if news := l.news(t, rolled("a", "1"), rolled("b", "1")); len(news) != 0 {
		t.Errorf("what was there already: %v", news)
	}
	if news := l.news(t, rolled("a", "1"), rolled("b", "2"), rolled("c", "1")); len(news) != 1 || news[0] != 1 {
		t.Errorf("what was rolled out meanwhile: %v", news)
	}
	fresh := rolled("d", "1")
	fresh.CreatedAt = timestamppb.New(time.Now().Add(time.Minute))
	if news := l.news(t, fresh); len(news) != 1 {
		t.Errorf("made and rolled out meanwhile: %v", news)
	}

	// What no trigger is for, and what is no object, is left out, and keeps nothing else out.
	elsewhere, nameless, long := rolled("e", "1"), rolled("", "1"), rolled("f", strings.Repeat("1", 5000))
	elsewhere.RunNamespaces = nil
	if news := l.news(t, elsewhere, nameless, long); len(news) != 0 {
		t.Errorf("what nobody asked for: %v", news)
	}
	for range 2 { // the second time because the answer was lost
		_, err = l.watch.ReportObjects(l.ctx, &agentv1.ReportObjectsRequest{Objects: []*agentv1.ObjectChange{elsewhere, nameless, long, rolled("b", "2")}})
		worked(t, err)
	}
	if told, err := triggers.ListEvents(t.Context(), &apiv1.ListEventsRequest{}); err != nil || len(told.GetEvents()) != 1 {
		t.Errorf("%v, %v", told, err)
	}
	if news := l.news(t, rolled("b", "2")); len(news) != 0 {
		t.Errorf("it was told: %v", news)
	}
	until(t, triggers, "probing")
	probe := l.listed(t, func(r *agentv1.ListWatchesResponse) bool { return len(r.GetProbes()) == 1 }).GetProbes()[0]
	if probe.GetObject().GetName() != "shop-b" || probe.GetChecks()[0].GetTcp().GetService() != "shop" {
		t.Errorf("%v", probe)
	}
	_, err = l.watch.ReportProbe(l.ctx, &agentv1.ReportProbeRequest{Id: probe.GetId(), Message: "The probe did not succeed: refused"})
	worked(t, err)
	if e := until(t, triggers, "failed"); e.GetReactions()[0].GetReason() != "The probe did not succeed: refused" || e.GetSource() != "harbour" || e.GetSubject() != "deployments shop/shop-b" {
		t.Errorf("%v", e)
	}

	// The delay passes while the control plane is down.
	apply(c, triggerDocument("on-rollout", strings.Replace(on, "DELAY", "1s", 1)))
	_, err = l.watch.ReportObjects(l.ctx, &agentv1.ReportObjectsRequest{Objects: []*agentv1.ObjectChange{rolled("b", "3")}})
	worked(t, err)
	until(t, triggers, "waiting")
	worked(t, p.stop())
	token := p.token
	p = start(t, dir)
	c = p.clients(token)
	triggers = apiv1connect.NewTriggerServiceClient(c.http, p.url)
	p.renew(t, enrolled.GetAgentCa(), l.agent)
	l.watch = agentv1.NewAgentWatchClient(p.dial(t, enrolled.GetAgentCa()))
	until(t, triggers, "probing")
	again, err := l.watch.ListWatches(l.ctx, &agentv1.ListWatchesRequest{})
	worked(t, err)
	if len(again.GetProbes()) != 1 {
		t.Fatalf("%v", again)
	}
	for range 2 {
		_, err = l.watch.ReportProbe(l.ctx, &agentv1.ReportProbeRequest{Id: again.GetProbes()[0].GetId(), Succeeded: true})
		worked(t, err)
	}
	e := until(t, triggers, "started")
	runs, err := c.executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{})
	worked(t, err)
	if len(runs.GetExecutions()) != 1 {
		t.Fatalf("%d executions: %v", len(runs.GetExecutions()), e)
	}
	got, err := c.executions.GetExecution(t.Context(), &apiv1.GetExecutionRequest{Id: runs.GetExecutions()[0].GetId()})
	worked(t, err)
	x := got.GetExecution()
	if x.GetTrigger() != "kubernetes-event" || x.GetActor() != "trigger on-rollout" || x.GetParams()["image"] != "sha256:"+strings.Repeat("a", 64) || x.GetRuns()[0].GetEnvironment() != "staging" {
		t.Errorf("%v", x)
	}
}
