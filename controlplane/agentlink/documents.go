package agentlink

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/origin"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Documents brings the custom resources of clusters into the catalog, for the agent of the context. Implemented by mirror.
type Documents interface {
	// Bring takes in what the agent has seen change, and returns what is known of it then.
	Bring(ctx context.Context, objects []origin.Object, gone []origin.Ref) ([]origin.State, error)
	// Compare forgets what is gone, and returns what the agent has to send.
	Compare(ctx context.Context, all origin.Inventory) (wanted []origin.Ref, states origin.States, err error)
	// States returns what has changed after a time; zero for all.
	States(ctx context.Context, since time.Time) (origin.States, error)
	// Pages returns the address to which the id of an execution is added for its page; empty when nobody knows.
	Pages(ctx context.Context) string
}

// catalogService implements AgentCatalogServer.
type catalogService struct {
	agentv1.UnimplementedAgentCatalogServer
	documents Documents
}

// ListDocuments implements AgentCatalogServer.
func (c *catalogService) ListDocuments(ctx context.Context, r *agentv1.ListDocumentsRequest) (*agentv1.ListDocumentsResponse, error) {
	all := origin.Inventory{Kinds: r.GetKinds(), Namespaces: r.GetNamespaces(), Objects: make([]origin.Object, len(r.GetItems()))}
	for i, item := range r.GetItems() {
		all.Objects[i] = origin.Object{Ref: refFrom(item.GetRef()), UID: item.GetUid(), Digest: hex.EncodeToString(item.GetDigest())}
	}
	wanted, states, err := c.documents.Compare(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("compare documents: %w", err)
	}
	out := &agentv1.ListDocumentsResponse{States: c.states(ctx, states.States), Next: timestamppb.New(states.Next)}
	for _, ref := range wanted {
		out.Wanted = append(out.Wanted, refOf(ref))
	}
	return out, nil
}

// SyncDocuments implements AgentCatalogServer.
func (c *catalogService) SyncDocuments(ctx context.Context, r *agentv1.SyncDocumentsRequest) (*agentv1.SyncDocumentsResponse, error) {
	objects := make([]origin.Object, len(r.GetDocuments()))
	for i, d := range r.GetDocuments() {
		objects[i] = origin.Object{
			Ref: refFrom(d.GetRef()), UID: d.GetUid(), Generation: d.GetGeneration(), Digest: hex.EncodeToString(d.GetDigest()),
			Source: d.GetSource(), Adopt: d.GetAdopt(),
		}
	}
	gone := make([]origin.Ref, len(r.GetRemoved()))
	for i, ref := range r.GetRemoved() {
		gone[i] = refFrom(ref)
	}
	states, err := c.documents.Bring(ctx, objects, gone)
	if err != nil {
		return nil, fmt.Errorf("take in documents: %w", err)
	}
	return &agentv1.SyncDocumentsResponse{States: c.states(ctx, states)}, nil
}

// DocumentStates implements AgentCatalogServer.
func (c *catalogService) DocumentStates(ctx context.Context, r *agentv1.DocumentStatesRequest) (*agentv1.DocumentStatesResponse, error) {
	var since time.Time
	if r.GetSince() != nil {
		since = r.GetSince().AsTime()
	}
	states, err := c.documents.States(ctx, since)
	if err != nil {
		return nil, fmt.Errorf("states of documents: %w", err)
	}
	return &agentv1.DocumentStatesResponse{States: c.states(ctx, states.States), Next: timestamppb.New(states.Next)}, nil
}

func refFrom(r *agentv1.DocumentRef) origin.Ref {
	return origin.Ref{Kind: r.GetKind(), Namespace: r.GetNamespace(), Name: r.GetName()}
}

func refOf(r origin.Ref) *agentv1.DocumentRef {
	return &agentv1.DocumentRef{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

func (c *catalogService) states(ctx context.Context, all []origin.State) []*agentv1.DocumentState {
	pages := ""
	if len(all) > 0 {
		pages = c.documents.Pages(ctx)
	}
	out := make([]*agentv1.DocumentState, len(all))
	for i, s := range all {
		digest, _ := hex.DecodeString(s.Digest) // it was made of bytes
		out[i] = &agentv1.DocumentState{
			Ref: refOf(s.Ref), Uid: s.UID, Generation: s.Generation, Digest: digest, Reason: string(s.Reason), Message: s.Message, Owner: s.Owner,
			Revision: int32(s.Revision), Last: lastOf(s.Last, pages), //nolint:gosec // G115: a few thousand
		}
		for _, is := range s.Conditions {
			out[i].Conditions = append(out[i].Conditions, &agentv1.DocumentCondition{Type: is.Type, Holds: is.Holds, Reason: is.Reason, Message: is.Message})
		}
	}
	return out
}

func lastOf(e *execution.Execution, pages string) *agentv1.DocumentExecution {
	if e == nil {
		return nil
	}
	out := &agentv1.DocumentExecution{
		Id: e.ID.String(), Status: string(e.Status), Message: e.Message, Terminal: e.Status.Terminal(), CreatedAt: timestamppb.New(e.CreatedAt),
		Passed: int64(e.Tests.Passed), Failed: int64(e.Tests.Failed), Errored: int64(e.Tests.Errored), Skipped: int64(e.Tests.Skipped),
	}
	if !e.StartedAt.IsZero() {
		out.StartedAt = timestamppb.New(e.StartedAt)
	}
	if !e.FinishedAt.IsZero() {
		out.FinishedAt = timestamppb.New(e.FinishedAt)
	}
	if pages != "" {
		out.Url = pages + e.ID.String()
	}
	return out
}

// newsEvery is how often an agent is told at most that there is something to ask for.
const newsEvery = time.Second

// news gathers hints that something has changed, and lets one through at a time.
type news struct {
	frame  *agentv1.ServerFrame // that tells the agent to ask
	hints  <-chan struct{}
	timer  *time.Timer
	due    bool
	last   time.Time
	forget func()
}

// newNews returns news that never come.
func newNews(frame *agentv1.ServerFrame) *news {
	n := &news{frame: frame, timer: time.NewTimer(time.Hour), forget: func() {}}
	n.timer.Stop()
	return n
}

// follow returns the news for an agent that brings documents, or ones that never come.
func (s *Server) follow(ctx context.Context, ss *session) *news {
	n := newNews(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_DocumentsChanged{DocumentsChanged: &agentv1.DocumentsChanged{}}})
	if s.o.Documents != nil && ss.documents {
		n.hints, n.forget = s.o.Bus.Subscribe(ctx, execution.ChangesTopic(ss.viewer.Organization))
	}
	return n
}

// stop ends the hints.
func (n *news) stop() {
	n.timer.Stop()
	n.forget()
}

// heard puts a hint off until the one before is old enough.
func (n *news) heard(now time.Time) {
	if n.due {
		return
	}
	n.due = true
	n.timer.Reset(max(0, newsEvery-now.Sub(n.last)))
}

// tell tells the agent that there is something to ask for.
func (n *news) tell(ss *session, now time.Time) error {
	n.due, n.last = false, now
	return ss.send(n.frame)
}
