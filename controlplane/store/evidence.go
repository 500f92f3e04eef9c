package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	releases "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/environment"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/file"
	"github.com/seatrial/seatrial/ent/db/member"
	"github.com/seatrial/seatrial/ent/db/releaseexecution"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/team"
	"github.com/seatrial/seatrial/ent/db/teammember"
	"github.com/seatrial/seatrial/ent/db/testresult"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// maxEvidence bounds the results that one verdict rests upon.
const maxEvidence = 1_000_000

// Evidence returns the latest attempts of all runs of the executions that are linked to a release, and of all below those that a person
// or a pipeline has started, with their results.
func (s *Store) Evidence(ctx context.Context, id releases.ID) ([]releases.Attempt, error) {
	linked, err := s.db.Read().ReleaseExecution.Query().Where(releaseexecution.ReleaseID(id)).Select(releaseexecution.FieldExecutionID).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	ids := make([]uuid.UUID, len(linked))
	for i, row := range linked {
		ids[i] = row.ExecutionID
	}
	e := evidence{s: s, at: map[uuid.UUID]int{}}
	for part := range slices.Chunk(ids, batch) {
		if err := e.add(ctx, part); err != nil {
			return nil, database.Fault(err)
		}
	}
	return e.attempts, nil
}

// evidence is gathered part by part.
type evidence struct {
	s        *Store
	attempts []releases.Attempt
	at       map[uuid.UUID]int // place of an attempt
	results  int
}

