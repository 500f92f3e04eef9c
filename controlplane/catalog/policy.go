package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// applyPolicy checks a readiness policy with its expressions and, unless it is a dry run, stores it. What it requires is looked for when
// a release is created: suites and environments come and go.
func (c *Catalog) applyPolicy(ctx context.Context, r Request, read parse.Result) (Applied, error) {
	if faults := slices.Concat(read.Faults, policy.Check(read)); len(faults) > 0 {
		return Applied{}, parse.Error(r.File, fault.Invalid, faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	if places := workflow.Unsupported(read); len(places) > 0 {
		return Applied{}, parse.Error(r.File, fault.Unsupported, places) //nolint:wrapcheck // a fault that speaks for itself
	}
	doc, ok := read.Value.(*document.ReadinessPolicyDocument)
	if !ok {
		return Applied{}, fault.New(fault.Internal, "a document of kind %s is none", read.Kind)
	}
	if err := doc.Seal(); err != nil {
		return Applied{}, fmt.Errorf("digest of policy %s: %w", doc.Metadata.Name, err)
	}
	record := workflow.Record{
		Kind: document.ReadinessPolicyKind, Name: doc.Metadata.Name, Labels: doc.Metadata.Labels, Description: doc.Spec.Description,
		Digest: doc.Digest, Source: r.Source,
	}
	if r.DryRun {
		applied, err := would(ctx, record, c.store.Policy)
		applied.Record.Source = ""
		return applied, err
	}
	record, created, changed, err := c.store.ApplyPolicy(ctx, record, r.Team)
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", doc.Metadata.Name, err)
	}
	record.Source = ""
	return Applied{Record: record, Outcome: outcome(created, changed)}, nil
}
