package link

import (
	"context"

	"google.golang.org/grpc"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// capabilities are what the agent can do, said in Hello.
func (l *Link) capabilities() []string {
	out := []string{"start", "cancel", "resume", "release"}
	if l.stages.Documents != nil {
		out = append(out, "documents")
	}
	if l.stages.Watches != nil {
		out = append(out, "watches")
	}
	if l.stages.Examine != nil {
		out = append(out, "examine")
	}
	return out
}

// compare has everything compared that the cluster holds.
func (l *Link) compare(ctx context.Context, s *session) {
	l.running.Go(func() { l.inventory(ctx, s) })
	if l.stages.Documents != nil {
		l.stages.Documents(true)
	}
	if l.stages.Watches != nil {
		l.stages.Watches()
	}
}

// ListDocuments says which documents the cluster has. work.ErrRefused means that it will never be taken.
func (l *Link) ListDocuments(ctx context.Context, r *agentv1.ListDocumentsRequest) (*agentv1.ListDocumentsResponse, error) {
	return ask(ctx, l, "list documents", documents, agentv1.AgentCatalogClient.ListDocuments, r)
}

// SyncDocuments sends documents. work.ErrRefused means that they will never be taken.
func (l *Link) SyncDocuments(ctx context.Context, r *agentv1.SyncDocumentsRequest) (*agentv1.SyncDocumentsResponse, error) {
	return ask(ctx, l, "send documents", documents, agentv1.AgentCatalogClient.SyncDocuments, r)
}

// DocumentStates asks what became of documents.
func (l *Link) DocumentStates(ctx context.Context, r *agentv1.DocumentStatesRequest) (*agentv1.DocumentStatesResponse, error) {
	return ask(ctx, l, "ask for states of documents", documents, agentv1.AgentCatalogClient.DocumentStates, r)
}

func documents(s *session) agentv1.AgentCatalogClient { return s.catalog }

// ask makes a call on the current connection, waiting for one.
func ask[C, Q, A any](
	ctx context.Context, l *Link, what string, client func(*session) C, call func(C, context.Context, Q, ...grpc.CallOption) (A, error), r Q,
) (A, error) {
	var none A
	if _, err := l.gateway(ctx); err != nil {
		return none, err
	}
	s := l.session()
	if s == nil {
		return none, l.failed(what, errNoSession)
	}
	out, err := call(client(s), ctx, r)
	if err != nil {
		return none, l.failed(what, err)
	}
	return out, nil
}
