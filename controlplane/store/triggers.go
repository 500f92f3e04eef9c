package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	record "github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/trigger"
)

// ApplyTrigger creates the trigger, or changes it when the digest differs.
func (s *Store) ApplyTrigger(ctx context.Context, r record.Record, owner string) (rec record.Record, created, changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		created, changed = false, false
		row, err := locked(s, tx.Trigger.Query().Where(trigger.Name(r.Name))).WithTeam().Only(ctx)
		if err != nil && !db.IsNotFound(err) {
			return err
		}
		if err := s.own(ctx, tx, document.TriggerKind, r.Name, row != nil && row.RemovedAt == nil); err != nil {
			return err
		}
		switch row {
		case nil:
			t, err := teamFor(ctx, tx.Team.Query(), owner)
			if err != nil {
				return err
			}
			created, changed = true, true
			r.Organization, r.Team, r.TeamID = t.OrganizationID, t.Name, t.ID
			rec, err = createTrigger(ctx, tx, r)
			if database.Unique(err) {
				return takenFirst(ctx, r.Name)
			}
			if err != nil {
				return err
			}
		default:
			if err := mayChange(ctx, tx, row.TeamID, "trigger "+row.Name); err != nil {
				return err
			}
			created = row.RemovedAt != nil
			if rec, changed, err = changeTrigger(ctx, row, r); err != nil {
				return err
			}
		}
		if !changed {
			return nil
		}
		audit.Of(ctx).Detail("revision", strconv.Itoa(rec.Revision))
		audit.Of(ctx).Detail("digest", rec.Digest)
		return s.noted(ctx, tx, audit.Object{Kind: "trigger", ID: rec.ID.String(), Name: rec.Name})
	})
	return rec, created, changed, err
}

func createTrigger(ctx context.Context, tx *db.Tx, r record.Record) (record.Record, error) {
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return r, fmt.Errorf("encode trigger: %w", err)
	}
	kind, about := record.On(r.Spec)
	row, err := tx.Trigger.Create().SetOrganizationID(r.Organization).SetTeamID(r.TeamID).SetName(r.Name).SetWorkflow(r.Workflow).
		SetLabels(r.Labels).SetDigest(r.Digest).SetSource(r.Source).SetSpec(spec).SetKind(kind).SetSubject(about).Save(ctx)
	if err != nil {
		return r, err
	}
	return triggerRecord(row, r.Team)
}

// changeTrigger brings a row to a document. One that was removed is there again.
func changeTrigger(ctx context.Context, row *db.Trigger, r record.Record) (rec record.Record, changed bool, err error) {
	team := r.Team
	if row.Edges.Team != nil {
		team = row.Edges.Team.Name
	}
	if row.Digest == r.Digest && row.RemovedAt == nil {
		rec, err = triggerRecord(row, team)
		return rec, false, err
	}
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return rec, false, fmt.Errorf("encode trigger: %w", err)
	}
	kind, about := record.On(r.Spec)
	row, err = row.Update().AddRevision(1).SetLabels(r.Labels).SetDigest(r.Digest).SetSource(r.Source).SetSpec(spec).SetKind(kind).
		SetSubject(about).ClearRemovedAt().Save(ctx)
	if err != nil {
		return rec, false, err
	}
	rec, err = triggerRecord(row, team)
	return rec, true, err
}

