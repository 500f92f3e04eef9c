package store

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// A failure is found by an index of those that count, whatever passed beside it. However many there are, each question reads the latest ones
// once, at most insight.MaxCounted, and counts what they have in common itself: a page is not to wait for the failures of a year.

// failuresSince selects failures that count, of a workflow and an environment or, where they are empty, of all.
func failuresSince(ctx context.Context, workflow, environment string, since time.Time) []predicate.TestResult {
	where := []predicate.TestResult{failed, testresult.IDGT(firstID(since)), testresult.SeverityLT(supersededSeverity)}
	if workflow != "" {
		// Results of an execution come in when it has begun, and it has ended before long.
		begun := execution.IDGT(firstID(since.Add(-longestExecution)))
		v, _ := tenant.FromContext(ctx) // without one the rules of privacy refuse the query
		where = append(where, testresult.Severity(severity(results.Failed, false)),
			testresult.HasExecutionWith(execution.OrganizationID(v.Organization), execution.Workflow(workflow), begun))
	}
	if environment != "" {
		where = append(where, testresult.EnvironmentName(environment))
	}
	return where
}

// longestExecution is how long it takes at most from the start of an execution to its results, as far as failures of one workflow are
// looked for.
const longestExecution = 7 * 24 * time.Hour

// failed is written as the partial index has it, without arguments: otherwise not every plan would use it.
func failed(sel *entsql.Selector) {
	sel.Where(entsql.ExprP(sel.C(testresult.FieldOutcome) + " IN ('" + strings.Join(badOutcomes(), "', '") + "')"))
}

// latestFailures returns the latest of some failures, newest first, at most insight.MaxCounted; cut is whether there are more.
func (s *Store) latestFailures(ctx context.Context, where ...predicate.TestResult) (rows []*db.TestResult, cut bool, err error) {
	rows, err = s.db.Read().TestResult.Query().Where(where...).Order(testresult.ByID(entsql.OrderDesc())).Limit(insight.MaxCounted+1).
		Select(testresult.FieldID, testresult.FieldExecutionID, testresult.FieldTestKey, testresult.FieldFingerprint, testresult.FieldEnvironmentName,
			testresult.FieldCreatedAt).All(ctx)
	if err != nil {
		return nil, false, database.Fault(err)
	}
	if cut = len(rows) > insight.MaxCounted; cut {
		rows = rows[:insight.MaxCounted]
	}
	return rows, cut, nil
}

// origins tells which workflow a result is of. A key is of one workflow, so that one execution of each test says it.
type origins struct {
	sample map[string]uuid.UUID // execution of each test
	flows  map[uuid.UUID]string // of executions
}

func (o origins) of(r *db.TestResult) string {
	if r.TestKey == "" {
		return o.flows[r.ExecutionID]
	}
	return o.flows[o.sample[r.TestKey]]
}

func (s *Store) originsOf(ctx context.Context, rows []*db.TestResult) (origins, error) {
	o := origins{map[string]uuid.UUID{}, map[uuid.UUID]string{}}
	for _, r := range rows {
		id := r.ExecutionID
		if r.TestKey != "" {
			if known, ok := o.sample[r.TestKey]; ok {
				id = known
			}
			o.sample[r.TestKey] = id
		}
		o.flows[id] = ""
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(o.flows)), columnBatch) {
		heads, err := s.db.Read().Execution.Query().Where(execution.IDIn(part...)).Select(execution.FieldID, execution.FieldWorkflow).All(ctx)
		if err != nil {
			return o, database.Fault(err)
		}
		for _, head := range heads {
			o.flows[head.ID] = head.Workflow
		}
	}
	return o, nil
}

// kind is what failures of one fingerprint have in common, which are added newest first.
type kind struct {
	fingerprint          string
	failures             int
	tests, flows, places map[string]int
	executions           map[uuid.UUID]int
	first, last          *db.TestResult
}

func newKind(fingerprint string) *kind {
	return &kind{fingerprint: fingerprint, tests: map[string]int{}, flows: map[string]int{}, places: map[string]int{}, executions: map[uuid.UUID]int{}}
}

func (k *kind) add(r *db.TestResult, flow string) {
	if k.failures++; k.last == nil {
		k.last = r
	}
	k.first = r
	k.tests[r.TestKey]++
	k.places[r.EnvironmentName]++
	k.executions[r.ExecutionID]++
	if flow != "" {
		k.flows[flow]++
	}
}

