package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	record "github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/environment"
	"github.com/seatrial/seatrial/ent/db/event"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/reaction"
	"github.com/seatrial/seatrial/ent/db/receiver"
	"github.com/seatrial/seatrial/ent/db/team"
	"github.com/seatrial/seatrial/ent/db/trigger"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// States of an event.
const (
	eventNew    = "new"
	eventJudged = "judged"
)

// AddEvents stores what is not known yet: the unique index on the key keeps out what was told before.
func (s *Store) AddEvents(ctx context.Context, list []record.Event) (added int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		added = 0
		for _, e := range list {
			there, err := tx.Event.Query().Where(event.Key(clean(e.Key))).Exist(ctx)
			if err != nil {
				return err
			}
			if there {
				continue
			}
			if err := newEvent(tx, e).Exec(ctx); err != nil {
				if database.Unique(err) {
					return database.ErrRetry // another replica has just been told the same
				}
				return err
			}
			added++
		}
		return nil
	})
	return added, err
}

func newEvent(tx *db.Tx, e record.Event) *db.EventCreate {
	return tx.Event.Create().SetOrganizationID(e.Organization).SetKind(e.Kind).SetSource(clean(e.Source)).SetType(clean(e.Type)).
		SetSubject(clean(e.Subject)).SetKey(clean(e.Key)).SetData(e.Data).SetState(eventNew)
}

// tellEnd makes an event of the end of an execution when a trigger is for its workflow.
func tellEnd(ctx context.Context, tx *db.Tx, head *db.Execution, now state) error {
	ctx = insider(ctx, head.OrganizationID)
	wanted, err := tx.Trigger.Query().Where(trigger.Kind(record.Workflow), trigger.Subject(head.Workflow), trigger.RemovedAtIsNil()).Exist(ctx)
	if err != nil || !wanted {
		return err
	}
	data, err := json.Marshal(record.Ended{Workflow: head.Workflow, Execution: head.ID, Status: string(now.status), Commit: head.Commit})
	if err != nil {
		return fmt.Errorf("encode the end of execution %s: %w", head.ID, err)
	}
	return newEvent(tx, record.Event{
		Organization: head.OrganizationID, Kind: record.Workflow, Source: "seatrial", Type: string(now.status), Subject: head.Workflow,
		Key: "execution " + head.ID.String(), Data: data,
	}).OnConflictColumns(event.FieldOrganizationID, event.FieldKey).Ignore().Exec(ctx)
}

// ClaimEvents returns events that nobody has judged. Organizations have equal shares.
func (s *Store) ClaimEvents(ctx context.Context, limit int, lease time.Duration) (list []record.Event, err error) {
	now := s.now()
	open := event.And(event.State(eventNew), event.Or(event.LeasedUntilIsNil(), event.LeasedUntilLTE(now)))
	there, err := s.db.Read().Event.Query().Where(open).Limit(1).Exist(ctx)
	if err != nil || !there {
		return nil, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		list = nil
		active := event.HasOrganizationWith(organization.State(string(tenant.Active)))
		var owners []claimant
		if err := tx.Event.Query().Where(open, active).GroupBy(event.FieldOrganizationID).Aggregate(db.Count()).Scan(ctx, &owners); err != nil {
			return err
		}
		rows, err := shared(owners, limit, func(org uuid.UUID, most int) ([]*db.Event, error) {
			return locked(s, tx.Event.Query().Where(open, event.OrganizationID(org)).Order(event.ByID()).Limit(most),
				entsql.WithLockAction(entsql.SkipLocked)).WithOrganization().All(ctx)
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]uuid.UUID, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
			e, err := eventRecord(row)
			if err != nil {
				return err
			}
			if e.Apart = accessRecord(row.Edges.Organization).Visibility == tenant.VisibleTeams; e.Apart {
				if e.Teams, err = hearing(ctx, tx, row); err != nil {
					return err
				}
			}
			list = append(list, e)
		}
		return tx.Event.Update().Where(event.IDIn(ids...)).SetLeasedUntil(now.Add(lease)).Exec(ctx)
	})
	return list, err
}

