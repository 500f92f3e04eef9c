package catalog

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Schedules keeps schedules for the viewer of the context.
type Schedules interface {
	// Schedule returns a schedule with its source, or fault.NotFound.
	Schedule(ctx context.Context, name string) (schedule.Record, error)
	// ApplySchedule creates the schedule, or changes it when the digest differs; team is the owner of a new one.
	ApplySchedule(ctx context.Context, r schedule.Record, team string) (rec schedule.Record, created, changed bool, err error)
}

// applySchedule checks a schedule and, unless it is a dry run, stores it. The workflows that it names are looked for when it is due: they
// come and go.
func (c *Catalog) applySchedule(ctx context.Context, r Request, read parse.Result) (Applied, error) {
	if len(read.Faults) > 0 {
		return Applied{}, parse.Error(r.File, fault.Invalid, read.Faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	if places := workflow.Unsupported(read); len(places) > 0 {
		return Applied{}, parse.Error(r.File, fault.Unsupported, places) //nolint:wrapcheck // a fault that speaks for itself
	}
	doc, ok := read.Value.(*document.ScheduleDocument)
	if !ok {
		return Applied{}, fault.New(fault.Internal, "a document of kind %s is none", read.Kind)
	}
	if err := starter.Allowed(ctx, doc.Spec.Start); err != nil {
		return Applied{}, err
	}
	next := schedule.Record{
		Name: doc.Metadata.Name, Labels: doc.Metadata.Labels, Digest: doc.Digest, Source: r.Source, Spec: doc.Spec, Revision: 1,
	}
	if r.DryRun {
		known, err := c.store.Schedule(ctx, next.Name)
		switch {
		case fault.Is(err, fault.NotFound):
			return Applied{Record: ofSchedule(next), Outcome: Created}, nil
		case err != nil:
			return Applied{}, fmt.Errorf("read %s: %w", next.Name, err)
		case known.Digest == next.Digest:
			return Applied{Record: ofSchedule(known)}, nil
		}
		next.ID, next.Team, next.Revision = known.ID, known.Team, known.Revision+1
		return Applied{Record: ofSchedule(next), Outcome: Changed}, nil
	}
	stored, created, changed, err := c.store.ApplySchedule(ctx, next, r.Team)
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", next.Name, err)
	}
	return Applied{Record: ofSchedule(stored), Outcome: outcome(created, changed)}, nil
}

func ofSchedule(r schedule.Record) workflow.Record {
	return workflow.Record{
		ID: r.ID, Kind: document.ScheduleKind, Name: r.Name, Team: r.Team, TeamID: r.TeamID, Labels: r.Labels, Revision: r.Revision,
		Digest: r.Digest, UpdatedAt: r.UpdatedAt,
	}
}
