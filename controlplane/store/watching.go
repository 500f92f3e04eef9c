package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/store/database"
	triggers "github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db/trigger"
	"github.com/seatrial/seatrial/ent/db/triggerwatch"
)

// watching is how it stands with a trigger, and since when at the latest.
type watching struct {
	is    *origin.Condition
	since time.Time
}

// watchingOf returns how it stands with those of the claims that are triggers for what happens in clusters, by the ids of the claims.
func (s *Store) watchingOf(ctx context.Context, claims []origin.Claim) (map[uuid.UUID]watching, error) {
	claimed := map[string]uuid.UUID{}
	var names []string
	for _, c := range claims {
		if c.Kind == document.TriggerKind && c.Owns {
			claimed[c.Name], names = c.ID, append(names, c.Name)
		}
	}
	var list []triggers.Record
	for part := range slices.Chunk(names, batch) {
		rows, err := s.db.Read().Trigger.Query().
			Where(trigger.NameIn(part...), trigger.Workflow(""), trigger.Kind(triggers.Kube), trigger.RemovedAtIsNil()).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		some, err := triggerRecords(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // nothing is watched
	}
	known, told, err := s.toldOf(ctx, list)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().Cluster.Query().All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	clusters := make([]record.Cluster, len(rows))
	moved := map[record.ID]time.Time{}
	for i, row := range rows {
		clusters[i] = s.clusterRecord(row)
		moved[row.ID] = clusters[i].LastSeenAt.Add(record.OfflineAfter)
		if clusters[i].Connected {
			moved[row.ID] = clusters[i].ConnectedAt
		} else if !row.Connected {
			moved[row.ID] = row.UpdatedAt
		}
	}
	places, err := s.Environments(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]watching, len(list))
	for _, r := range list {
		standing := triggers.Standing(r, clusters, places, known)
		w := watching{is: triggers.ConditionOf(standing), since: told[r.ID]}
		for _, in := range standing {
			if at := moved[in.Cluster]; at.After(w.since) {
				w.since = at
			}
		}
		out[claimed[r.Name]] = w
	}
	return out, nil
}

// toldOf returns what agents have said of triggers, and when they did so last.
func (s *Store) toldOf(ctx context.Context, list []triggers.Record) (known []triggers.Watched, told map[uuid.UUID]time.Time, err error) {
	told = map[uuid.UUID]time.Time{}
	for part := range slices.Chunk(list, batch) {
		ids := make([]uuid.UUID, len(part))
		for i, r := range part {
			ids[i] = r.ID
		}
		rows, err := s.db.Read().TriggerWatch.Query().Where(triggerwatch.TriggerIDIn(ids...)).All(ctx)
		if err != nil {
			return nil, nil, database.Fault(err)
		}
		known = append(known, watchedRecords(rows)...)
		for _, row := range rows {
			if row.UpdatedAt.After(told[row.TriggerID]) {
				told[row.TriggerID] = row.UpdatedAt
			}
		}
	}
	return known, told, nil
}