// sayTriggers brings the triggers that a workflow has in its own document to what it says now, but for its schedules. They are named
// after it and belong to its team.
func (s *Store) sayTriggers(ctx context.Context, tx *db.Tx, w *db.Workflow, triggers []document.Trigger) error {
	rows, err := tx.Trigger.Query().Where(trigger.Workflow(w.Name)).All(ctx)
	if err != nil {
		return err
	}
	byName := map[string]*db.Trigger{}
	for _, row := range rows {
		byName[row.Name] = row
	}
	for i, t := range triggers {
		if t.Schedule != nil {
			continue
		}
		doc := document.TriggerDocument{Spec: document.TriggerSpec{
			Kubernetes: t.Kubernetes, Git: t.Git, Workflow: t.Workflow, Start: document.Start{Workflows: []document.StartRef{{Name: w.Name}}},
		}}
		if err := doc.Seal(); err != nil {
			return err
		}
		r := record.Record{
			Organization: w.OrganizationID, TeamID: w.TeamID, Name: w.Name + "." + strconv.Itoa(i+1), Workflow: w.Name, Labels: w.Labels,
			Digest: doc.Digest, Spec: doc.Spec,
		}
		if row := byName[r.Name]; row != nil {
			delete(byName, r.Name)
			_, _, err = changeTrigger(ctx, row, r)
		} else {
			_, err = createTrigger(ctx, tx, r)
		}
		if err != nil {
			return err
		}
	}
	for _, row := range byName {
		if row.RemovedAt != nil {
			continue
		}
		if err := row.Update().SetRemovedAt(s.now()).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Trigger returns a trigger by name.
func (s *Store) Trigger(ctx context.Context, name string) (record.Record, error) {
	row, err := s.db.Read().Trigger.Query().Where(trigger.Name(name), trigger.RemovedAtIsNil()).WithTeam().Only(ctx)
	if db.IsNotFound(err) {
		return record.Record{}, noTrigger(name)
	}
	if err != nil {
		return record.Record{}, database.Fault(err)
	}
	return triggerRecord(row, row.Edges.Team.Name)
}

func noTrigger(name string) error {
	return fault.New(fault.NotFound, "there is no trigger %q", name).WithHint("List what there is with: seatrial trigger list.")
}

// Triggers lists by name.
func (s *Store) Triggers(ctx context.Context, size int, after string) (list []record.Record, next string, err error) {
	place, more, err := decodeCursor[string](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Trigger.Query().Where(trigger.RemovedAtIsNil()).WithTeam().Order(trigger.ByName()).Limit(size + 1)
	if more {
		q = q.Where(trigger.NameGT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	rows, next, err = cut(rows, size, func(r *db.Trigger) string { return r.Name })
	if err != nil {
		return nil, "", err
	}
	list, err = triggerRecords(rows)
	return list, next, err
}

// RemoveTrigger removes a trigger that has a document of its own.
func (s *Store) RemoveTrigger(ctx context.Context, name string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Trigger.Query().Where(trigger.Name(name), trigger.RemovedAtIsNil())).Only(ctx)
		if db.IsNotFound(err) {
			return noTrigger(name)
		}
		if err != nil {
			return err
		}
		if err := mayChange(ctx, tx, row.TeamID, "trigger "+row.Name); err != nil {
			return err
		}
		if row.Workflow != "" {
			return fault.New(fault.Conflict, "the trigger %s stands in the workflow %s", name, row.Workflow).
				WithHint("Remove it from spec.triggers there and apply the workflow.")
		}
		if err := s.own(ctx, tx, document.TriggerKind, name, true); err != nil {
			return err
		}
		if err := row.Update().SetRemovedAt(s.now()).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "trigger", ID: row.ID.String(), Name: row.Name})
	})
}

// TriggersFor returns the triggers of an organization for a kind of events about something.
func (s *Store) TriggersFor(ctx context.Context, org tenant.ID, kind, about string) ([]record.Record, error) {
	return s.triggersOf(ctx, org, trigger.Kind(kind), trigger.Subject(about))
}

// TriggersOfKind returns all of an organization for a kind of events.
func (s *Store) TriggersOfKind(ctx context.Context, org tenant.ID, kind string) ([]record.Record, error) {
	return s.triggersOf(ctx, org, trigger.Kind(kind))
}

func (s *Store) triggersOf(ctx context.Context, org tenant.ID, where ...predicate.Trigger) ([]record.Record, error) {
	rows, err := s.db.Read().Trigger.Query().Where(append(where, trigger.OrganizationID(org), trigger.RemovedAtIsNil())...).WithTeam().
		Order(trigger.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	return triggerRecords(rows)
}

func triggerRecords(rows []*db.Trigger) ([]record.Record, error) {
	out := make([]record.Record, len(rows))
	for i, row := range rows {
		team := ""
		if row.Edges.Team != nil {
			team = row.Edges.Team.Name
		}
		var err error
		if out[i], err = triggerRecord(row, team); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func triggerRecord(row *db.Trigger, team string) (record.Record, error) {
	out := record.Record{
		ID: row.ID, Organization: row.OrganizationID, Team: team, TeamID: row.TeamID, Name: row.Name, Workflow: row.Workflow, Labels: row.Labels,
		Revision: row.Revision, Digest: row.Digest, Source: row.Source, UpdatedAt: row.UpdatedAt.UTC(), Removed: row.RemovedAt != nil,
	}
	if err := json.Unmarshal(row.Spec, &out.Spec); err != nil {
		return out, fmt.Errorf("read trigger %s: %w", row.Name, err)
	}
	return out, nil
}
