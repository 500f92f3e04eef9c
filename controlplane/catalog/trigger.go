package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Triggers keeps triggers for the viewer of the context.
type Triggers interface {
	// Trigger returns a trigger with its source, or fault.NotFound.
	Trigger(ctx context.Context, name string) (trigger.Record, error)
	// ApplyTrigger creates the trigger, or changes it when the digest differs; team is the owner of a new one.
	ApplyTrigger(ctx context.Context, r trigger.Record, team string) (rec trigger.Record, created, changed bool, err error)
}

// applyTrigger checks a trigger with its expressions and, unless it is a dry run, stores it. The workflows that it names are looked for when
// something happens, and so is its receiver: they come and go.
func (c *Catalog) applyTrigger(ctx context.Context, r Request, read parse.Result) (Applied, error) {
	if faults := slices.Concat(read.Faults, trigger.Check(read)); len(faults) > 0 {
		return Applied{}, parse.Error(r.File, fault.Invalid, faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	if places := workflow.Unsupported(read); len(places) > 0 {
		return Applied{}, parse.Error(r.File, fault.Unsupported, places) //nolint:wrapcheck // a fault that speaks for itself
	}
	doc, ok := read.Value.(*document.TriggerDocument)
	if !ok {
		return Applied{}, fault.New(fault.Internal, "a document of kind %s is none", read.Kind)
	}
	if err := starter.Allowed(ctx, doc.Spec.Start); err != nil {
		return Applied{}, err
	}
	next := trigger.Record{
		Name: doc.Metadata.Name, Labels: doc.Metadata.Labels, Digest: doc.Digest, Source: r.Source, Spec: doc.Spec, Revision: 1,
	}
	if r.DryRun {
		known, err := c.store.Trigger(ctx, next.Name)
		switch {
		case fault.Is(err, fault.NotFound):
			return Applied{Record: ofTrigger(next), Outcome: Created}, nil
		case err != nil:
			return Applied{}, fmt.Errorf("read %s: %w", next.Name, err)
		case known.Digest == next.Digest:
			return Applied{Record: ofTrigger(known)}, nil
		}
		next.ID, next.Team, next.Revision = known.ID, known.Team, known.Revision+1
		return Applied{Record: ofTrigger(next), Outcome: Changed}, nil
	}
	stored, created, changed, err := c.store.ApplyTrigger(ctx, next, r.Team)
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", next.Name, err)
	}
	return Applied{Record: ofTrigger(stored), Outcome: outcome(created, changed)}, nil
}

func ofTrigger(r trigger.Record) workflow.Record {
	return workflow.Record{
		ID: r.ID, Kind: document.TriggerKind, Name: r.Name, Team: r.Team, TeamID: r.TeamID, Labels: r.Labels, Revision: r.Revision,
		Digest: r.Digest, UpdatedAt: r.UpdatedAt,
	}
}
