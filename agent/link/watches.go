package link

import (
	"context"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

func watches(s *session) agentv1.AgentWatchClient { return s.watch }

// ListWatches asks what to look at. work.ErrRefused means that the control plane knows of no such thing.
func (l *Link) ListWatches(ctx context.Context) (*agentv1.ListWatchesResponse, error) {
	return ask(ctx, l, "ask what to look at", watches, agentv1.AgentWatchClient.ListWatches, &agentv1.ListWatchesRequest{})
}

// ReportWatches says how it stands with what is looked at. work.ErrRefused means that it will never be taken.
func (l *Link) ReportWatches(ctx context.Context, r *agentv1.ReportWatchesRequest) error {
	_, err := ask(ctx, l, "report watches", watches, agentv1.AgentWatchClient.ReportWatches, r)
	return err
}

// CompareObjects asks which objects have come to be as they are while nobody looked. work.ErrRefused means that nobody will ever say.
func (l *Link) CompareObjects(ctx context.Context, r *agentv1.CompareObjectsRequest) (*agentv1.CompareObjectsResponse, error) {
	return ask(ctx, l, "compare objects", watches, agentv1.AgentWatchClient.CompareObjects, r)
}

// ReportObjects says what has happened to objects. work.ErrRefused means that it will never be taken.
func (l *Link) ReportObjects(ctx context.Context, r *agentv1.ReportObjectsRequest) error {
	_, err := ask(ctx, l, "report objects", watches, agentv1.AgentWatchClient.ReportObjects, r)
	return err
}

// ReportProbe says how a probe has ended. work.ErrRefused means that it will never be taken.
func (l *Link) ReportProbe(ctx context.Context, r *agentv1.ReportProbeRequest) error {
	_, err := ask(ctx, l, "report a probe", watches, agentv1.AgentWatchClient.ReportProbe, r)
	return err
}
