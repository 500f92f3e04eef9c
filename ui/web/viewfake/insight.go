package viewfake

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Insight returns what the executions say together: by the real service, over what is in memory.
func (w *World) Insight() view.Insight {
	return insight.New(insights{cases: cases{w}, World: w}, func() time.Time { return w.Now() })
}

// insights are the store of that service.
type insights struct {
	*World

	cases cases
}

// TestRuns returns tests with their runs.
func (i insights) TestRuns(ctx context.Context, keys []string, since time.Time, each int) ([]board.Known, error) {
	return i.cases.TestRuns(ctx, keys, since, each)
}

// Cases returns the results of an execution.
func (i insights) Cases(ctx context.Context, id execution.ID, limit int) ([]compare.Case, error) {
	var out []compare.Case
	for _, r := range i.Tests[id][:min(limit, len(i.Tests[id]))] {
		out = append(out, compare.Case{
			ID: r.ID, Attempt: r.Attempt, Key: r.Key, Title: r.Title(), Variant: r.Variant, Outcome: results.Outcome(r.Outcome), Earlier: r.Earlier,
			Fingerprint: r.Fingerprint, Duration: r.Duration,
		})
	}
	return out, i.allowed(ctx)
}

// Messages returns the messages of results.
func (i insights) Messages(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	out := map[uuid.UUID]string{}
	for _, list := range i.Tests {
		for _, r := range list {
			if slices.Contains(ids, r.ID) && r.Message != "" {
				out[r.ID] = r.Message
			}
		}
	}
	return out, i.allowed(ctx)
}

// Past returns the older executions of a workflow.
func (i insights) Past(ctx context.Context, flow string, before execution.ID, limit int) ([]execution.Execution, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []execution.Execution
	passed := false
	for _, e := range i.executions {
		if passed && e.Workflow == flow && len(out) < limit {
			out = append(out, e)
		}
		passed = passed || e.ID == before
	}
	return out, i.allowed(ctx)
}

// failed is a failure of a test.
type failed struct {
	testcase.Case
	testcase.Run
}

