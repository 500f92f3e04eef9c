package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/store/database"
	flow "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// flowPage is how many revisions one statement names: more alternatives than a thousand are too deep for SQLite.
const flowPage = 200

// Flows returns workflows by name with their sources, at most limit.
func (s *Store) Flows(ctx context.Context, limit int) ([]flow.Record, error) {
	var out []flow.Record
	for after := ""; len(out) < limit; {
		size := min(flowPage, limit-len(out))
		rows, err := s.db.Read().Workflow.Query().Where(workflow.NameGT(after), workflow.RemovedAtIsNil()).Order(workflow.ByName()).Limit(size).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		current, err := s.currentRevisions(ctx, rows, true)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if revision := current[row.ID]; revision != nil {
				out = append(out, workflowRecord(row, "", revision))
			}
			after = row.Name
		}
		if len(rows) < size {
			break
		}
	}
	return out, nil
}

// told are the statuses of runs that gave a result: what was cancelled or skipped says nothing.
func told() []string {
	return []string{string(record.Passed), string(record.Failed), string(record.Errored), string(record.TimedOut)}
}

// LastRuns returns the last run that gave a result of every workflow in every environment, of executions since a time.
func (s *Store) LastRuns(ctx context.Context, since time.Time) ([]coverage.Last, error) {
	var rows []struct {
		Workflow        string `json:"workflow"`
		EnvironmentName string `json:"environment_name"`
		Last            string `json:"last"`
		Green           string `json:"green"`
	}
	id := func(sel *entsql.Selector) string { return "CAST(" + sel.C(run.FieldID) + " AS TEXT)" }
	err := s.db.Read().Run.Query().Where(run.StatusIn(told()...), func(sel *entsql.Selector) {
		t := executionTable(sel)
		sel.Join(t).On(sel.C(run.FieldExecutionID), t.C(execution.FieldID)).Where(entsql.GT(t.C(execution.FieldID), firstID(since))).
			GroupBy(t.C(execution.FieldWorkflow))
	}).GroupBy(run.FieldEnvironmentName).Aggregate(
		func(sel *entsql.Selector) string {
			return entsql.As(executionTable(sel).C(execution.FieldWorkflow), "workflow")
		},
		func(sel *entsql.Selector) string { return entsql.As("MAX("+id(sel)+")", "last") },
		func(sel *entsql.Selector) string { // an empty text is before every id
			return entsql.As(fmt.Sprintf("MAX(CASE WHEN %s = '%s' THEN %s ELSE '' END)", sel.C(run.FieldStatus), record.Passed, id(sel)), "green")
		},
	).Scan(ctx, &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	var ids []uuid.UUID
	for _, row := range rows {
		for _, text := range []string{row.Last, row.Green} {
			if text == "" {
				continue
			}
			id, err := uuid.Parse(text)
			if err != nil {
				return nil, fault.Wrap(fault.Internal, err, fmt.Sprintf("id of a run %q", text))
			}
			ids = append(ids, id)
		}
	}
	runs, err := s.runsNamed(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]coverage.Last, 0, len(rows))
	for _, row := range rows {
		last := runs[row.Last]
		if last == nil { // deleted meanwhile
			continue
		}
		l := coverage.Last{
			Cell: coverage.Cell{Workflow: row.Workflow, Environment: row.EnvironmentName}, Execution: last.ExecutionID,
			Status: record.Status(last.Status), At: endOf(last),
		}
		if green := runs[row.Green]; green != nil {
			l.GreenAt = endOf(green)
		}
		out = append(out, l)
	}
	return out, nil
}

// runPage is how many runs one statement names.
const runPage = 1000

func (s *Store) runsNamed(ctx context.Context, ids []uuid.UUID) (map[string]*db.Run, error) {
	out := make(map[string]*db.Run, len(ids))
	for part := range slices.Chunk(ids, runPage) {
		rows, err := s.db.Read().Run.Query().Where(run.IDIn(part...)).
			Select(run.FieldID, run.FieldExecutionID, run.FieldStatus, run.FieldCreatedAt, run.FieldFinishedAt).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, row := range rows {
			out[row.ID.String()] = row
		}
	}
	return out, nil
}

// endOf is when a run ended.
func endOf(r *db.Run) time.Time {
	if r.FinishedAt != nil {
		return r.FinishedAt.UTC()
	}
	return r.CreatedAt.UTC()
}