func (e *evidence) add(ctx context.Context, ids []uuid.UUID) error {
	heads, err := e.s.db.Read().Execution.Query().Where(execution.Or(execution.IDIn(ids...), execution.RootIDIn(ids...))).
		Select(execution.FieldID, execution.FieldUpdatedAt, execution.FieldWorkflow, execution.FieldCommit).All(ctx)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(heads, batch) {
		if err := e.addAttempts(ctx, part); err != nil {
			return err
		}
		if err := e.addResults(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// addAttempts adds the latest attempt of each run.
func (e *evidence) addAttempts(ctx context.Context, heads []*db.Execution) error {
	byID := map[uuid.UUID]*db.Execution{}
	for _, head := range heads {
		byID[head.ID] = head
	}
	of := idsOfExecutions(heads)
	runs, err := e.s.db.Read().Run.Query().Where(run.ExecutionIDIn(of...)).All(ctx)
	if err != nil {
		return err
	}
	attempts, err := e.s.db.Read().Attempt.Query().Where(attempt.ExecutionIDIn(of...)).Order(attempt.ByNumber()).
		Select(attempt.FieldID, attempt.FieldExecutionID, attempt.FieldRunID, attempt.FieldStatus, attempt.FieldReason, attempt.FieldMessage,
			attempt.FieldFinishedAt, attempt.FieldDelivered, attempt.FieldSubjectStart, attempt.FieldSubjectEnd).All(ctx)
	if err != nil {
		return err
	}
	latest := map[uuid.UUID]*db.Attempt{}
	for _, a := range attempts {
		latest[a.RunID] = a
	}
	for _, r := range runs {
		a, head := latest[r.ID], byID[r.ExecutionID]
		if a == nil || e.known(a.ID) {
			continue
		}
		e.at[a.ID] = len(e.attempts)
		e.attempts = append(e.attempts, releases.Attempt{
			ID: a.ID, Execution: a.ExecutionID, Workflow: head.Workflow, Environment: r.EnvironmentName, Matrix: r.Matrix,
			Status: record.Status(a.Status), Delivered: a.Delivered, Reason: a.Reason, Message: a.Message, FinishedAt: timeOf(a.FinishedAt), Commit: head.Commit,
			Start: subjectRecord(a.SubjectStart), End: subjectRecord(a.SubjectEnd), Contradictory: map[uuid.UUID]bool{},
		})
	}
	return nil
}

func (e *evidence) known(id uuid.UUID) bool {
	_, known := e.at[id]
	return known
}

func idsOfExecutions(rows []*db.Execution) []uuid.UUID {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids
}

// addResults adds the results of the executions to their attempts.
func (e *evidence) addResults(ctx context.Context, heads []*db.Execution) error {
	of := idsOfExecutions(heads)
	files, err := e.s.db.Read().File.Query().Where(file.ExecutionIDIn(of...), file.Kind(string(record.FileReport)),
		file.Or(file.GradeIn(string(results.Contradictory), string(results.Unreadable)), file.ExitReasonNEQ(""))).IDs(ctx)
	if err != nil {
		return err
	}
	bad := make(map[uuid.UUID]bool, len(files))
	for _, id := range files {
		bad[id] = true
	}
	rows, err := e.s.db.Read().TestResult.Query().Where(resultsIn(heads...), testresult.SeverityLT(supersededSeverity)).
		Order(testresult.ByID()).Limit(maxEvidence+1-e.results).
		Select(testresult.FieldID, testresult.FieldAttemptID, testresult.FieldFileID, testresult.FieldSuite, testresult.FieldName,
			testresult.FieldTestKey, testresult.FieldVariant, testresult.FieldFingerprint, testresult.FieldMessage, testresult.FieldEarlier, testresult.FieldFlags,
			testresult.FieldOutcome).All(ctx)
	if err != nil {
		return err
	}
	if e.results += len(rows); e.results > maxEvidence {
		return fault.New(fault.Exhausted, "more than %d test results are evidence for the release", maxEvidence).
			WithHint("Narrow what its policy requires, or run the suites less often against it.")
	}
	for _, row := range rows {
		i, known := e.at[row.AttemptID]
		if !known {
			continue // of an attempt that was tried anew since
		}
		e.attempts[i].Results = append(e.attempts[i].Results, resultRecord(row))
		if bad[row.FileID] {
			e.attempts[i].Contradictory[row.ID] = true
		}
	}
	return nil
}

// Suites returns all workflows with their labels, by name.
func (s *Store) Suites(ctx context.Context) ([]policy.Workflow, error) {
	rows, err := s.db.Read().Workflow.Query().Where(workflow.RemovedAtIsNil()).Order(workflow.ByName()).Select(workflow.FieldName, workflow.FieldLabels).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]policy.Workflow, len(rows))
	for i, row := range rows {
		out[i] = policy.Workflow{Name: row.Name, Labels: row.Labels}
	}
	return out, nil
}

// EnvironmentNames returns all environments by name.
func (s *Store) EnvironmentNames(ctx context.Context) ([]string, error) {
	var names []string
	if err := s.db.Read().Environment.Query().Where(environment.RemovedAtIsNil()).Order(environment.ByName()).Select(environment.FieldName).Scan(ctx, &names); err != nil {
		return nil, database.Fault(err)
	}
	return names, nil
}

// KnownTests returns the tests that the last finished executions of a workflow listed in an environment, or in any when there were none
// in that one: all of them together, so that one execution that listed less makes nothing disappear. What stands for something else,
// such as for an exit code, is no test.
func (s *Store) KnownTests(ctx context.Context, name, environment string) ([]verdict.Test, error) {
	recent, err := s.recent(ctx, name)
	if err != nil || len(recent) == 0 {
		return nil, database.Fault(err)
	}
	listed := s.db.Read().TestResult.Query().Where(resultsIn(recent...), testresult.SeverityLT(supersededSeverity), testresult.TestKeyNEQ(""),
		func(sel *entsql.Selector) { // flags are a sum, of which this is one
			sel.Where(entsql.ExprP(fmt.Sprintf("(%s & %d) = 0", sel.C(testresult.FieldFlags), record.Synthetic)))
		})
	here, err := distinctTests(ctx, listed.Clone().Where(testresult.EnvironmentName(environment)))
	if err != nil || len(here) > 0 {
		return here, err
	}
	return distinctTests(ctx, listed)
}

// distinctTests returns each test once, by name.
func distinctTests(ctx context.Context, q *db.TestResultQuery) ([]verdict.Test, error) {
	var rows []struct {
		TestKey string `json:"test_key"`
		Suite   string `json:"suite"`
		Name    string `json:"name"`
	}
	err := q.GroupBy(testresult.FieldTestKey).
		Aggregate(db.As(db.Max(testresult.FieldSuite), "suite"), db.As(db.Max(testresult.FieldName), "name")).Scan(ctx, &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]verdict.Test, len(rows))
	for i, row := range rows {
		out[i] = verdict.Test{Key: row.TestKey, Name: record.TestResult{Suite: row.Suite, Name: row.Name}.Title()}
	}
	slices.SortFunc(out, func(a, b verdict.Test) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key)) })
	return out, nil
}

// Approvers returns the e-mails of the members of a team ("team:NAME") who may have to do with releases.
func (s *Store) Approvers(ctx context.Context, who string) ([]string, error) {
	name, ok := strings.CutPrefix(who, "team:")
	if !ok {
		return nil, nil // a group of a kind that is not known has nobody
	}
	group, err := s.db.Read().Team.Query().Where(team.Name(name)).Only(ctx)
	if db.IsNotFound(err) {
		return nil, nil // nor has a team that there is not
	}
	if err != nil {
		return nil, database.Fault(err)
	}
	var ids []uuid.UUID
	if err := s.db.Read().TeamMember.Query().Where(teammember.TeamID(group.ID)).Select(teammember.FieldMemberID).Scan(ctx, &ids); err != nil {
		return nil, database.Fault(err)
	}
	rows, err := s.db.Read().Member.Query().Where(member.IDIn(ids...)).Order(member.ByEmail()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	var out []string
	for _, row := range rows {
		if (tenant.Viewer{Kind: tenant.KindMember, Role: tenant.Role(row.Role)}).Allows(tenant.ScopeRelease) {
			out = append(out, row.Email)
		}
	}
	return out, nil
}