// failures returns those since a time, newest first.
func (i insights) failures(flow, environment string, since time.Time) []failed {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []failed
	for _, k := range i.known {
		for _, r := range k.Runs {
			if r.Outcome.Bad() && r.At.After(since) && (flow == "" || flow == k.Workflow) && (environment == "" || environment == r.Environment) {
				out = append(out, failed{k.Case, r})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b failed) int { return b.At.Compare(a.At) })
	return out
}

// many counts different values.
func many(list []failed, value func(failed) string) int {
	all := map[string]bool{}
	for _, f := range list {
		all[value(f)] = true
	}
	return len(all)
}

func clusterOf(list []failed) insight.Cluster {
	return insight.Cluster{
		Fingerprint: list[0].Fingerprint, Message: list[0].Message, Failures: len(list), First: list[len(list)-1].At, Last: list[0].At,
		Tests:        many(list, func(f failed) string { return f.Key }),
		Executions:   many(list, func(f failed) string { return f.Execution.String() }),
		Workflows:    many(list, func(f failed) string { return f.Workflow }),
		Environments: many(list, func(f failed) string { return f.Environment }),
	}
}

// FailureClusters returns failures by their fingerprints.
func (i insights) FailureClusters(ctx context.Context, flow, environment string, since time.Time, limit int) (out insight.Clusters, err error) {
	by := map[string][]failed{}
	for _, f := range i.failures(flow, environment, since) {
		if f.Fingerprint == "" {
			out.Unclustered++
			continue
		}
		out.Failures++
		by[f.Fingerprint] = append(by[f.Fingerprint], f)
	}
	for _, print := range slices.Sorted(maps.Keys(by)) {
		out.List = append(out.List, clusterOf(by[print]))
	}
	slices.SortStableFunc(out.List, func(a, b insight.Cluster) int { return cmp.Compare(b.Failures, a.Failures) })
	out.Total, out.List = len(out.List), out.List[:min(limit, len(out.List))]
	return out, i.allowed(ctx)
}

// LastFailure is another one each time: nothing is remembered.
func (i insights) LastFailure(ctx context.Context, _ time.Time) (uuid.UUID, error) {
	return uuid.New(), i.allowed(ctx)
}

// FailureCluster returns one cluster.
func (i insights) FailureCluster(ctx context.Context, fingerprint string, since time.Time) (out insight.Failure, err error) {
	list := slices.DeleteFunc(i.failures("", "", since), func(f failed) bool { return f.Fingerprint != fingerprint })
	if len(list) == 0 {
		return out, fault.New(fault.NotFound, "no such failure")
	}
	out.Cluster = clusterOf(list)
	for _, f := range list {
		at := slices.IndexFunc(out.Alike, func(t insight.FailingTest) bool { return t.Key == f.Key })
		if at < 0 {
			at = len(out.Alike)
			out.Alike = append(out.Alike, insight.FailingTest{Key: f.Key, Name: f.Name, Workflow: f.Workflow, Last: f.At})
		}
		out.Alike[at].Failures++
		if len(out.Seen) < insight.MaxExecutions {
			out.Seen = append(out.Seen, insight.FailingExecution{ID: f.Execution, Workflow: f.Workflow, Environment: f.Environment, Commit: f.Commit, Failures: 1, At: f.At})
		}
		out.InFlows, out.InPlaces = append(out.InFlows, f.Workflow), append(out.InPlaces, f.Environment)
		out.Variations = append(out.Variations, f.Message)
	}
	for _, names := range []*[]string{&out.InFlows, &out.InPlaces, &out.Variations} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return out, i.allowed(ctx)
}

// Alike counts tests by fingerprints.
func (i insights) Alike(ctx context.Context, fingerprints []string, since time.Time) (map[string]int, error) {
	out := map[string]int{}
	for _, print := range fingerprints {
		list := slices.DeleteFunc(i.failures("", "", since), func(f failed) bool { return f.Fingerprint != print })
		out[print] = many(list, func(f failed) string { return f.Key })
	}
	return out, i.allowed(ctx)
}

// Flows returns the workflows with their sources.
func (i insights) Flows(ctx context.Context, limit int) ([]workflow.Record, error) {
	var out []workflow.Record
	for _, f := range i.Workflows {
		out = append(out, f.Record)
	}
	return out[:min(limit, len(out))], i.allowed(ctx)
}

// TemplatesNamed returns templates by name.
func (i insights) TemplatesNamed(ctx context.Context, names []string) ([]workflow.Record, error) {
	var out []workflow.Record
	for _, t := range i.Templates {
		if slices.Contains(names, t.Record.Name) {
			out = append(out, t.Record)
		}
	}
	return out, i.allowed(ctx)
}

// Policies returns the readiness policies.
func (i insights) Policies(ctx context.Context) ([]workflow.Record, error) {
	return i.World.Policies, i.allowed(ctx)
}

// Suites returns the workflows with their labels.
func (i insights) Suites(ctx context.Context) ([]policy.Workflow, error) {
	var out []policy.Workflow
	for _, f := range i.Workflows {
		out = append(out, policy.Workflow{Name: f.Record.Name, Labels: f.Record.Labels})
	}
	return out, i.allowed(ctx)
}

// Environments returns the environments.
func (i insights) Environments(ctx context.Context) ([]cluster.Environment, error) {
	return i.Places, i.allowed(ctx)
}

// LastRuns returns what ran last.
func (i insights) LastRuns(ctx context.Context, since time.Time) ([]coverage.Last, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	by := map[coverage.Cell]coverage.Last{}
	for _, e := range slices.Backward(i.executions) {
		for _, r := range e.Runs {
			if !r.Status.Terminal() || r.Status == execution.Cancelled || e.CreatedAt.Before(since) {
				continue
			}
			at := coverage.Cell{Workflow: e.Workflow, Environment: r.Environment}
			l := coverage.Last{Cell: at, Execution: e.ID, Status: r.Status, At: e.FinishedAt, GreenAt: by[at].GreenAt}
			if r.Status == execution.Passed {
				l.GreenAt = e.FinishedAt
			}
			by[at] = l
		}
	}
	return slices.Collect(maps.Values(by)), i.allowed(ctx)
}
