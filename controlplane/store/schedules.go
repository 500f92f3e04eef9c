package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	record "github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/firing"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/schedule"
)

// ApplySchedule creates the schedule, or changes it when the digest differs. It is due from now on.
func (s *Store) ApplySchedule(ctx context.Context, r record.Record, owner string) (rec record.Record, created, changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		created, changed = false, false
		row, err := locked(s, tx.Schedule.Query().Where(schedule.Name(r.Name))).WithTeam().Only(ctx)
		if err != nil && !db.IsNotFound(err) {
			return err
		}
		if err := s.own(ctx, tx, document.ScheduleKind, r.Name, row != nil && row.RemovedAt == nil); err != nil {
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
			rec, err = s.createSchedule(ctx, tx, r)
			if database.Unique(err) {
				return takenFirst(ctx, r.Name)
			}
			if err != nil {
				return err
			}
		default:
			if err := mayChange(ctx, tx, row.TeamID, "schedule "+row.Name); err != nil {
				return err
			}
			created = row.RemovedAt != nil
			if rec, changed, err = s.changeSchedule(ctx, row, r); err != nil {
				return err
			}
		}
		if !changed {
			return nil
		}
		audit.Of(ctx).Detail("revision", strconv.Itoa(rec.Revision))
		audit.Of(ctx).Detail("digest", rec.Digest)
		return s.noted(ctx, tx, audit.Object{Kind: "schedule", ID: rec.ID.String(), Name: rec.Name})
	})
	return rec, created, changed, err
}

func (s *Store) createSchedule(ctx context.Context, tx *db.Tx, r record.Record) (record.Record, error) {
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return r, fmt.Errorf("encode schedule: %w", err)
	}
	due, at, err := r.Begin(s.now())
	if err != nil {
		return r, err
	}
	row, err := tx.Schedule.Create().SetOrganizationID(r.Organization).SetTeamID(r.TeamID).SetName(r.Name).SetWorkflow(r.Workflow).
		SetLabels(r.Labels).SetDigest(r.Digest).SetSource(r.Source).SetSpec(spec).SetNillableNextDue(nullable(due)).
		SetNillableNextAt(nullable(at)).Save(ctx)
	if err != nil {
		return r, err
	}
	return scheduleRecord(row, r.Team)
}

// changeSchedule brings a row to a document. One that was removed is there again.
func (s *Store) changeSchedule(ctx context.Context, row *db.Schedule, r record.Record) (rec record.Record, changed bool, err error) {
	team := r.Team
	if row.Edges.Team != nil {
		team = row.Edges.Team.Name
	}
	if row.Digest == r.Digest && row.RemovedAt == nil {
		rec, err = scheduleRecord(row, team)
		return rec, false, err
	}
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return rec, false, fmt.Errorf("encode schedule: %w", err)
	}
	r.Organization, r.SuspendedBy = row.OrganizationID, row.SuspendedBy
	from := s.now()
	if next := timeOf(row.NextDue); !next.IsZero() && !next.After(from) {
		from = next.Add(-time.Second) // it is due at this moment and nobody has come by yet
	}
	due, at, err := r.Begin(from)
	if err != nil {
		return rec, false, err
	}
	row, err = s.begin(row.Update().AddRevision(1).SetLabels(r.Labels).SetDigest(r.Digest).SetSource(r.Source).SetSpec(spec).ClearRemovedAt(),
		due, at).Save(ctx)
	if err != nil {
		return rec, false, err
	}
	rec, err = scheduleRecord(row, team)
	return rec, true, err
}

// begin sets when a schedule is started next.
func (s *Store) begin(change *db.ScheduleUpdateOne, due, at time.Time) *db.ScheduleUpdateOne {
	if due.IsZero() {
		return change.ClearNextDue().ClearNextAt()
	}
	return change.SetNextDue(due.UTC()).SetNextAt(*nullable(at))
}

// sayStarts brings what a workflow says of when it is started to its document.
func (s *Store) sayStarts(ctx context.Context, tx *db.Tx, w *db.Workflow, triggers []document.Trigger) error {
	if err := s.saySchedules(ctx, tx, w, triggers); err != nil {
		return err
	}
	return s.sayTriggers(ctx, tx, w, triggers)
}

