package store

import (
	"context"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	flow "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
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
	v, _ := tenant.FromContext(ctx) // without one the rules of privacy refuse the query
	rows, err := s.db.Read().Run.Query().Where(lastOfCells(v.Organization, since)).Order(run.ByID(entsql.OrderDesc())).
		Select(run.FieldID, run.FieldExecutionID, run.FieldWorkflow, run.FieldEnvironmentName, run.FieldStatus, run.FieldCreatedAt, run.FieldFinishedAt).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	var out []coverage.Last
	at := map[coverage.Cell]int{}
	for _, row := range rows {
		cell := coverage.Cell{Workflow: row.Workflow, Environment: row.EnvironmentName}
		i, known := at[cell]
		if !known {
			i, at[cell] = len(out), len(out)
			out = append(out, coverage.Last{Cell: cell, Execution: row.ExecutionID, Status: record.Status(row.Status), At: endOf(row)})
		}
		if out[i].GreenAt.IsZero() && row.Status == string(record.Passed) {
			out[i].GreenAt = endOf(row)
		}
	}
	return out, nil
}

// lastOfCells is fulfilled by the last run of every workflow in every environment, and by the last one of each that passed. However many runs
// there are, PostgreSQL looks at a few for each: it goes from one pair to the next by the index of runs that gave a result.
func lastOfCells(organization uuid.UUID, since time.Time) predicate.Run {
	return func(sel *entsql.Selector) {
		sel.Where(entsql.P(func(b *entsql.Builder) {
			runs := func(columns string) *entsql.Builder {
				b.WriteString("SELECT " + columns + " FROM runs WHERE organization_id = ").Arg(organization)
				return b.WriteString(" AND status IN ('" + strings.Join(told(), "', '") + "')") // as the index says it
			}
			b.Ident(sel.C(run.FieldID)).WriteString(" IN (")
			if sel.Dialect() != dialect.Postgres {
				const each = " GROUP BY workflow, environment_name"
				runs("MAX(id)").WriteString(" AND id > ").Arg(firstID(since)).WriteString(each + " UNION ALL ")
				runs("MAX(id)").WriteString(" AND status = 'passed' AND id > ").Arg(firstID(since)).WriteString(each + ")")
				return
			}
			const pair, first = "workflow, environment_name", " ORDER BY workflow, environment_name LIMIT 1"
			b.WriteString("WITH RECURSIVE pair AS ((")
			runs(pair).WriteString(first + ") UNION ALL SELECT next.* FROM pair AS p CROSS JOIN LATERAL (")
			runs(pair).WriteString(" AND (workflow, environment_name) > (p.workflow, p.environment_name)" + first + ") AS next) SELECT last.id FROM pair AS p CROSS JOIN LATERAL ((")
			for i, only := range []string{"", " AND status = 'passed'"} {
				if i > 0 {
					b.WriteString(") UNION ALL (")
				}
				runs("id").WriteString(" AND workflow = p.workflow AND environment_name = p.environment_name AND id > ").Arg(firstID(since)).
					WriteString(only + " ORDER BY id DESC LIMIT 1")
			}
			b.WriteString(")) AS last)")
		}))
	}
}

// endOf is when a run ended.
func endOf(r *db.Run) time.Time {
	if r.FinishedAt != nil {
		return r.FinishedAt.UTC()
	}
	return r.CreatedAt.UTC()
}
