package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

const (
	// recentExecutions are those that durations are taken from: what was changed long ago shall not count.
	recentExecutions = 10
	// maxDurations bounds in bytes what travels with each assignment.
	maxDurations = 32 << 10
	// aboutEach is what a duration takes beside the name of its file.
	aboutEach = 12
)

// TestDurations returns how long the tests of each file of a workflow usually took together: the median over the attempts of the last
// executions that reported it. Of very many files it returns those that took longest.
func (s *Store) TestDurations(ctx context.Context, workflow string) (map[string]time.Duration, error) {
	recent, err := s.recent(ctx, workflow)
	if err != nil || len(recent) == 0 {
		return nil, database.Fault(err)
	}
	var rows []struct {
		AttemptID uuid.UUID `json:"attempt_id"`
		Source    string    `json:"source"`
		Sum       int64     `json:"sum"`
	}
	err = s.db.Read().TestResult.Query().
		Where(resultsIn(recent...), testresult.SourceNEQ(""), testresult.OutcomeNEQ(string(results.Skipped)), testresult.SeverityLT(supersededSeverity)).
		GroupBy(testresult.FieldAttemptID, testresult.FieldSource).Aggregate(db.Sum(testresult.FieldDuration)).Scan(ctx, &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	all := map[string][]time.Duration{}
	for _, row := range rows {
		name := fileName(row.Source)
		all[name] = append(all[name], time.Duration(row.Sum))
	}
	took := make(map[string]time.Duration, len(all))
	for name, list := range all {
		slices.Sort(list)
		took[name] = list[len(list)/2]
	}
	longest := slices.SortedFunc(maps.Keys(took), func(a, b string) int { return cmp.Or(cmp.Compare(took[b], took[a]), cmp.Compare(a, b)) })
	size := 0
	for _, name := range longest {
		if size += len(name) + aboutEach; size > maxDurations {
			delete(took, name)
		}
	}
	return took, nil
}

// recent returns the last executions of a workflow that came to an end by themselves, for resultsIn.
func (s *Store) recent(ctx context.Context, workflow string) ([]*db.Execution, error) {
	return s.db.Read().Execution.Query().
		Where(execution.Workflow(workflow), execution.StatusIn(string(record.Passed), string(record.Failed))).
		Order(db.Desc(execution.FieldID)).Limit(recentExecutions).Select(execution.FieldID, execution.FieldUpdatedAt).All(ctx)
}

// fileName writes a path as the workspace has it, whatever the tool that reported it has made of it.
func fileName(source string) string {
	name := strings.ReplaceAll(source, `\`, "/")
	name = strings.TrimPrefix(name, "/workspace/")
	return strings.TrimPrefix(name, "./")
}
