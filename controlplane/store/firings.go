package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	record "github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/firing"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/schedule"
)

// A due time becomes a firing in the transaction that moves its schedule on to the next one. Both the lock on the schedule and the unique
// index on schedule and due time keep a second replica from doing so as well; the idempotency key of the executions keeps a firing that
// is taken over from starting them again.

// ClaimDue makes firings of the schedules whose time has come. Those of a suspended organization wait until it is no longer.
func (s *Store) ClaimDue(ctx context.Context, limit int, lease time.Duration) (claims []record.Claim, err error) {
	now := s.now()
	there, err := s.db.Read().Schedule.Query().Where(schedule.NextAtLTE(now)).Limit(1).Exist(ctx)
	if err != nil || !there { // most of the time nothing is due, for which nobody needs a transaction
		return nil, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		claims = nil
		rows, err := s.dueSchedules(ctx, tx, now, limit)
		if err != nil || len(rows) == 0 {
			return err
		}
		fired, err := firedSince(ctx, tx, rows)
		if err != nil {
			return err
		}
		var made []*db.FiringCreate
		var moved []*db.ScheduleCreate
		for _, row := range rows {
			rec, plan := planOf(row, now)
			moved = append(moved, movedOn(tx, row, plan))
			for _, f := range plan.Firings {
				if fired[dueTime{row.ID, f.Due.UnixMicro()}] {
					continue
				}
				f.ID = uuid.Must(uuid.NewV7())
				create := newFiring(tx, rec, f)
				if f.State == record.Claimed {
					create.SetLeasedUntil(now.Add(lease))
					claims = append(claims, record.Claim{Record: rec, Firing: f})
				}
				made = append(made, create)
			}
			if len(made) > maxMade {
				break // after a long silence there is much to write down: the others are still due
			}
		}
		for from := 0; from < len(made); from += batch {
			if err := tx.Firing.CreateBulk(made[from:min(from+batch, len(made))]...).Exec(ctx); err != nil {
				return err
			}
		}
		return tx.Schedule.CreateBulk(moved...).OnConflictColumns(schedule.FieldID).Update(func(u *db.ScheduleUpsert) {
			u.UpdateNextDue().UpdateNextAt()
		}).Exec(ctx)
	})
	return claims, err
}

// dueSchedules returns schedules whose time has come, and which nobody else is looking at. Organizations have equal shares: one whose
// thousands are due at once does not keep the others waiting.
func (s *Store) dueSchedules(ctx context.Context, tx *db.Tx, now time.Time, limit int) (out []*db.Schedule, err error) {
	due := []predicate.Schedule{schedule.NextAtLTE(now), schedule.RemovedAtIsNil(), inUse()}
	var owners []claimant
	if err := tx.Schedule.Query().Where(due...).GroupBy(schedule.FieldOrganizationID).Aggregate(db.Count()).Scan(ctx, &owners); err != nil {
		return nil, err
	}
	return shared(owners, limit, func(org uuid.UUID, most int) ([]*db.Schedule, error) {
		return locked(s, tx.Schedule.Query().Where(due...).Where(schedule.OrganizationID(org)).Order(schedule.ByNextAt(), schedule.ByID()).Limit(most),
			entsql.WithLockAction(entsql.SkipLocked)).All(ctx)
	})
}

// dueTime is a due time of a schedule, in microseconds.
type dueTime struct {
	schedule uuid.UUID
	at       int64
}

// firedSince returns which due times of schedules, from their next on, have fired already: the clock of one replica may be behind that of
// another, which had a schedule begin again at a time that was over.
func firedSince(ctx context.Context, tx *db.Tx, schedules []*db.Schedule) (map[dueTime]bool, error) {
	var ids []uuid.UUID
	var from time.Time
	for _, row := range schedules {
		ids = append(ids, row.ID)
		if due := timeOf(row.NextDue); from.IsZero() || due.Before(from) {
			from = due
		}
	}
	rows, err := tx.Firing.Query().Where(firing.ScheduleIDIn(ids...), firing.DueGTE(from)).Select(firing.FieldScheduleID, firing.FieldDue).All(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[dueTime]bool, len(rows))
	for _, row := range rows {
		out[dueTime{row.ScheduleID, row.Due.UnixMicro()}] = true
	}
	return out, nil
}

// inUse selects schedules of organizations that are not suspended.
func inUse() predicate.Schedule {
	return schedule.HasOrganizationWith(organization.State(string(tenant.Active)))
}

// maxMade is how many firings one transaction makes before it leaves other schedules to the next.
const maxMade = 2000

// planOf plans for a schedule. One that this version cannot read is on record as failed and keeps no other from starting.
func planOf(row *db.Schedule, now time.Time) (record.Record, record.Plan) {
	rec, err := scheduleRecord(row, "")
	if err == nil {
		var plan record.Plan
		if plan, err = rec.Plan(now); err == nil {
			return rec, plan
		}
	}
	return rec, record.Plan{Firings: []record.Firing{{
		Due: timeOf(row.NextDue), Planned: timeOf(row.NextAt), State: record.Failed, Reason: "the schedule cannot be read: " + err.Error(),
	}}}
}

// movedOn is a row with its next due time, for one statement that moves many.
func movedOn(tx *db.Tx, row *db.Schedule, plan record.Plan) *db.ScheduleCreate {
	return tx.Schedule.Create().SetID(row.ID).SetOrganizationID(row.OrganizationID).SetTeamID(row.TeamID).SetName(row.Name).
		SetDigest(row.Digest).SetSpec(row.Spec).SetNillableNextDue(nullable(plan.NextDue)).SetNillableNextAt(nullable(plan.NextAt))
}

