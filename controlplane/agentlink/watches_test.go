package agentlink_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// watches remembers what it was told.
type watches struct {
	viewer  tenant.Viewer
	wanted  trigger.Wanted
	states  []trigger.Watched
	objects []trigger.Object
	probed  []any
	fail    error
}

func (w *watches) Wanted(ctx context.Context) (trigger.Wanted, error) {
	w.viewer, _ = tenant.FromContext(ctx)
	return w.wanted, w.fail
}

func (w *watches) Standing(_ context.Context, _ string, states []trigger.Watched) error {
	w.states = states
	return w.fail
}

func (w *watches) Compare(_ context.Context, objects []trigger.Object) ([]int, error) {
	w.objects = objects
	return []int{1}, w.fail
}

func (w *watches) Happened(_ context.Context, objects []trigger.Object) error {
	w.objects = objects
	return w.fail
}

func (w *watches) Probed(_ context.Context, id uuid.UUID, succeeded bool, message string) error {
	w.probed = []any{id, succeeded, message}
	return w.fail
}

func TestWatches(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	ctx := as(t.Context(), "good")
	id := uuid.UUID{7}
	object, err := json.Marshal(trigger.Object{Resource: "deployments", Namespace: "shop", Name: "api", UID: "u"})
	if err != nil {
		t.Fatal(err)
	}
	spec := document.TriggerSpec{Kubernetes: &document.KubernetesEvent{Probes: []document.Probe{
		{HTTP: &document.HTTPProbe{Service: "api", Port: 80, Path: "/up"}},
		{TCP: &document.TCPProbe{Service: "db", Port: 5432}, Timeout: document.Duration(time.Second), Attempts: 2},
		{Condition: &document.ObjectCondition{Type: "Available"}},
	}}}
	b.watches.wanted = trigger.Wanted{
		Digest:  "d",
		Watches: []trigger.Watch{{Trigger: id, Resource: "deployments", RunNamespace: "tests", Name: "a*", Labels: map[string]string{"a": "b"}, Event: trigger.Reached, Condition: "Ready", Status: "False"}},
		Probes:  []trigger.Claim{{Trigger: trigger.Record{Spec: spec}, Event: trigger.Event{Data: object}, Reaction: trigger.Reaction{ID: id}}},
	}
	list, err := b.watch.ListWatches(ctx, &agentv1.ListWatchesRequest{})
	if err != nil || list.GetDigest() != "d" || b.watches.viewer.Cluster != b.viewer.Cluster {
		t.Fatal(list, err)
	}
	if w := list.GetWatches()[0]; w.GetId() != id.String() || w.GetEvent() != agentv1.ObjectEvent_OBJECT_EVENT_CONDITION || w.GetCondition().GetStatus() != "False" || w.GetRunNamespace() != "tests" {
		t.Errorf("%v", w)
	}
	p := list.GetProbes()[0]
	if c := p.GetChecks(); len(c) != 3 || c[0].GetHttp().GetPath() != "/up" || c[0].GetTimeout().AsDuration() != time.Minute || c[1].GetAttempts() != 2 ||
		c[1].GetTimeout().AsDuration() != time.Second || c[2].GetCondition().GetStatus() != "True" || p.GetObject().GetName() != "api" {
		t.Errorf("%v", p)
	}
	if _, err := b.watch.ReportWatches(ctx, &agentv1.ReportWatchesRequest{States: []*agentv1.WatchState{{Id: id.String(), Status: agentv1.WatchStatus_WATCH_STATUS_REFUSED, Message: "no"}}}); err != nil {
		t.Fatal(err)
	}
	if want := []trigger.Watched{{Trigger: id, State: trigger.WatchRefused, Message: "no"}}; !cmp.Equal(b.watches.states, want) {
		t.Errorf("%+v", b.watches.states)
	}
	change := &agentv1.ObjectChange{
		Event: agentv1.ObjectEvent_OBJECT_EVENT_ROLLED_OUT, Object: &agentv1.ObjectRef{Resource: "deployments", Namespace: "shop", Name: "api", Uid: "u"}, Kind: "Deployment",
		State: "3", Generation: 9, CreatedAt: timestamppb.New(time.Unix(1, 0)), ObservedAt: timestamppb.New(time.Unix(2, 0)), RunNamespaces: []string{"tests"},
		Condition: &agentv1.ObjectCondition{Type: "Ready", Status: "True", LastTransitionTime: timestamppb.New(time.Unix(3, 0))},
		Images:    []*agentv1.SubjectImage{{Container: "api", Image: "api:1", Digest: "sha256:1"}},
	}
	if news, err := b.watch.CompareObjects(ctx, &agentv1.CompareObjectsRequest{Objects: []*agentv1.ObjectChange{change, change}}); err != nil || !cmp.Equal(news.GetNews(), []int32{1}) {
		t.Errorf("%v, %v", news, err)
	}
	if _, err := b.watch.ReportObjects(ctx, &agentv1.ReportObjectsRequest{Objects: []*agentv1.ObjectChange{change}}); err != nil {
		t.Fatal(err)
	}
	if o := b.watches.objects[0]; o.Event != trigger.RolledOut || o.State != "3" || o.Images[0].Digest != "sha256:1" || o.Condition.At.Unix() != 3 || o.CreatedAt.Unix() != 1 || o.RunNamespaces[0] != "tests" || o.Labels == nil {
		t.Errorf("%+v", o)
	}
	if _, err := b.watch.ReportProbe(ctx, &agentv1.ReportProbeRequest{Id: id.String(), Succeeded: true}); err != nil || !cmp.Equal(b.watches.probed, []any{id, true, ""}) {
		t.Errorf("%v, %v", b.watches.probed, err)
	}
	if _, err := b.watch.ReportProbe(ctx, &agentv1.ReportProbeRequest{Id: "x"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no id: %v", err)
	}
	b.watches.fail = fault.New(fault.Invalid, "no")
	if _, err := b.watch.ReportObjects(ctx, &agentv1.ReportObjectsRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("%v", err)
	}
	for _, token := range []string{"", "bad"} {
		if _, err := b.watch.ListWatches(as(t.Context(), token), &agentv1.ListWatchesRequest{}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("with %q: %v", token, err)
		}
	}
}

// TestWatches_Flood: an agent that tells of too much is told to wait, in a way that it does not take for a refusal.
func TestWatches_Flood(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{}) // its clock stands
	ctx := as(t.Context(), "good")
	many := make([]*agentv1.ObjectChange, 500)
	for i := range many {
		many[i] = &agentv1.ObjectChange{}
	}
	for range 4 {
		if _, err := b.watch.ReportObjects(ctx, &agentv1.ReportObjectsRequest{Objects: many}); err != nil {
			t.Fatal(err)
		}
	}
	b.watches.objects = nil
	if _, err := b.watch.ReportObjects(ctx, &agentv1.ReportObjectsRequest{Objects: many[:1]}); status.Code(err) != codes.Unavailable || b.watches.objects != nil {
		t.Errorf("%v, %d objects", err, len(b.watches.objects))
	}
	if _, err := b.watch.CompareObjects(ctx, &agentv1.CompareObjectsRequest{Objects: many}); err != nil {
		t.Errorf("to compare has a limit of its own: %v", err)
	}
	for range 40 {
		_, _ = b.watch.CompareObjects(ctx, &agentv1.CompareObjectsRequest{Objects: many})
	}
	if _, err := b.watch.CompareObjects(ctx, &agentv1.CompareObjectsRequest{Objects: many}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
}

// TestSession_Watches holds that an agent is told when there is something else to look at: after a hint, and when a sweep finds it.
func TestSession_Watches(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	h := hello()
	h.GetHello().Capabilities = []string{"watches"}
	ctx, cancel := context.WithTimeout(as(t.Context(), "good"), time.Minute)
	t.Cleanup(cancel)
	stream, err := b.gateway.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, stream: stream, cancel: cancel}
	a.send(h)
	if a.recv().GetWelcome() == nil {
		t.Fatal("no Welcome")
	}
	a.ping() // it has subscribed by now
	sweep := func() {
		t.Helper()
		if err := b.server.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told := func(why string) {
		t.Helper()
		if f := a.recv(); f.GetWatchesChanged() == nil {
			t.Errorf("%s: got %v", why, f)
		}
	}
	b.bus.Publish(t.Context(), trigger.WatchTopic(b.viewer.Organization))
	told("a hint")
	sweep()
	told("the first sweep, as the list may have changed since it was asked for")
	sweep()
	a.ping() // the answer is the next frame: nothing has changed
	b.store.mu.Lock()
	b.store.stamp = "other"
	b.store.mu.Unlock()
	sweep()
	told("a change that nobody has told of")
}
