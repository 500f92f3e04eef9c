package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/run"
)

// waitsForGroup is what is stored with an attempt that waits for its group. Who holds the group is found out when somebody looks:
// storing it would change every run that waits whenever one ends.
func waitsForGroup(group string) string {
	return fmt.Sprintf("Waits for the concurrency group %s.", group)
}

// sayGroup tells of runs that wait for their group, who holds it and since when.
func (s *Store) sayGroup(ctx context.Context, runs []*db.Run, byRun map[uuid.UUID][]record.Attempt) error {
	var groups []string
	for _, r := range runs {
		if waitsStill(r) && !slices.Contains(groups, r.ConcurrencyGroup) {
			groups = append(groups, r.ConcurrencyGroup)
		}
	}
	holders := map[string][]*db.Run{}
	for part := range slices.Chunk(groups, batch) {
		rows, err := s.db.Read().Run.Query().
			Where(run.ConcurrencyGroupIn(part...), run.StatusIn(live()...), run.AdmittedAtNotNil()).
			WithExecution().Order(run.ByAdmittedAt(), run.ByID()).All(ctx)
		if err != nil {
			return database.Fault(err)
		}
		for _, row := range rows {
			holders[row.ConcurrencyGroup] = append(holders[row.ConcurrencyGroup], row)
		}
	}
	for _, r := range runs {
		if !waitsStill(r) {
			continue
		}
		for i := range byRun[r.ID] {
			if a := &byRun[r.ID][i]; !a.Status.Terminal() {
				a.Reason, a.Message = record.ReasonGroup, heldBy(r, holders[r.ConcurrencyGroup])
			}
		}
	}
	return nil
}

func waitsStill(r *db.Run) bool {
	return r.ConcurrencyGroup != "" && r.AdmittedAt == nil && !record.Status(r.Status).Terminal()
}

func heldBy(r *db.Run, holders []*db.Run) string {
	group := "Waits for the concurrency group " + r.ConcurrencyGroup
	switch {
	case len(holders) == 0:
		return group + ": its turn comes next."
	case len(holders) < r.ConcurrencyLimit:
		return group + ": it has a place, and waits for runs that came before or for the maxParallel of its own execution."
	}
	first := holders[0]
	who := fmt.Sprintf("execution %s of %s", first.ExecutionID, first.Edges.Execution.Workflow)
	if first.ExecutionID == r.ExecutionID {
		who = "another run of this execution"
		if first.Name != "" {
			who = "the run " + first.Name + " of this execution"
		}
	}
	if more := len(holders) - 1; more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s: held by %s since %s.", group, who, first.AdmittedAt.UTC().Format(time.DateTime+" UTC"))
}

// sayInHead gives an execution that waits for a group or for its turn the words of its first run that does.
func sayInHead(e *record.Execution) {
	if e.Status != record.Queued {
		return // something of it is under way
	}
	for _, r := range e.Runs {
		if len(r.Attempts) == 0 {
			continue
		}
		if last := r.Attempts[len(r.Attempts)-1]; last.Reason == record.ReasonGroup || last.Reason == cluster.ReasonQueue {
			e.Reason, e.Message = last.Reason, last.Message
			if r.Name != "" {
				e.Message = r.Name + ": " + e.Message
			}
			return
		}
	}
}
