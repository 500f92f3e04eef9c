package agentlink_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// documents is a catalog that remembers what it was told.
type documents struct {
	mu      sync.Mutex
	viewer  tenant.Viewer
	objects []origin.Object
	gone    []origin.Ref
	all     origin.Inventory
	since   time.Time
	fail    error
}

func (d *documents) heard(ctx context.Context) error {
	d.viewer, _ = tenant.FromContext(ctx)
	return d.fail
}

func (d *documents) Bring(ctx context.Context, objects []origin.Object, gone []origin.Ref) ([]origin.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.objects, d.gone = objects, gone
	return []origin.State{{Ref: objects[0].Ref, Digest: objects[0].Digest, Reason: origin.Conflict, Owner: "repository shop"}}, d.heard(ctx)
}

func (d *documents) Compare(ctx context.Context, all origin.Inventory) ([]origin.Ref, origin.States, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = all
	return []origin.Ref{all.Objects[0].Ref}, origin.States{Next: time.Unix(7, 0)}, d.heard(ctx)
}

func (d *documents) States(ctx context.Context, since time.Time) (origin.States, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since = since
	e := execution.Execution{ID: uuid.UUID{5}, Status: execution.Passed, CreatedAt: time.Unix(1, 0), FinishedAt: time.Unix(2, 0), Tests: execution.Counts{Passed: 3}}
	return origin.States{States: []origin.State{{Ref: origin.Ref{Kind: "TestWorkflow", Namespace: "shop", Name: "a"}, Last: &e}}, Next: time.Unix(8, 0)}, d.heard(ctx)
}

func (d *documents) Pages(context.Context) string { return "https://x/" }

func TestDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	ctx := as(t.Context(), "good")
	ref := &agentv1.DocumentRef{Kind: "TestWorkflow", Namespace: "shop", Name: "a"}
	synced, err := b.catalog.SyncDocuments(ctx, &agentv1.SyncDocumentsRequest{
		Documents: []*agentv1.Document{{Ref: ref, Uid: "u", Generation: 4, Digest: []byte{0xab}, Source: "s", Adopt: true}}, Removed: []*agentv1.DocumentRef{ref},
	})
	want := origin.Object{Ref: origin.Ref{Kind: "TestWorkflow", Namespace: "shop", Name: "a"}, UID: "u", Generation: 4, Digest: "ab", Source: "s", Adopt: true}
	if err != nil || b.documents.objects[0] != want || b.documents.gone[0] != want.Ref || b.documents.viewer.Cluster != b.viewer.Cluster {
		t.Errorf("%+v, %v", b.documents, err)
	}
	if s := synced.GetStates()[0]; s.GetReason() != "Conflict" || s.GetOwner() != "repository shop" || string(s.GetDigest()) != "\xab" {
		t.Errorf("%v", s)
	}
	list, err := b.catalog.ListDocuments(ctx, &agentv1.ListDocumentsRequest{Kinds: []string{"TestWorkflow"}, Namespaces: []string{"shop"}, Items: []*agentv1.DocumentItem{{Ref: ref, Uid: "u"}}})
	if err != nil || list.GetWanted()[0].GetName() != "a" || list.GetNext().AsTime().Unix() != 7 || b.documents.all.Namespaces[0] != "shop" {
		t.Errorf("%v, %v", list, err)
	}
	states, err := b.catalog.DocumentStates(ctx, &agentv1.DocumentStatesRequest{Since: list.GetNext()})
	if err != nil || b.documents.since.Unix() != 7 {
		t.Fatal(states, err)
	}
	if last := states.GetStates()[0].GetLast(); last.GetUrl() != "https://x/"+(uuid.UUID{5}).String() || !last.GetTerminal() || last.GetPassed() != 3 || last.GetStartedAt() != nil {
		t.Errorf("%v", last)
	}
	b.documents.fail = fault.New(fault.Exhausted, "too many")
	if _, err := b.catalog.DocumentStates(ctx, &agentv1.DocumentStatesRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v", err)
	}
	for _, token := range []string{"", "bad"} {
		if _, err := b.catalog.DocumentStates(as(t.Context(), token), &agentv1.DocumentStatesRequest{}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("with %q: %v", token, err)
		}
	}
}

// TestSession_Documents holds that an agent which brings documents is told of changes, several at a time, and any other is not.
func TestSession_Documents(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	topic := execution.ChangesTopic(b.viewer.Organization)
	plain := b.connect(t)
	b.bus.Publish(t.Context(), topic)
	plain.ping() // the answer is the next frame
	plain.cancel()
	h := hello()
	h.GetHello().Capabilities = []string{"documents"}
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
	b.bus.Publish(t.Context(), topic)
	if f := a.recv(); f.GetDocumentsChanged() == nil {
		t.Errorf("got %v", f)
	}
}
