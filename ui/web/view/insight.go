package view

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/insight"
)

// Insight says what many executions say together, for the viewer of the context. What is absent or foreign is fault.NotFound, and what
// cannot be asked for is fault.Invalid.
type Insight interface {
	Compare(ctx context.Context, q insight.Question) (insight.Comparison, error)
	Failures(ctx context.Context, f insight.Filter) (insight.Clusters, error)
	Failure(ctx context.Context, fingerprint string, days int) (insight.Failure, error)
	// Alike returns how many tests failed of late with each fingerprint.
	Alike(ctx context.Context, fingerprints []string) (map[string]int, error)
	Coverage(ctx context.Context, staleDays int) (insight.Coverage, error)
}
