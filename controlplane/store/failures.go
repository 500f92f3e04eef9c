package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// failuresSince selects failures that count, of a workflow and an environment or, where they are empty, of all.
func failuresSince(workflow, environment string, since time.Time) []predicate.TestResult {
	where := []predicate.TestResult{
		testresult.OutcomeIn(badOutcomes()...), testresult.IDGT(firstID(since)), testresult.SeverityLT(supersededSeverity),
	}
	if workflow != "" {
		where = append(where, testresult.HasExecutionWith(execution.Workflow(workflow)))
	}
	if environment != "" {
		where = append(where, testresult.EnvironmentName(environment))
	}
	return where
}

// withExecution joins the executions of results, for aggregates over their columns.
func withExecution(sel *entsql.Selector) {
	t := executionTable(sel)
	sel.Join(t).On(sel.C(testresult.FieldExecutionID), t.C(execution.FieldID))
}

// executionTable has a name of its own, by which the aggregates find what was joined.
func executionTable(sel *entsql.Selector) *entsql.SelectTable {
	return entsql.Dialect(sel.Dialect()).Table(execution.Table).As("executed")
}

// distinct counts different values of a column of the results.
func distinct(column, as string) db.AggregateFunc {
	return func(sel *entsql.Selector) string { return entsql.As("COUNT(DISTINCT "+sel.C(column)+")", as) }
}

// edge is the first or the last id, which tells the time. PostgreSQL knows no greatest UUID, but their texts sort as they do.
func edge(function, as string) db.AggregateFunc {
	return func(sel *entsql.Selector) string {
		return entsql.As(function+"(CAST("+sel.C(testresult.FieldID)+" AS TEXT))", as)
	}
}

// clusterRow is what the database says of a cluster.
type clusterRow struct {
	Fingerprint  string `json:"fingerprint"`
	Failures     int    `json:"failures"`
	Tests        int    `json:"tests"`
	Executions   int    `json:"executions"`
	Environments int    `json:"environments"`
	Workflows    int    `json:"workflows"`
	First        string `json:"first"`
	Last         string `json:"last"`
}

func clusterColumns() []db.AggregateFunc {
	return []db.AggregateFunc{
		db.As(db.Count(), "failures"), distinct(testresult.FieldTestKey, "tests"), distinct(testresult.FieldExecutionID, "executions"),
		distinct(testresult.FieldEnvironmentName, "environments"), edge("MIN", "first"), edge("MAX", "last"),
		func(sel *entsql.Selector) string {
			return entsql.As("COUNT(DISTINCT "+executionTable(sel).C(execution.FieldWorkflow)+")", "workflows")
		},
	}
}

// FailureClusters returns failures by their fingerprints, those that happened most often first.
func (s *Store) FailureClusters(ctx context.Context, workflow, environment string, since time.Time, limit int) (out insight.Clusters, err error) {
	where := failuresSince(workflow, environment, since)
	var rows []clusterRow
	err = s.db.Read().TestResult.Query().Where(where...).Where(testresult.FingerprintNEQ(""), withExecution).Limit(limit).
		Order(func(sel *entsql.Selector) { sel.OrderBy(entsql.Desc("failures"), entsql.Desc("last")) }).
		GroupBy(testresult.FieldFingerprint).Aggregate(clusterColumns()...).Scan(ctx, &rows)
	if err != nil {
		return out, database.Fault(err)
	}
	var totals []struct {
		Total    int `json:"total"`
		Failures int `json:"failures"`
	}
	err = s.db.Read().TestResult.Query().Where(where...).Where(testresult.FingerprintNEQ("")).
		Aggregate(distinct(testresult.FieldFingerprint, "total"), db.As(db.Count(), "failures")).Scan(ctx, &totals)
	if err != nil {
		return out, database.Fault(err)
	}
	if out.Unclustered, err = s.db.Read().TestResult.Query().Where(where...).Where(testresult.Fingerprint("")).Count(ctx); err != nil {
		return out, database.Fault(err)
	}
	for _, t := range totals {
		out.Total, out.Failures = t.Total, t.Failures
	}
	out.List, err = s.clusters(ctx, rows)
	return out, err
}

