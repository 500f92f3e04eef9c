package store

import (
	"context"
	"slices"
	"strconv"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	places "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	record "github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/environment"
	"github.com/seatrial/seatrial/ent/db/reaction"
	"github.com/seatrial/seatrial/ent/db/trigger"
	"github.com/seatrial/seatrial/ent/db/triggerwatch"
	"github.com/seatrial/seatrial/ent/db/watchmark"
)

// Here returns the agent's cluster with its environments, and the triggers of its organization for what happens in clusters.
func (s *Store) Here(ctx context.Context) (record.Place, []record.Record, error) {
	v, err := agent(ctx)
	if err != nil {
		return record.Place{}, nil, err
	}
	ctx = insider(ctx, v.Organization)
	row, err := s.db.Read().Cluster.Get(ctx, v.Cluster)
	if err != nil {
		return record.Place{}, nil, database.Fault(err)
	}
	out := record.Place{ID: row.ID, Organization: v.Organization, Name: row.Name}
	rows, err := s.db.Read().Environment.Query().Where(environment.ClusterID(v.Cluster), environment.RemovedAtIsNil()).Order(environment.ByName()).All(ctx)
	if err != nil {
		return out, nil, database.Fault(err)
	}
	for _, e := range rows {
		out.Environments = append(out.Environments, places.Environment{ID: e.ID, Name: e.Name, ClusterID: row.ID, ClusterName: row.Name, Namespace: e.Namespace})
	}
	triggers, err := s.TriggersOfKind(ctx, v.Organization, record.Kube)
	return out, triggers, err
}

// WatchesHere returns what the agent has said of its watches.
func (s *Store) WatchesHere(ctx context.Context) ([]record.Watched, error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().TriggerWatch.Query().Where(triggerwatch.ClusterID(v.Cluster)).All(insider(ctx, v.Organization))
	return watchedRecords(rows), database.Fault(err)
}

// Watched returns what agents have said of triggers.
func (s *Store) Watched(ctx context.Context, triggers []uuid.UUID) (out []record.Watched, err error) {
	for part := range slices.Chunk(triggers, batch) {
		rows, err := s.db.Read().TriggerWatch.Query().Where(triggerwatch.TriggerIDIn(part...)).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		out = append(out, watchedRecords(rows)...)
	}
	return out, nil
}

func watchedRecords(rows []*db.TriggerWatch) []record.Watched {
	out := make([]record.Watched, len(rows))
	for i, row := range rows {
		out[i] = record.Watched{
			Trigger: row.TriggerID, Cluster: row.ClusterID, Digest: row.Digest, State: row.State, Message: row.Message, Since: timeOf(row.Since),
		}
	}
	return out
}