// hearing returns the teams that have what an event is about, as ent/rule tells whom an event is shown to.
func hearing(ctx context.Context, tx *db.Tx, e *db.Event) (teams []uuid.UUID, err error) {
	switch e.Kind {
	case record.Workflow:
		err = tx.Workflow.Query().Where(workflow.OrganizationID(e.OrganizationID), workflow.Name(e.Subject)).
			Select(workflow.FieldTeamID).Scan(ctx, &teams)
	case record.Kube:
		places, err := tx.Environment.Query().Where(environment.OrganizationID(e.OrganizationID), environment.HasClusterWith(cluster.Name(e.Source))).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, place := range places {
			if place.TeamID == nil { // no team has taken it
				return tx.Team.Query().Where(team.OrganizationID(e.OrganizationID)).IDs(ctx)
			}
			teams = append(teams, *place.TeamID)
		}
	default:
		err = tx.Receiver.Query().Where(receiver.OrganizationID(e.OrganizationID), receiver.Name(e.Source)).
			Select(receiver.FieldTeamID).Scan(ctx, &teams)
	}
	return teams, err
}

// Judge stores what triggers do about an event. What another replica has judged meanwhile stays.
func (s *Store) Judge(ctx context.Context, e record.Event) error {
	passed, err := json.Marshal(e.Passed)
	if err != nil {
		return fmt.Errorf("encode triggers: %w", err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Event.Update().Where(event.ID(e.ID), event.State(eventNew)).SetState(eventJudged).SetReason(clean(e.Reason)).
			SetPassed(passed).ClearLeasedUntil().Save(ctx)
		if err != nil || n == 0 {
			return err
		}
		if err := s.lockAbout(ctx, tx, e.Reactions); err != nil {
			return err
		}
		for _, r := range e.Reactions {
			if err := s.react(ctx, tx, e, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// lockAbout locks the triggers of reactions that may take the place of others: of two events about the same that two replicas judge at once,
// the second sees what the first has stored.
func (s *Store) lockAbout(ctx context.Context, tx *db.Tx, list []record.Reaction) error {
	var ids []uuid.UUID
	for _, r := range list {
		if r.About != "" {
			ids = append(ids, r.Trigger)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := locked(s, tx.Trigger.Query().Where(trigger.IDIn(ids...)).Order(trigger.ByID())).All(ctx)
	return err
}

// react stores what a trigger does about an event. It takes the place of what the trigger has not started yet about the same, unless that is
// of a later event: then the later one stays, in whichever order they are judged.
func (s *Store) react(ctx context.Context, tx *db.Tx, e record.Event, r record.Reaction) error {
	given, err := json.Marshal(r.Given)
	if err != nil {
		return fmt.Errorf("encode what the event gives: %w", err)
	}
	reason := r.Given.Note
	if r.About != "" {
		same := reaction.And(reaction.TriggerID(r.Trigger), reaction.About(r.About))
		later, err := tx.Reaction.Query().Where(same, besides(e.ID, entsql.GT)).Exist(ctx)
		if err != nil {
			return err
		}
		if later {
			r.State, reason = record.Superseded, again
		}
		earlier := tx.Reaction.Update().Where(same, besides(e.ID, entsql.LT), reaction.StateIn(open()...),
			reaction.Or(reaction.LeasedUntilIsNil(), reaction.LeasedUntilLTE(s.now())))
		if err := earlier.SetState(string(record.Superseded)).SetReason(again).Exec(ctx); err != nil {
			return err
		}
	}
	make := tx.Reaction.Create().SetOrganizationID(e.Organization).SetEventID(e.ID).SetTriggerID(r.Trigger).SetState(string(r.State)).
		SetDue(*nullable(r.Due)).SetAbout(r.About).SetParams(given).SetReason(clean(reason))
	if r.Cluster != uuid.Nil {
		make.SetClusterID(r.Cluster)
	}
	return make.Exec(ctx)
}

// again is why something is superseded.
const again = "it happened again before anything was started"

// besides selects reactions to events that were stored before or after another one: ids have the order of time.
func besides(id uuid.UUID, than func(string, any) *entsql.Predicate) predicate.Reaction {
	return func(sel *entsql.Selector) { sel.Where(than(sel.C(reaction.FieldEventID), id)) }
}

// open are the states of reactions that something becomes of yet.
func open() []string {
	return []string{string(record.Waiting), string(record.Probing), string(record.Ready)}
}

// ClaimReactions returns those that are to be started. Organizations have equal shares.
func (s *Store) ClaimReactions(ctx context.Context, limit int, lease time.Duration) (claims []record.Claim, err error) {
	now := s.now()
	due := reaction.And(reaction.StateIn(open()...), reaction.DueLTE(now), reaction.Or(reaction.LeasedUntilIsNil(), reaction.LeasedUntilLTE(now)))
	there, err := s.db.Read().Reaction.Query().Where(due).Limit(1).Exist(ctx)
	if err != nil || !there {
		return nil, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		claims = nil
		active := reaction.HasOrganizationWith(organization.State(string(tenant.Active)))
		var owners []claimant
		if err := tx.Reaction.Query().Where(due, active).GroupBy(reaction.FieldOrganizationID).Aggregate(db.Count()).Scan(ctx, &owners); err != nil {
			return err
		}
		rows, err := shared(owners, limit, func(org uuid.UUID, most int) ([]*db.Reaction, error) {
			return locked(s, tx.Reaction.Query().Where(due, reaction.OrganizationID(org)).Order(reaction.ByDue(), reaction.ByID()).Limit(most),
				entsql.WithLockAction(entsql.SkipLocked)).WithTrigger().WithEvent().All(ctx)
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]uuid.UUID, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
			c, err := claimOf(row)
			if err != nil {
				return err
			}
			claims = append(claims, c)
		}
		return tx.Reaction.Update().Where(reaction.IDIn(ids...)).SetLeasedUntil(now.Add(lease)).Exec(ctx)
	})
	return claims, err
}

// NextReaction returns when the first reaction is due that nobody is starting.
func (s *Store) NextReaction(ctx context.Context) (time.Time, error) {
	row, err := s.db.Read().Reaction.Query().Where(reaction.StateIn(open()...), reaction.Or(reaction.LeasedUntilIsNil(), reaction.LeasedUntilLTE(s.now())),
		reaction.HasOrganizationWith(organization.State(string(tenant.Active)))).
		Order(reaction.ByDue()).Select(reaction.FieldDue).First(ctx)
	if db.IsNotFound(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, database.Fault(err)
	}
	return row.Due.UTC(), nil
}

func claimOf(row *db.Reaction) (c record.Claim, err error) {
	if c.Trigger, err = triggerRecord(row.Edges.Trigger, ""); err != nil {
		return c, err
	}
	if c.Event, err = eventRecord(row.Edges.Event); err != nil {
		return c, err
	}
	c.Reaction, err = reactionRecord(row)
	return c, err
}

// FinishReaction stores what has become of a reaction.
func (s *Store) FinishReaction(ctx context.Context, r record.Reaction) error {
	starts, err := json.Marshal(r.Starts)
	if err != nil {
		return fmt.Errorf("encode what was started: %w", err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Reaction.Update().Where(reaction.ID(r.ID), reaction.StateIn(open()...)).SetState(string(r.State)).
			SetReason(clean(r.Reason)).SetStarts(starts).SetNillableFiredAt(nullable(r.FiredAt)).ClearLeasedUntil().Exec(ctx)
	})
}

// maxEvents is how many events a page has at most: each may have a message of some hundred KiB.
const maxEvents = 100

// Events lists the newest first.
func (s *Store) Events(ctx context.Context, f record.Filter) (list []record.Event, next string, err error) {
	place, more, err := decodeCursor[uuid.UUID](f.After)
	if err != nil {
		return nil, "", err
	}
	size := min(pageSize(f.Size), maxEvents)
	q := s.db.Read().Event.Query().Order(db.Desc(event.FieldID)).Limit(size + 1)
	if more {
		q = q.Where(event.IDLT(place))
	}
	if f.Kind != "" {
		q = q.Where(event.Kind(f.Kind))
	}
	if f.Subject != "" {
		q = q.Where(event.Subject(f.Subject))
	}
	if f.Trigger != "" {
		t, err := s.Trigger(ctx, f.Trigger)
		if err != nil {
			return nil, "", err
		}
		q = q.Where(func(sel *entsql.Selector) {
			done := entsql.Table(reaction.Table)
			sel.Where(entsql.In(sel.C(event.FieldID), entsql.Select(done.C(reaction.FieldEventID)).From(done).
				Where(entsql.EQ(done.C(reaction.FieldTriggerID), t.ID))))
		})
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	rows, next, err = cut(rows, size, func(r *db.Event) uuid.UUID { return r.ID })
	if err != nil || len(rows) == 0 {
		return nil, "", err
	}
	list, err = s.withReactions(ctx, rows)
	return list, next, err
}

// PushesSince returns the events of a repository that are of kind Git and since a time; with a type only those of that, which are written in
// lower case.
func (s *Store) PushesSince(ctx context.Context, repository, kind string, since time.Time) ([]record.Event, error) {
	q := s.db.Read().Event.Query().Where(event.Kind(record.Git), event.CreatedAtGTE(since.UTC()))
	if kind != "" {
		q = q.Where(event.Subject(strings.ToLower(repository)), event.Type(kind))
	} else {
		q = q.Where(event.SubjectEqualFold(repository))
	}
	rows, err := q.Order(db.Desc(event.FieldID)).Limit(maxPushes).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.Event, len(rows))
	for i, row := range rows {
		if out[i], err = eventRecord(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxPushes is how many pushes are looked through for one.
const maxPushes = 500

func (s *Store) withReactions(ctx context.Context, rows []*db.Event) ([]record.Event, error) {
	out, index, ids := make([]record.Event, len(rows)), map[uuid.UUID]int{}, make([]uuid.UUID, len(rows))
	for i, row := range rows {
		e, err := eventRecord(row)
		if err != nil {
			return nil, err
		}
		out[i], index[row.ID], ids[i] = e, i, row.ID
	}
	if err := s.passedSeen(ctx, out); err != nil {
		return nil, err
	}
	reactions, err := s.db.Read().Reaction.Query().Where(reaction.EventIDIn(ids...)).WithTrigger().Order(reaction.ByID()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, row := range reactions {
		r, err := reactionRecord(row)
		if err != nil {
			return nil, err
		}
		e := &out[index[row.EventID]]
		e.Reactions = append(e.Reactions, r)
	}
	return out, nil
}

// passedSeen leaves out the triggers that a viewer may not see who sees the own teams alone.
func (s *Store) passedSeen(ctx context.Context, list []record.Event) error {
	v, _ := tenant.FromContext(ctx)
	if !v.Confined {
		return nil
	}
	var names []string
	for _, e := range list {
		for _, p := range e.Passed {
			names = append(names, p.Trigger)
		}
	}
	seen, err := s.db.Read().Trigger.Query().Where(trigger.NameIn(names...)).Select(trigger.FieldName).Strings(ctx)
	if err != nil {
		return database.Fault(err)
	}
	for i := range list {
		list[i].Passed = slices.DeleteFunc(list[i].Passed, func(p record.Passed) bool { return !slices.Contains(seen, p.Trigger) })
	}
	return nil
}

// SweepEvents removes old events with what triggers did about them.
func (s *Store) SweepEvents(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		ids, err := tx.Event.Query().Where(event.CreatedAtLT(before), event.State(eventJudged)).Limit(limit).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := tx.Reaction.Delete().Where(reaction.EventIDIn(ids...)).Exec(ctx); err != nil {
			return err
		}
		removed, err = tx.Event.Delete().Where(event.IDIn(ids...)).Exec(ctx)
		return err
	})
	return removed, err
}

func eventRecord(row *db.Event) (record.Event, error) {
	out := record.Event{
		ID: row.ID, Organization: row.OrganizationID, Kind: row.Kind, Source: row.Source, Type: row.Type, Subject: row.Subject, Key: row.Key,
		Data: row.Data, At: row.CreatedAt.UTC(), Judged: row.State == eventJudged, Reason: row.Reason,
	}
	if len(row.Passed) > 0 {
		if err := json.Unmarshal(row.Passed, &out.Passed); err != nil {
			return out, fmt.Errorf("read event %s: %w", row.ID, err)
		}
	}
	return out, nil
}

func reactionRecord(row *db.Reaction) (record.Reaction, error) {
	out := record.Reaction{
		ID: row.ID, Event: row.EventID, Trigger: row.TriggerID, State: record.State(row.State), Due: row.Due.UTC(), Reason: row.Reason, About: row.About,
		FiredAt: timeOf(row.FiredAt),
	}
	if row.Edges.Trigger != nil {
		out.Name = row.Edges.Trigger.Name
	}
	if row.ClusterID != nil {
		out.Cluster = *row.ClusterID
	}
	if len(row.Params) > 0 {
		if err := json.Unmarshal(row.Params, &out.Given); err != nil {
			return out, fmt.Errorf("read what event %s gives: %w", row.EventID, err)
		}
	}
	if len(row.Starts) > 0 {
		if err := json.Unmarshal(row.Starts, &out.Starts); err != nil {
			return out, fmt.Errorf("read what event %s has started: %w", row.EventID, err)
		}
	}
	return out, nil
}