// clusters adds what the first and the last failure of each say.
func (s *Store) clusters(ctx context.Context, rows []clusterRow) ([]insight.Cluster, error) {
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.First, row.Last)
	}
	found, err := s.failuresNamed(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]insight.Cluster, len(rows))
	for i, row := range rows {
		out[i] = insight.Cluster{
			Fingerprint: row.Fingerprint, Failures: row.Failures, Tests: row.Tests, Executions: row.Executions, Workflows: row.Workflows,
			Environments: row.Environments,
		}
		if first, last := found[row.First], found[row.Last]; first != nil && last != nil {
			out[i].First, out[i].Last, out[i].Message = first.CreatedAt.UTC(), last.CreatedAt.UTC(), last.Message
		}
	}
	return out, nil
}

// failuresNamed returns results by the texts of their ids, without what went wrong in detail.
func (s *Store) failuresNamed(ctx context.Context, texts []string) (map[string]*db.TestResult, error) {
	ids := make([]uuid.UUID, 0, len(texts))
	for _, text := range texts {
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, fmt.Sprintf("id of a test result %q", text))
		}
		ids = append(ids, id)
	}
	out := make(map[string]*db.TestResult, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := s.db.Read().TestResult.Query().Where(testresult.IDIn(ids...)).
		Select(testresult.FieldID, testresult.FieldExecutionID, testresult.FieldCreatedAt, testresult.FieldSuite, testresult.FieldName, testresult.FieldTestKey,
			testresult.FieldMessage).
		WithExecution(func(q *db.ExecutionQuery) {
			q.Select(execution.FieldID, execution.FieldWorkflow, execution.FieldCommit)
		}).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, row := range rows {
		out[row.ID.String()] = row
	}
	return out, nil
}

// FailureCluster returns one cluster with what it consists of.
func (s *Store) FailureCluster(ctx context.Context, fingerprint string, since time.Time) (out insight.Failure, err error) {
	where := append(failuresSince("", "", since), testresult.Fingerprint(fingerprint))
	var rows []clusterRow
	err = s.db.Read().TestResult.Query().Where(where...).Where(withExecution).GroupBy(testresult.FieldFingerprint).
		Aggregate(clusterColumns()...).Scan(ctx, &rows)
	if err != nil {
		return out, database.Fault(err)
	}
	if len(rows) == 0 || fingerprint == "" {
		return out, fault.New(fault.NotFound, "there is no failure %q", fingerprint)
	}
	list, err := s.clusters(ctx, rows)
	if err != nil {
		return out, err
	}
	out.Cluster = list[0]
	for _, fill := range []func(context.Context, []predicate.TestResult, *insight.Failure) error{
		s.failingTests, s.failingExecutions, s.failingPlaces, s.failingMessages,
	} {
		if err := fill(ctx, where, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Store) failingTests(ctx context.Context, where []predicate.TestResult, out *insight.Failure) error {
	var rows []struct {
		TestKey  string `json:"test_key"`
		Failures int    `json:"failures"`
		Last     string `json:"last"`
	}
	err := s.db.Read().TestResult.Query().Where(where...).Limit(insight.MaxTests).
		Order(func(sel *entsql.Selector) { sel.OrderBy(entsql.Desc("failures"), entsql.Desc("last")) }).
		GroupBy(testresult.FieldTestKey).Aggregate(db.As(db.Count(), "failures"), edge("MAX", "last")).Scan(ctx, &rows)
	if err != nil {
		return database.Fault(err)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.Last)
	}
	found, err := s.failuresNamed(ctx, ids)
	if err != nil {
		return err
	}
	for _, row := range rows {
		t := insight.FailingTest{Key: row.TestKey, Failures: row.Failures}
		if last := found[row.Last]; last != nil {
			t.Name, t.Workflow, t.Last = resultRecord(last).Title(), last.Edges.Execution.Workflow, last.CreatedAt.UTC()
		}
		out.Alike = append(out.Alike, t)
	}
	return nil
}

func (s *Store) failingExecutions(ctx context.Context, where []predicate.TestResult, out *insight.Failure) error {
	var rows []struct {
		ExecutionID     uuid.UUID `json:"execution_id"`
		EnvironmentName string    `json:"environment_name"`
		Failures        int       `json:"failures"`
		Last            string    `json:"last"`
	}
	err := s.db.Read().TestResult.Query().Where(where...).Limit(insight.MaxExecutions).
		Order(func(sel *entsql.Selector) { sel.OrderBy(entsql.Desc("last")) }).
		GroupBy(testresult.FieldExecutionID, testresult.FieldEnvironmentName).Aggregate(db.As(db.Count(), "failures"), edge("MAX", "last")).Scan(ctx, &rows)
	if err != nil {
		return database.Fault(err)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.Last)
	}
	found, err := s.failuresNamed(ctx, ids)
	if err != nil {
		return err
	}
	for _, row := range rows {
		e := insight.FailingExecution{ID: row.ExecutionID, Environment: row.EnvironmentName, Failures: row.Failures}
		if last := found[row.Last]; last != nil {
			e.Workflow, e.Commit, e.At = last.Edges.Execution.Workflow, last.Edges.Execution.Commit, last.CreatedAt.UTC()
		}
		out.Seen = append(out.Seen, e)
	}
	return nil
}

