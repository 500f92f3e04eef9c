package store

import (
	"context"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/logstream"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/service"
	"github.com/seatrial/seatrial/ent/db/step"
)

// Execution returns an execution with runs, attempts, steps and services.
func (s *Store) Execution(ctx context.Context, id record.ID) (record.Execution, error) {
	row, err := s.db.Read().Execution.Get(ctx, id)
	if err != nil {
		return record.Execution{}, missing(err, "execution", id)
	}
	list, err := s.withRuns(ctx, []*db.Execution{row}, true)
	if err != nil {
		return record.Execution{}, err
	}
	return list[0], nil
}

// Executions lists newest first, without steps.
func (s *Store) Executions(ctx context.Context, workflow string, status record.Status, size int, after string) (list []record.Execution, next string, err error) {
	place, more, err := decodeCursor[uuid.UUID](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Execution.Query().Order(db.Desc(execution.FieldID)).Limit(size + 1)
	if workflow != "" {
		q = q.Where(execution.Workflow(workflow))
	}
	if status != "" {
		q = q.Where(withStatus(status))
	}
	if more {
		q = q.Where(execution.IDLT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	rows, next, err = cut(rows, size, func(e *db.Execution) uuid.UUID { return e.ID })
	if err != nil {
		return nil, "", err
	}
	list, err = s.withRuns(ctx, rows, false)
	return list, next, err
}

// withStatus names the status in the text of the query, so that PostgreSQL makes a plan for each: one that suits those that half of the
// executions have reads them all in search of one that is rare.
func withStatus(status record.Status) predicate.Execution {
	return func(sel *entsql.Selector) {
		if !status.Valid() {
			sel.Where(entsql.False())
			return
		}
		sel.Where(entsql.ExprP(sel.C(execution.FieldStatus) + " = '" + string(status) + "'"))
	}
}

// Attempt returns one attempt with its steps and services, and the execution it belongs to.
func (s *Store) Attempt(ctx context.Context, id record.AttemptID) (record.Attempt, record.ID, error) {
	row, err := heads(s.db.Read().Attempt.Query().Where(attempt.ID(id))).Only(ctx)
	if err != nil {
		return record.Attempt{}, uuid.Nil, missing(err, "attempt", id)
	}
	in, err := s.detailsOf(ctx, []uuid.UUID{id})
	if err != nil {
		return record.Attempt{}, uuid.Nil, err
	}
	return attemptRecord(row, in), row.ExecutionID, nil
}

func (s *Store) mustSee(ctx context.Context, id record.ID) error {
	_, err := s.db.Read().Execution.Query().Where(execution.ID(id)).OnlyID(ctx)
	return missing(err, "execution", id)
}

func missing(err error, what string, id uuid.UUID) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound, "there is no %s %s", what, id)
	}
	return database.Fault(err)
}

// heads reads attempts without the assignment, which is big.
func heads(q *db.AttemptQuery) *db.AttemptQuery {
	q.Select(attempt.FieldID, attempt.FieldExecutionID, attempt.FieldRunID, attempt.FieldNumber, attempt.FieldStatus, attempt.FieldReason,
		attempt.FieldMessage, attempt.FieldNode, attempt.FieldPod, attempt.FieldStartedAt, attempt.FieldFinishedAt, attempt.FieldDelivered,
		attempt.FieldNotes)
	return q
}

// withRuns adds runs and attempts, with as many queries for a page as for one execution.
func (s *Store) withRuns(ctx context.Context, rows []*db.Execution, withSteps bool) ([]record.Execution, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	runs, err := s.db.Read().Run.Query().Where(run.ExecutionIDIn(ids...)).Order(run.ByOrdinal()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	q := heads(s.db.Read().Attempt.Query().Where(attempt.ExecutionIDIn(ids...)).Order(attempt.ByNumber()))
	if withSteps {
		q.Select(attempt.FieldSubjectStart, attempt.FieldSubjectEnd)
	}
	attempts, err := q.All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	var in details
	if withSteps {
		tries := make([]uuid.UUID, len(attempts))
		for i, a := range attempts {
			tries[i] = a.ID
		}
		if in, err = s.detailsOf(ctx, tries); err != nil {
			return nil, err
		}
	}
	byRun := map[uuid.UUID][]record.Attempt{}
	for _, a := range attempts {
		byRun[a.RunID] = append(byRun[a.RunID], attemptRecord(a, in))
	}
	if err := s.sayGroup(ctx, runs, byRun); err != nil {
		return nil, err
	}
	if err := s.sayQueue(ctx, runs, byRun); err != nil {
		return nil, err
	}
	if err := s.sayAway(ctx, runs, byRun); err != nil {
		return nil, err
	}
	byExecution := map[uuid.UUID][]record.Run{}
	for _, r := range runs {
		byExecution[r.ExecutionID] = append(byExecution[r.ExecutionID], runRecord(r, byRun[r.ID]))
	}
	out := make([]record.Execution, len(rows))
	for i, row := range rows {
		out[i] = executionRecord(row, byExecution[row.ID])
		sayInHead(&out[i])
	}
	return out, nil
}

// details are what an attempt consists of, by attempt.
type details struct {
	steps    map[uuid.UUID][]record.Step
	services map[uuid.UUID][]record.Service
}

// detailsOf returns the steps and services of attempts in order, with what is stored of their logs.
func (s *Store) detailsOf(ctx context.Context, attempts []uuid.UUID) (details, error) {
	out := details{map[uuid.UUID][]record.Step{}, map[uuid.UUID][]record.Service{}}
	steps, err := s.db.Read().Step.Query().Where(step.AttemptIDIn(attempts...)).Order(step.ByIndex()).All(ctx)
	if err != nil {
		return out, database.Fault(err)
	}
	services, err := s.db.Read().Service.Query().Where(service.AttemptIDIn(attempts...)).Order(service.ByOrdinal()).All(ctx)
	if err != nil {
		return out, database.Fault(err)
	}
	calls, err := s.callsOf(ctx, attempts)
	if err != nil {
		return out, err
	}
	streams, err := s.db.Read().LogStream.Query().Where(logstream.AttemptIDIn(attempts...)).All(ctx)
	if err != nil {
		return out, database.Fault(err)
	}
	logs := make(map[streamKey]*db.LogStream, len(streams))
	for _, stream := range streams {
		logs[streamKey{stream.AttemptID, stream.Name}] = stream
	}
	for _, row := range steps {
		one := stepRecord(row, logs[streamKey{row.AttemptID, record.Stream(row.Index)}])
		one.Calls = calls[callKey{row.AttemptID, row.Index}]
		out.steps[row.AttemptID] = append(out.steps[row.AttemptID], one)
	}
	for _, row := range services {
		one := serviceRecord(row, logs[streamKey{row.AttemptID, record.ServiceStream(row.Name)}])
		out.services[row.AttemptID] = append(out.services[row.AttemptID], one)
	}
	return out, nil
}