// KeepWatches stores what the agent says of its watches, and forgets those that it says nothing of.
func (s *Store) KeepWatches(ctx context.Context, list []record.Watched) error {
	v, err := agent(ctx)
	if err != nil {
		return err
	}
	ctx = insider(ctx, v.Organization)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := locked(s, tx.TriggerWatch.Query().Where(triggerwatch.ClusterID(v.Cluster))).Order(triggerwatch.ByID()).All(ctx)
		if err != nil {
			return err
		}
		known := map[uuid.UUID]*db.TriggerWatch{}
		for _, row := range rows {
			known[row.TriggerID] = row
		}
		for _, w := range list {
			if err := s.keepWatch(ctx, tx, v, known[w.Trigger], w); err != nil {
				return err
			}
			delete(known, w.Trigger)
		}
		var gone []uuid.UUID
		for _, row := range known {
			gone = append(gone, row.ID)
		}
		for part := range slices.Chunk(gone, batch) {
			if _, err := tx.TriggerWatch.Delete().Where(triggerwatch.IDIn(part...)).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) keepWatch(ctx context.Context, tx *db.Tx, v tenant.Viewer, row *db.TriggerWatch, w record.Watched) error {
	var since *time.Time
	if row != nil && row.Digest == w.Digest {
		since = row.Since
	}
	if since == nil && w.State == record.WatchWatching {
		since = nullable(s.now())
	}
	if row == nil {
		err := tx.TriggerWatch.Create().SetOrganizationID(v.Organization).SetClusterID(v.Cluster).SetTriggerID(w.Trigger).SetDigest(w.Digest).
			SetState(w.State).SetMessage(clean(w.Message)).SetNillableSince(since).Exec(ctx)
		if database.Unique(err) {
			return database.ErrRetry // an older session of the agent has just said so
		}
		return err
	}
	if row.Digest == w.Digest && row.State == w.State && row.Message == clean(w.Message) && timeOf(row.Since).Equal(timeOf(since)) {
		return nil
	}
	change := row.Update().SetDigest(w.Digest).SetState(w.State).SetMessage(clean(w.Message)).ClearSince()
	if since != nil {
		change = row.Update().SetDigest(w.Digest).SetState(w.State).SetMessage(clean(w.Message)).SetSince(*since)
	}
	return change.Exec(ctx)
}

// Marks returns what is known of objects of the agent's cluster.
func (s *Store) Marks(ctx context.Context, uids []string) (out []record.Mark, err error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(cleaned(uids), batch) {
		rows, err := s.db.Read().WatchMark.Query().Where(watchmark.ClusterID(v.Cluster), watchmark.UIDIn(part...)).All(insider(ctx, v.Organization))
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, row := range rows {
			out = append(out, record.Mark{UID: row.UID, Event: row.Event, State: row.State, SeenAt: row.SeenAt.UTC()})
		}
	}
	return out, nil
}

func cleaned(list []string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = clean(text)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// KeepMarks stores what is known of objects now.
func (s *Store) KeepMarks(ctx context.Context, list []record.Mark) error {
	v, err := agent(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	ctx = insider(ctx, v.Organization)
	// One row must not be changed twice by a statement: of several marks of an object the last counts.
	last := map[[2]string]record.Mark{}
	for _, m := range list {
		last[[2]string{clean(m.UID), clean(m.Event)}] = m
	}
	keys := make([][2]string, 0, len(last))
	for key := range last {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) // replicas lock rows in one order
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for part := range slices.Chunk(keys, markBatch) {
			rows := make([]*db.WatchMarkCreate, len(part))
			for i, key := range part {
				m := last[key]
				rows[i] = tx.WatchMark.Create().SetOrganizationID(v.Organization).SetClusterID(v.Cluster).SetUID(key[0]).SetEvent(key[1]).
					SetState(clean(m.State)).SetSeenAt(*nullable(m.SeenAt))
			}
			if err := tx.WatchMark.CreateBulk(rows...).OnConflict(
				sql.ConflictColumns(watchmark.FieldOrganizationID, watchmark.FieldClusterID, watchmark.FieldUID, watchmark.FieldEvent),
				sql.ResolveWith(func(u *sql.UpdateSet) {
					u.SetExcluded(watchmark.FieldState).SetExcluded(watchmark.FieldSeenAt).SetExcluded(watchmark.FieldUpdatedAt)
				}),
			).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// markBatch is how many marks one statement stores: each has nine values, and a statement some ten thousand at most.
const markBatch = 500

// ProbesHere returns the reactions that wait for probes in the agent's cluster.
func (s *Store) ProbesHere(ctx context.Context) (out []record.Claim, err error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().Reaction.Query().Where(reaction.State(string(record.Probing)), reaction.ClusterID(v.Cluster), reaction.DueGT(s.now())).
		WithTrigger().WithEvent().Order(reaction.ByDue(), reaction.ByID()).Limit(batch).All(insider(ctx, v.Organization))
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, row := range rows {
		c, err := claimOf(row)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// BeginProbes has a reaction wait for probes, or wait for longer.
func (s *Store) BeginProbes(ctx context.Context, id uuid.UUID, until time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Reaction.Update().Where(reaction.ID(id), reaction.StateIn(string(record.Waiting), string(record.Probing))).SetState(string(record.Probing)).
			SetDue(*nullable(until)).ClearLeasedUntil().Exec(ctx)
	})
}

// ConnectedSince returns since when the agent of a cluster is connected; zero for one that is away.
func (s *Store) ConnectedSince(ctx context.Context, id uuid.UUID) (time.Time, error) {
	row, err := s.db.Read().Cluster.Get(ctx, id)
	if err != nil {
		return time.Time{}, database.Fault(err)
	}
	c := s.clusterRecord(row)
	if !c.Connected {
		return time.Time{}, nil
	}
	return c.ConnectedAt, nil
}

// FinishProbes stores how the probes of a reaction in the agent's cluster have ended.
func (s *Store) FinishProbes(ctx context.Context, id uuid.UUID, succeeded bool, reason string) error {
	v, err := agent(ctx)
	if err != nil {
		return err
	}
	ctx = insider(ctx, v.Organization)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		there, err := tx.Reaction.Query().Where(reaction.ID(id), reaction.ClusterID(v.Cluster)).Exist(ctx)
		if err != nil {
			return err
		}
		if !there {
			return fault.New(fault.NotFound, "there is nothing to probe %s", id)
		}
		change := tx.Reaction.Update().Where(reaction.ID(id), reaction.ClusterID(v.Cluster), reaction.State(string(record.Probing)))
		if succeeded {
			return change.SetState(string(record.Ready)).SetDue(s.now()).Exec(ctx)
		}
		return change.SetState(string(record.Failed)).SetReason(clean(reason)).SetFiredAt(s.now()).Exec(ctx)
	})
}

// Probing returns the organizations that have reactions which wait for probes.
func (s *Store) Probing(ctx context.Context) (out []tenant.ID, err error) {
	err = s.db.Read().Reaction.Query().Where(reaction.State(string(record.Probing)), reaction.DueGT(s.now())).
		GroupBy(reaction.FieldOrganizationID).Scan(ctx, &out)
	return out, database.Fault(err)
}

// WatchStamps returns for organizations what is another text whenever their agents may have something else to look at.
func (s *Store) WatchStamps(ctx context.Context, orgs []tenant.ID) (map[tenant.ID]string, error) {
	out := map[tenant.ID]string{}
	for part := range slices.Chunk(orgs, batch) {
		var triggers, environments []stamp
		err := s.db.Read().Trigger.Query().Where(trigger.OrganizationIDIn(part...), trigger.Kind(record.Kube), trigger.RemovedAtIsNil()).
			GroupBy(trigger.FieldOrganizationID).Aggregate(db.Count(), newest(trigger.FieldUpdatedAt)).Scan(ctx, &triggers)
		if err != nil {
			return nil, database.Fault(err)
		}
		err = s.db.Read().Environment.Query().Where(environment.OrganizationIDIn(part...), environment.RemovedAtIsNil()).
			GroupBy(environment.FieldOrganizationID).Aggregate(db.Count(), newest(environment.FieldUpdatedAt)).Scan(ctx, &environments)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, list := range [][]stamp{triggers, environments} {
			for _, one := range list {
				out[one.Organization] += one.text()
			}
		}
	}
	return out, nil
}

// stamp is how many rows an organization has, and when one was changed last.
type stamp struct {
	Organization uuid.UUID `json:"organization_id"`
	Count        int       `json:"count"`
	Newest       string    `json:"newest"`
}

func (s stamp) text() string { return strconv.Itoa(s.Count) + " " + s.Newest + "\n" }

// newest is the latest time in a column as text, which both databases give alike.
func newest(column string) db.AggregateFunc {
	return func(sel *sql.Selector) string { return sql.As("CAST(MAX("+sel.C(column)+") AS text)", "newest") }
}

// SweepMarks removes what is known of objects that nobody has seen since a time.
func (s *Store) SweepMarks(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		ids, err := tx.WatchMark.Query().Where(watchmark.SeenAtLT(before)).Limit(limit).IDs(ctx)
		if err != nil || len(ids) == 0 {
			removed = 0
			return err
		}
		removed, err = tx.WatchMark.Delete().Where(watchmark.IDIn(ids...)).Exec(ctx)
		return err
	})
	return removed, err
}