// maxNames is how many workflows and environments of a cluster are named.
const maxNames = 50

func (s *Store) failingPlaces(ctx context.Context, where []predicate.TestResult, out *insight.Failure) error {
	err := s.db.Read().TestResult.Query().Where(where...).Order(testresult.ByEnvironmentName()).Limit(maxNames).
		GroupBy(testresult.FieldEnvironmentName).Scan(ctx, &out.InPlaces)
	if err != nil {
		return database.Fault(err)
	}
	var rows []struct {
		Fingerprint string `json:"fingerprint"`
		Workflow    string `json:"workflow"`
	}
	flow := func(sel *entsql.Selector) string { return executionTable(sel).C(execution.FieldWorkflow) }
	err = s.db.Read().TestResult.Query().Where(where...).Where(withExecution, func(sel *entsql.Selector) { sel.GroupBy(flow(sel)) }).
		Order(func(sel *entsql.Selector) { sel.OrderBy(flow(sel)) }).Limit(maxNames).GroupBy(testresult.FieldFingerprint).
		Aggregate(func(sel *entsql.Selector) string { return entsql.As(flow(sel), "workflow") }).Scan(ctx, &rows)
	for _, row := range rows {
		out.InFlows = append(out.InFlows, row.Workflow)
	}
	return database.Fault(err)
}

// lately is how many of the last failures are looked at for different messages.
const lately = 50

func (s *Store) failingMessages(ctx context.Context, where []predicate.TestResult, out *insight.Failure) error {
	rows, err := s.db.Read().TestResult.Query().Where(where...).Order(testresult.ByID(entsql.OrderDesc())).Limit(lately).
		Select(testresult.FieldID, testresult.FieldMessage).All(ctx)
	if err != nil {
		return database.Fault(err)
	}
	for _, row := range rows {
		if len(out.Variations) < insight.MaxMessages && row.Message != "" && !slices.Contains(out.Variations, row.Message) {
			out.Variations = append(out.Variations, row.Message)
		}
	}
	return nil
}

// withFingerprint is written as the partial index has it, without an argument: otherwise no plan would use it.
func withFingerprint(sel *entsql.Selector) {
	sel.Where(entsql.ExprP(sel.C(testresult.FieldFingerprint) + " <> ''"))
}

// Alike returns how many tests failed with each fingerprint.
func (s *Store) Alike(ctx context.Context, fingerprints []string, since time.Time) (map[string]int, error) {
	var rows []struct {
		Fingerprint string `json:"fingerprint"`
		Tests       int    `json:"tests"`
	}
	err := s.db.Read().TestResult.Query().Where(failuresSince("", "", since)...).Where(testresult.FingerprintIn(fingerprints...), withFingerprint).
		GroupBy(testresult.FieldFingerprint).Aggregate(distinct(testresult.FieldTestKey, "tests")).Scan(ctx, &rows)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make(map[string]int, len(rows))
	for _, row := range rows {
		out[row.Fingerprint] = row.Tests
	}
	return out, nil
}

func badOutcomes() []string {
	var bad []string
	for _, o := range results.Outcomes() {
		if o.Bad() {
			bad = append(bad, string(o))
		}
	}
	return bad
}