func (k *kind) cluster(message string) insight.Cluster {
	return insight.Cluster{
		Fingerprint: k.fingerprint, Message: message, Failures: k.failures, Tests: len(k.tests), Executions: len(k.executions), Workflows: len(k.flows),
		Environments: len(k.places), First: k.first.CreatedAt.UTC(), Last: k.last.CreatedAt.UTC(),
	}
}

// FailureClusters returns failures by their fingerprints, those that happened most often first.
func (s *Store) FailureClusters(ctx context.Context, workflow, environment string, since time.Time, limit int) (out insight.Clusters, err error) {
	rows, cut, err := s.latestFailures(ctx, failuresSince(ctx, workflow, environment, since)...)
	if err != nil || len(rows) == 0 {
		return out, err
	}
	from, err := s.originsOf(ctx, rows)
	if err != nil {
		return out, err
	}
	if cut {
		out.Since = rows[len(rows)-1].CreatedAt.UTC()
	}
	kinds := map[string]*kind{}
	for _, r := range rows {
		if r.Fingerprint == "" {
			out.Unclustered++
			continue
		}
		if kinds[r.Fingerprint] == nil {
			kinds[r.Fingerprint] = newKind(r.Fingerprint)
		}
		kinds[r.Fingerprint].add(r, from.of(r))
		out.Failures++
	}
	list := slices.SortedFunc(maps.Values(kinds), func(a, b *kind) int {
		return cmp.Or(cmp.Compare(b.failures, a.failures), bytes.Compare(b.last.ID[:], a.last.ID[:]))
	})
	out.Total, list = len(list), list[:min(limit, len(list))]
	last := make([]*db.TestResult, len(list))
	for i, k := range list {
		last[i] = k.last
	}
	said, err := s.failuresNamed(ctx, last)
	for _, k := range list {
		message := ""
		if named := said[k.last.ID]; named != nil {
			message = named.Message
		}
		out.List = append(out.List, k.cluster(message))
	}
	return out, err
}

// LastFailure returns the id of the last failure that counts, of all; zero when there is none since a time.
func (s *Store) LastFailure(ctx context.Context, since time.Time) (uuid.UUID, error) {
	id, err := s.db.Read().TestResult.Query().Where(failuresSince(ctx, "", "", since)...).Order(testresult.ByID(entsql.OrderDesc())).FirstID(ctx)
	if db.IsNotFound(err) {
		return uuid.Nil, nil
	}
	return id, database.Fault(err)
}

// failuresNamed returns results with all that names them, by their ids, without what went wrong in detail.
func (s *Store) failuresNamed(ctx context.Context, list []*db.TestResult) (map[uuid.UUID]*db.TestResult, error) {
	out := make(map[uuid.UUID]*db.TestResult, len(list))
	if len(list) == 0 {
		return out, nil
	}
	ids := make([]uuid.UUID, len(list))
	from, until := uuid.Max, uuid.Nil
	for i, r := range list {
		if ids[i] = r.ID; bytes.Compare(r.ID[:], from[:]) < 0 {
			from = r.ID
		}
		if bytes.Compare(r.ID[:], until[:]) > 0 {
			until = r.ID
		}
	}
	rows, err := s.db.Read().TestResult.Query().Where(testresult.IDIn(ids...), testresult.IDGTE(from), testresult.IDLTE(until)).
		Select(testresult.FieldID, testresult.FieldSuite, testresult.FieldName, testresult.FieldTestKey, testresult.FieldMessage).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, row := range rows {
		out[row.ID] = row
	}
	return out, nil
}