// saySchedules brings the schedules that a workflow has in its own document to what it says now. They are named after it and belong to
// its team.
func (s *Store) saySchedules(ctx context.Context, tx *db.Tx, w *db.Workflow, triggers []document.Trigger) error {
	rows, err := tx.Schedule.Query().Where(schedule.Workflow(w.Name)).All(ctx)
	if err != nil {
		return err
	}
	byName := map[string]*db.Schedule{}
	for _, row := range rows {
		byName[row.Name] = row
	}
	for i, t := range triggers {
		if t.Schedule == nil {
			continue
		}
		r, err := said(w, i, *t.Schedule)
		if err != nil {
			return err
		}
		if row := byName[r.Name]; row != nil {
			delete(byName, r.Name)
			_, _, err = s.changeSchedule(ctx, row, r)
		} else {
			_, err = s.createSchedule(ctx, tx, r)
		}
		if err != nil {
			return err
		}
	}
	for _, row := range byName {
		if row.RemovedAt != nil {
			continue
		}
		if err := s.begin(row.Update().SetRemovedAt(s.now()), time.Time{}, time.Time{}).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// said is the schedule that is the n-th trigger of a workflow. Names of documents have no dots.
func said(w *db.Workflow, n int, when document.Schedule) (record.Record, error) {
	doc := document.ScheduleDocument{Spec: document.ScheduleSpec{
		Schedule: when, Start: document.Start{Workflows: []document.StartRef{{Name: w.Name}}},
	}}
	if err := doc.Seal(); err != nil {
		return record.Record{}, err
	}
	return record.Record{
		Organization: w.OrganizationID, TeamID: w.TeamID, Name: w.Name + "." + strconv.Itoa(n+1), Workflow: w.Name, Labels: w.Labels,
		Digest: doc.Digest, Spec: doc.Spec,
	}, nil
}

// Schedule returns a schedule by name.
func (s *Store) Schedule(ctx context.Context, name string) (record.Record, error) {
	row, err := s.db.Read().Schedule.Query().Where(schedule.Name(name), schedule.RemovedAtIsNil()).WithTeam().Only(ctx)
	if db.IsNotFound(err) {
		return record.Record{}, noSchedule(name)
	}
	if err != nil {
		return record.Record{}, database.Fault(err)
	}
	list, err := s.withFirings(ctx, []*db.Schedule{row})
	if err != nil {
		return record.Record{}, err
	}
	return list[0], nil
}

func noSchedule(name string) error {
	return fault.New(fault.NotFound, "there is no schedule %q", name).WithHint("List what there is with: seatrial schedule list.")
}

// Schedules lists by name with the last firing of each.
func (s *Store) Schedules(ctx context.Context, size int, after string) (list []record.Record, next string, err error) {
	place, more, err := decodeCursor[string](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Schedule.Query().Where(schedule.RemovedAtIsNil()).WithTeam().Order(schedule.ByName()).Limit(size + 1)
	if more {
		q = q.Where(schedule.NameGT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	rows, next, err = cut(rows, size, func(r *db.Schedule) string { return r.Name })
	if err != nil {
		return nil, "", err
	}
	list, err = s.withFirings(ctx, rows)
	return list, next, err
}

// missedSince is how long a list tells that something was missed.
const missedSince = 7 * 24 * time.Hour

// withFirings reads of each schedule what became of it last, and how many due times were missed of late.
func (s *Store) withFirings(ctx context.Context, rows []*db.Schedule) ([]record.Record, error) {
	out := make([]record.Record, len(rows))
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		rec, err := scheduleRecord(row, row.Edges.Team.Name)
		if err != nil {
			return nil, err
		}
		out[i], ids[i] = rec, row.ID
	}
	if len(ids) == 0 {
		return out, nil
	}
	last, err := s.db.Read().Firing.Query().Where(lastOf(ids)).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, row := range last {
		f, err := firingRecord(row)
		if err != nil {
			return nil, err
		}
		out[slices.Index(ids, row.ScheduleID)].Last = &f
	}
	var missed []struct {
		ScheduleID uuid.UUID `json:"schedule_id"`
		Count      int       `json:"count"`
	}
	err = s.db.Read().Firing.Query().
		Where(firing.ScheduleIDIn(ids...), firing.StateIn(string(record.Missed), string(record.Failed)), firing.DueGT(s.now().Add(-missedSince))).
		GroupBy(firing.FieldScheduleID).Aggregate(db.Count()).Scan(ctx, &missed)
	for _, m := range missed {
		for i := range out {
			if out[i].ID == m.ScheduleID {
				out[i].Missed = m.Count
			}
		}
	}
	return out, database.Fault(err)
}

// lastOf is fulfilled by the last firing of each of some schedules: one look into the index for each, whatever fired before.
func lastOf(schedules []uuid.UUID) predicate.Firing {
	return func(sel *entsql.Selector) {
		ids := make([]any, len(schedules))
		for i, id := range schedules {
			ids[i] = id
		}
		sel.Where(entsql.P(func(b *entsql.Builder) {
			b.Ident(sel.C(firing.FieldID)).WriteString(" IN (SELECT (SELECT latest.id FROM firings AS latest WHERE latest.organization_id = s.organization_id AND latest.schedule_id = s.id" +
				" ORDER BY latest.due DESC LIMIT 1) FROM schedules AS s WHERE s.id IN (").Args(ids...).WriteString("))")
		}))
	}
}

// SuspendSchedule suspends or resumes on behalf of the viewer.
func (s *Store) SuspendSchedule(ctx context.Context, name string, suspended bool) (rec record.Record, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.scheduleToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		if rec, err = scheduleRecord(row, row.Edges.Team.Name); err != nil {
			return err
		}
		if suspended == (row.SuspendedBy != "") {
			return nil
		}
		rec.SuspendedBy, rec.SuspendedAt = "", time.Time{}
		change := row.Update().SetSuspendedBy("").ClearSuspendedAt()
		if suspended {
			v, _ := tenant.FromContext(ctx)
			rec.SuspendedBy, rec.SuspendedAt = v.Name, s.now()
			change = row.Update().SetSuspendedBy(v.Name).SetSuspendedAt(s.now())
		}
		if rec.NextDue, rec.NextAt, err = rec.Begin(s.now()); err != nil {
			return err
		}
		if err := s.begin(change, rec.NextDue, rec.NextAt).Exec(ctx); err != nil {
			return err
		}
		audit.Of(ctx).Detail("suspended", strconv.FormatBool(suspended))
		return s.noted(ctx, tx, audit.Object{Kind: "schedule", ID: row.ID.String(), Name: row.Name})
	})
	return rec, err
}

// scheduleToChange locks a schedule that the viewer may change.
func (s *Store) scheduleToChange(ctx context.Context, tx *db.Tx, name string) (*db.Schedule, error) {
	row, err := locked(s, tx.Schedule.Query().Where(schedule.Name(name), schedule.RemovedAtIsNil())).WithTeam().Only(ctx)
	if db.IsNotFound(err) {
		return nil, noSchedule(name)
	}
	if err != nil {
		return nil, err
	}
	return row, mayChange(ctx, tx, row.TeamID, "schedule "+row.Name)
}

// RemoveSchedule removes a schedule that has a document of its own.
func (s *Store) RemoveSchedule(ctx context.Context, name string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.scheduleToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		if row.Workflow != "" {
			return fault.New(fault.Conflict, "the schedule %s stands in the workflow %s", name, row.Workflow).
				WithHint("Remove it from spec.triggers there and apply the workflow, or suspend it: seatrial schedule suspend %s.", name)
		}
		if err := s.own(ctx, tx, document.ScheduleKind, name, true); err != nil {
			return err
		}
		if err := s.begin(row.Update().SetRemovedAt(s.now()), time.Time{}, time.Time{}).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "schedule", ID: row.ID.String(), Name: row.Name})
	})
}

func scheduleRecord(row *db.Schedule, team string) (record.Record, error) {
	out := record.Record{
		ID: row.ID, Organization: row.OrganizationID, Team: team, TeamID: row.TeamID, Name: row.Name, Workflow: row.Workflow,
		Labels: row.Labels, Revision: row.Revision, Digest: row.Digest, Source: row.Source, SuspendedBy: row.SuspendedBy,
		SuspendedAt: timeOf(row.SuspendedAt), NextDue: timeOf(row.NextDue), NextAt: timeOf(row.NextAt), UpdatedAt: row.UpdatedAt.UTC(),
	}
	if err := json.Unmarshal(row.Spec, &out.Spec); err != nil {
		return out, fmt.Errorf("read schedule %s: %w", row.Name, err)
	}
	return out, nil
}
