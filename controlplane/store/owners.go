package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/environment"
	"github.com/seatrial/seatrial/ent/db/readinesspolicy"
	"github.com/seatrial/seatrial/ent/db/receiver"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/schedule"
	"github.com/seatrial/seatrial/ent/db/template"
	"github.com/seatrial/seatrial/ent/db/trigger"
	"github.com/seatrial/seatrial/ent/db/webhook"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// SetOwner hands something to another team: fault.Forbidden unless the viewer acts for the team that has it.
func (s *Store) SetOwner(ctx context.Context, of tenant.Thing, team string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		to, err := teamNamed(ctx, tx.Team.Query(), team)
		if err != nil {
			return err
		}
		owner, hand, err := owned(ctx, tx, of)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no %s", of).WithField("name")
		}
		if err != nil {
			return err
		}
		if owner != nil {
			if err := mayChange(ctx, tx, *owner, of.String()); err != nil {
				return err
			}
		} else if v, _ := tenant.FromContext(ctx); !v.Allows(tenant.ScopeAdmin) {
			return fault.New(fault.Forbidden, "the %s belongs to no team", of).WithHint("Ask an admin to give it to one.")
		}
		if err := hand(to.ID); err != nil {
			return err
		}
		audit.Of(ctx).Detail("team", to.Name)
		return s.noted(ctx, tx, audit.Object{Kind: of.Kind, Name: strings.TrimSpace(of.Name + " " + of.Version)})
	})
}

// owned returns the team that has something, nil when none does, and how to hand it on.
func owned(ctx context.Context, tx *db.Tx, of tenant.Thing) (owner *uuid.UUID, hand func(to uuid.UUID) error, err error) {
	switch of.Kind {
	case tenant.Workflow:
		row, err := tx.Workflow.Query().Where(workflow.Name(of.Name)).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error {
			if err := tx.Schedule.Update().Where(schedule.Workflow(row.Name)).SetTeamID(to).Exec(ctx); err != nil {
				return err // what starts the workflow belongs to whom the workflow belongs to
			}
			if err := tx.Trigger.Update().Where(trigger.Workflow(row.Name)).SetTeamID(to).Exec(ctx); err != nil {
				return err
			}
			return row.Update().SetTeamID(to).Exec(ctx)
		}, nil
	case tenant.Schedule:
		row, err := tx.Schedule.Query().Where(schedule.Name(of.Name), schedule.Workflow(""), schedule.RemovedAtIsNil()).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	case tenant.Trigger:
		row, err := tx.Trigger.Query().Where(trigger.Name(of.Name), trigger.Workflow(""), trigger.RemovedAtIsNil()).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	case tenant.Webhook:
		row, err := tx.Webhook.Query().Where(webhook.Name(of.Name), webhook.RemovedAtIsNil()).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	case tenant.Receiver:
		row, err := tx.Receiver.Query().Where(receiver.Name(of.Name), receiver.RemovedAtIsNil()).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	case tenant.Template:
		row, err := tx.Template.Query().Where(template.Name(of.Name)).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	case tenant.Policy:
		row, err := tx.ReadinessPolicy.Query().Where(readinesspolicy.Name(of.Name)).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	case tenant.Environment:
		row, err := tx.Environment.Query().Where(environment.Name(of.Name)).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	case tenant.Release:
		row, err := tx.Release.Query().Where(release.Application(of.Name), release.Version(of.Version)).Only(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &row.TeamID, func(to uuid.UUID) error { return row.Update().SetTeamID(to).Exec(ctx) }, nil
	}
	return nil, nil, fault.New(fault.Invalid, "a team does not own a %q", of.Kind).WithField("kind").
		WithHint("Kinds are %s.", strings.Join(tenant.Kinds(), ", "))
}

// RestrictWorkflow says whether only its team may run a workflow: fault.Forbidden unless the viewer acts for that team.
func (s *Store) RestrictWorkflow(ctx context.Context, name string, restricted bool) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Workflow.Query().Where(workflow.Name(name)).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no workflow %q", name).WithField("workflow")
		}
		if err != nil {
			return err
		}
		if err := mayChange(ctx, tx, row.TeamID, "workflow "+name); err != nil {
			return err
		}
		if err := row.Update().SetRestricted(restricted).Exec(ctx); err != nil {
			return err
		}
		audit.Of(ctx).Detail("restricted", strconv.FormatBool(restricted))
		return s.noted(ctx, tx, audit.Object{Kind: "workflow", ID: row.ID.String(), Name: row.Name})
	})
}