// FailureCluster returns one cluster with what it consists of.
func (s *Store) FailureCluster(ctx context.Context, fingerprint string, since time.Time) (out insight.Failure, err error) {
	rows, cut, err := s.latestFailures(ctx, append(failuresSince(ctx, "", "", since), testresult.Fingerprint(fingerprint), withFingerprint)...)
	if err != nil {
		return out, err
	}
	if len(rows) == 0 || fingerprint == "" {
		return out, fault.New(fault.NotFound, "there is no failure %q", fingerprint)
	}
	from, err := s.originsOf(ctx, rows)
	if err != nil {
		return out, err
	}
	if cut {
		out.Since = rows[len(rows)-1].CreatedAt.UTC()
	}
	k := newKind(fingerprint)
	for _, r := range rows {
		k.add(r, from.of(r))
	}
	tests, executions := failingTests(rows), failingExecutions(rows)
	named, err := s.failuresNamed(ctx, slices.Concat(rows[:min(lately, len(rows))], lastEach(tests)))
	if err != nil {
		return out, err
	}
	out.InFlows, out.InPlaces = firstNames(k.flows), firstNames(k.places)
	for _, r := range rows[:min(lately, len(rows))] {
		if row := named[r.ID]; row != nil && row.Message != "" && len(out.Variations) < insight.MaxMessages && !slices.Contains(out.Variations, row.Message) {
			out.Variations = append(out.Variations, row.Message)
		}
	}
	message := ""
	if row := named[k.last.ID]; row != nil {
		message = row.Message
	}
	out.Cluster = k.cluster(message)
	for _, t := range tests {
		one := insight.FailingTest{Key: t.last.TestKey, Workflow: from.of(t.last), Failures: t.failures, Last: t.last.CreatedAt.UTC()}
		if row := named[t.last.ID]; row != nil {
			one.Name = resultRecord(row).Title()
		}
		out.Alike = append(out.Alike, one)
	}
	out.Seen, err = s.seen(ctx, executions, from)
	return out, err
}

// repeated is failures that have something in common, and the last of them.
type repeated struct {
	failures int
	last     *db.TestResult
}

func lastEach(list []*repeated) []*db.TestResult {
	out := make([]*db.TestResult, len(list))
	for i, r := range list {
		out[i] = r.last
	}
	return out
}

// together counts failures, newest first, that have a key in common, in the order of their last ones.
func together[K comparable](rows []*db.TestResult, key func(*db.TestResult) K) (list []*repeated) {
	at := map[K]*repeated{}
	for _, r := range rows {
		k := key(r)
		if at[k] == nil {
			at[k] = &repeated{last: r}
			list = append(list, at[k])
		}
		at[k].failures++
	}
	return list
}

// failingTests are those that failed most often first.
func failingTests(rows []*db.TestResult) []*repeated {
	list := together(rows, func(r *db.TestResult) string { return r.TestKey })
	slices.SortStableFunc(list, func(a, b *repeated) int { return cmp.Compare(b.failures, a.failures) })
	return list[:min(insight.MaxTests, len(list))]
}

// failingExecutions are the newest ones, one for each environment in which it ran.
func failingExecutions(rows []*db.TestResult) []*repeated {
	type ran struct {
		execution   uuid.UUID
		environment string
	}
	list := together(rows, func(r *db.TestResult) ran { return ran{r.ExecutionID, r.EnvironmentName} })
	return list[:min(insight.MaxExecutions, len(list))]
}

// seen describes executions.
func (s *Store) seen(ctx context.Context, list []*repeated, from origins) ([]insight.FailingExecution, error) {
	var ids []uuid.UUID
	for _, e := range list {
		ids = append(ids, e.last.ExecutionID)
	}
	heads, err := s.db.Read().Execution.Query().Where(execution.IDIn(ids...)).Select(execution.FieldID, execution.FieldWorkflow, execution.FieldCommit).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	commits := map[uuid.UUID]string{}
	for _, head := range heads {
		commits[head.ID], from.flows[head.ID] = head.Commit, head.Workflow
	}
	out := make([]insight.FailingExecution, len(list))
	for i, e := range list {
		id := e.last.ExecutionID
		out[i] = insight.FailingExecution{
			ID: id, Workflow: from.flows[id], Environment: e.last.EnvironmentName, Commit: commits[id], Failures: e.failures, At: e.last.CreatedAt.UTC(),
		}
	}
	return out, nil
}

// maxNames is how many workflows and environments of a cluster are named.
const maxNames = 50

func firstNames(counts map[string]int) []string {
	names := slices.Sorted(maps.Keys(counts))
	return names[:min(maxNames, len(names))]
}

// lately is how many of the last failures are looked at for different messages.
const lately = 50

// distinct counts different values of a column of the results.
func distinct(column, as string) db.AggregateFunc {
	return func(sel *entsql.Selector) string { return entsql.As("COUNT(DISTINCT "+sel.C(column)+")", as) }
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
	err := s.db.Read().TestResult.Query().Where(failuresSince(ctx, "", "", since)...).Where(testresult.FingerprintIn(fingerprints...), withFingerprint).
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