func newFiring(tx *db.Tx, of record.Record, f record.Firing) *db.FiringCreate {
	return tx.Firing.Create().SetID(f.ID).SetOrganizationID(of.Organization).SetScheduleID(of.ID).SetDue(*nullable(f.Due)).
		SetPlanned(*nullable(f.Planned)).SetActor(f.Actor).SetState(string(f.State)).SetReason(clean(f.Reason))
}

// ClaimAbandoned returns firings that somebody has claimed and not finished in time.
func (s *Store) ClaimAbandoned(ctx context.Context, limit int, lease time.Duration) (claims []record.Claim, err error) {
	abandoned := firing.And(firing.State(string(record.Claimed)), firing.LeasedUntilLTE(s.now()))
	there, err := s.db.Read().Firing.Query().Where(abandoned).Limit(1).Exist(ctx)
	if err != nil || !there {
		return nil, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		claims = nil
		rows, err := locked(s, tx.Firing.Query().Where(abandoned).Order(firing.ByID()).Limit(limit), entsql.WithLockAction(entsql.SkipLocked)).All(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		var ids, of []uuid.UUID
		for _, row := range rows {
			ids, of = append(ids, row.ID), append(of, row.ScheduleID)
		}
		schedules, err := tx.Schedule.Query().Where(schedule.IDIn(of...)).All(ctx)
		if err != nil {
			return err
		}
		byID := map[uuid.UUID]*db.Schedule{}
		for _, row := range schedules {
			byID[row.ID] = row
		}
		for _, row := range rows {
			f, err := firingRecord(row)
			if err != nil {
				return err
			}
			rec, err := scheduleRecord(byID[row.ScheduleID], "")
			if err != nil { // it keeps no other from being made up for
				if err := tx.Firing.UpdateOneID(row.ID).SetState(string(record.Failed)).SetReason(clean("the schedule cannot be read: " + err.Error())).Exec(ctx); err != nil {
					return err
				}
				continue
			}
			claims = append(claims, record.Claim{Record: rec, Firing: f})
		}
		return tx.Firing.Update().Where(firing.IDIn(ids...)).SetLeasedUntil(s.now().Add(lease)).Exec(ctx)
	})
	return claims, err
}

// FinishFirings stores what has become of claimed firings.
func (s *Store) FinishFirings(ctx context.Context, list []record.Firing) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, f := range list {
			starts, err := json.Marshal(f.Starts)
			if err != nil {
				return fmt.Errorf("encode what was started: %w", err)
			}
			if err := tx.Firing.Update().Where(firing.ID(f.ID), firing.State(string(record.Claimed))).SetState(string(f.State)).
				SetReason(clean(f.Reason)).SetStarts(starts).SetNillableFiredAt(nullable(f.FiredAt)).ClearLeasedUntil().Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// NextDue returns when the next schedule is to be started.
func (s *Store) NextDue(ctx context.Context) (time.Time, error) {
	row, err := s.db.Read().Schedule.Query().Where(schedule.NextAtNotNil(), inUse()).Order(schedule.ByNextAt()).
		Select(schedule.FieldID, schedule.FieldNextAt).First(ctx)
	if db.IsNotFound(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, database.Fault(err)
	}
	return timeOf(row.NextAt), nil
}

// SweepFirings removes old firings.
func (s *Store) SweepFirings(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		ids, err := tx.Firing.Query().Where(firing.CreatedAtLT(before), firing.StateNEQ(string(record.Claimed))).Limit(limit).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		removed, err = tx.Firing.Delete().Where(firing.IDIn(ids...)).Exec(ctx)
		return err
	})
	return removed, err
}

// AddFiring stores a firing by hand.
func (s *Store) AddFiring(ctx context.Context, name, actor string, lease time.Duration) (rec record.Record, f record.Firing, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.scheduleToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		if rec, err = scheduleRecord(row, row.Edges.Team.Name); err != nil {
			return err
		}
		due := s.now()
		if due.Nanosecond() == 0 {
			due = due.Add(time.Microsecond) // whole seconds are for what is due
		}
		f = record.Firing{ID: uuid.Must(uuid.NewV7()), Schedule: row.ID, Due: due, Planned: due, Actor: actor, State: record.Claimed}
		if err := newFiring(tx, rec, f).SetLeasedUntil(s.now().Add(lease)).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "schedule", ID: row.ID.String(), Name: row.Name})
	})
	return rec, f, err
}

// Firings lists those of a schedule, the newest due time first.
func (s *Store) Firings(ctx context.Context, of uuid.UUID, missed bool, size int, after string) (list []record.Firing, next string, err error) {
	place, more, err := decodeCursor[time.Time](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Firing.Query().Where(firing.ScheduleID(of)).Order(db.Desc(firing.FieldDue)).Limit(size + 1)
	if missed {
		q = q.Where(firing.StateIn(string(record.Missed), string(record.Failed)))
	}
	if more {
		q = q.Where(firing.DueLT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	rows, next, err = cut(rows, size, func(r *db.Firing) time.Time { return r.Due })
	if err != nil {
		return nil, "", err
	}
	for _, row := range rows {
		f, err := firingRecord(row)
		if err != nil {
			return nil, "", err
		}
		list = append(list, f)
	}
	return list, next, nil
}

func firingRecord(row *db.Firing) (record.Firing, error) {
	out := record.Firing{
		ID: row.ID, Schedule: row.ScheduleID, Due: row.Due.UTC(), Planned: row.Planned.UTC(), Actor: row.Actor, State: record.State(row.State),
		Reason: row.Reason, FiredAt: timeOf(row.FiredAt),
	}
	if len(row.Starts) > 0 {
		if err := json.Unmarshal(row.Starts, &out.Starts); err != nil {
			return out, fmt.Errorf("read what firing %s has started: %w", row.ID, err)
		}
	}
	return out, nil
}
