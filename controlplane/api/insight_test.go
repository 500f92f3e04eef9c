package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/search"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// insights are what the world's executions say together.
type insights struct{ w *world }

func (i insights) Compare(ctx context.Context, q insight.Question) (insight.Comparison, error) {
	result := uuid.New()
	failing := compare.Test{Key: "k", Title: "pays", Place: compare.Place{Environment: "eu", Cell: "browser=firefox"}, Before: "passed", After: "failed", Result: result}
	slow := compare.Test{Key: "s", Title: "slow", Was: time.Second, Is: 2 * time.Second}
	return insight.Comparison{
		Before: execution.Execution{ID: q.Base, Status: execution.Passed}, After: execution.Execution{ID: q.Execution, Status: execution.Failed}, LastGreen: q.Base == uuid.Nil,
		Environment: q.Environment, Differences: []compare.Difference{{What: "commit", Before: "a", After: "b"}}, Unknown: []string{"What."},
		Messages: map[uuid.UUID]string{result: "no"},
		Tests: compare.Tests{Before: 3, After: 4, Same: 2, OtherCause: 1, Groups: []compare.Group{
			{Kind: compare.NewlyFailing, Count: 300, Tests: []compare.Test{failing}}, {Kind: compare.Slower, Count: 1, Tests: []compare.Test{slow}},
		}},
	}, i.w.check(ctx)
}

func (i insights) Failures(ctx context.Context, f insight.Filter) (insight.Clusters, error) {
	return insight.Clusters{List: []insight.Cluster{alike()}, Total: 9, Failures: 90, Unclustered: 2, Days: f.Days}, i.w.check(ctx)
}

func alike() insight.Cluster {
	return insight.Cluster{Fingerprint: "fp1:1", Message: "no", Failures: 5, Tests: 4, Executions: 3, Workflows: 2, Environments: 1, First: time.Unix(1, 0), Last: time.Unix(2, 0)}
}

func (i insights) Failure(ctx context.Context, fingerprint string, days int) (insight.Failure, error) {
	return insight.Failure{
		Cluster: alike(), Days: days, Alike: []insight.FailingTest{{Key: "k", Name: "pays", Workflow: "smoke", Failures: 5}},
		Seen: []insight.FailingExecution{{ID: uuid.New(), Workflow: "smoke", Environment: "eu", Failures: 5}}, InFlows: []string{"smoke"}, InPlaces: []string{"eu"},
		Variations: []string{fingerprint},
	}, i.w.check(ctx)
}

func (i insights) Coverage(ctx context.Context, days int) (insight.Coverage, error) {
	now := time.Unix(100, 0)
	last := coverage.Last{Cell: coverage.Cell{Workflow: "smoke", Environment: "eu"}, Execution: uuid.New(), Status: execution.Passed, At: now, GreenAt: now}
	m := coverage.Of([]coverage.Flow{{Name: "smoke"}, {Name: "never"}}, []string{"eu"}, []coverage.Last{last}, map[coverage.Cell][]string{{Workflow: "never", Environment: "eu"}: {"gate"}}, now)
	return insight.Coverage{Matrix: m, StaleDays: days, WindowDays: 90, Notes: []string{"A note."}}, i.w.check(ctx)
}

func (i insights) Search(ctx context.Context, q search.Question) (search.Found, error) {
	at := time.Unix(1, 0)
	return search.Found{Text: q.Text, Groups: []search.Group{
		{Kind: search.Workflow, Hits: []search.Hit{{Kind: search.Workflow, Title: "smoke", Ref: "smoke", Workflow: "smoke", Description: "pays", At: at}}},
		{Kind: search.Release, Hits: []search.Hit{{Kind: search.Release, Title: "pay/shop 1.0", Application: "pay/shop", Version: "1.0", State: verdict.Ready, At: at}}},
		{Kind: search.Execution, Hits: []search.Hit{{Kind: search.Execution, Title: "smoke", Ref: "ex", Status: execution.Failed, Environment: "eu", Commit: "abc", At: at}}},
		{Kind: search.Test, More: true, Hits: []search.Hit{{Kind: search.Test, Title: "pays", Ref: "k", Last: "fp", At: at}}},
		{Kind: search.Failure, Hits: []search.Hit{{Kind: search.Failure, Title: "no", Ref: "fp1:1", At: at}}},
	}[:min(5, max(1, len(q.Kinds), q.Each))]}, i.w.check(ctx)
}

// insightCalls makes every call of the service once.
func insightCalls() map[string]call {
	return map[string]call{
		"CompareExecutions": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.insights.CompareExecutions(ctx, &apiv1.CompareExecutionsRequest{ExecutionId: uuid.NewString()})
			return err
		}},
		"ListFailures": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.insights.ListFailures(ctx, &apiv1.ListFailuresRequest{})
			return err
		}},
		"GetFailure": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.insights.GetFailure(ctx, &apiv1.GetFailureRequest{Fingerprint: "fp1:1"})
			return err
		}},
		"Search": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.insights.Search(ctx, &apiv1.SearchRequest{Text: "pay"})
			return err
		}},
		"GetCoverage": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.insights.GetCoverage(ctx, &apiv1.GetCoverageRequest{})
			return err
		}},
	}
}

func TestInsightService_Compare(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	id, base := uuid.NewString(), uuid.NewString()
	got, err := b.insights.CompareExecutions(t.Context(), &apiv1.CompareExecutionsRequest{ExecutionId: id, BaseId: base, Environment: "eu"})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetLastGreen() || got.GetBefore().GetId() != base || got.GetAfter().GetStatus() != apiv1.Status_STATUS_FAILED || got.GetAfter().GetTests() != 4 ||
		!strings.Contains(got.GetUrl(), id+"/compare?environment=eu&with="+base) {
		t.Errorf("%v", got)
	}
	failing, slow := got.GetGroups()[0], got.GetGroups()[1]
	if failing.GetKind() != "newly_failing" || failing.GetCount() != 300 || failing.GetTests()[0].GetMessage() != "no" || failing.GetTests()[0].GetCell() != "browser=firefox" {
		t.Errorf("failing %v", failing)
	}
	if failing.GetTests()[0].GetAfterTook() != nil || slow.GetTests()[0].GetAfterTook().AsDuration() != 2*time.Second {
		t.Errorf("durations stand with what became slower alone: %v", slow)
	}
	for _, r := range []*apiv1.CompareExecutionsRequest{{ExecutionId: "x"}, {ExecutionId: id, BaseId: "x"}, {}} {
		if _, err := b.insights.CompareExecutions(t.Context(), r); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestInsightService_Failures(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	list, err := b.insights.ListFailures(t.Context(), &apiv1.ListFailuresRequest{Days: 7})
	if err != nil || list.GetTotalClusters() != 9 || list.GetUnclustered() != 2 || list.GetDays() != 7 {
		t.Fatalf("%v, %v", list, err)
	}
	if c := list.GetClusters()[0]; c.GetFailures() != 5 || c.GetTests() != 4 || c.GetLastSeen().AsTime() != time.Unix(2, 0).UTC() || !strings.HasSuffix(c.GetUrl(), "/failures/fp1:1") {
		t.Errorf("cluster %v", c)
	}
	one, err := b.insights.GetFailure(t.Context(), &apiv1.GetFailureRequest{Fingerprint: "fp1:1"})
	if err != nil || one.GetTests()[0].GetName() != "pays" || one.GetExecutions()[0].GetEnvironment() != "eu" || one.GetMessages()[0] != "fp1:1" {
		t.Errorf("%v, %v", one, err)
	}
}

func TestInsightService_Coverage(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	got, err := b.insights.GetCoverage(t.Context(), &apiv1.GetCoverageRequest{StaleDays: 3})
	if err != nil || got.GetGaps() != 1 || got.GetRequiredGaps() != 1 || len(got.GetRows()) != 2 || got.GetStaleDays() != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	gap, covered := got.GetRows()[0].GetCells()[0], got.GetRows()[1].GetCells()[0]
	if gap.GetState() != "never" || !gap.GetGap() || gap.GetLastAt() != nil || gap.GetRequiredBy()[0] != "gate" {
		t.Errorf("gap %v", gap)
	}
	if covered.GetState() != "covered" || covered.GetLastStatus() != apiv1.Status_STATUS_PASSED || covered.GetLastAt().AsTime().Unix() != 100 {
		t.Errorf("covered %v", covered)
	}
	if only, err := b.insights.GetCoverage(t.Context(), &apiv1.GetCoverageRequest{GapsOnly: true}); err != nil || len(only.GetRows()) != 1 {
		t.Errorf("gaps only: %v, %v", only, err)
	}
}

func TestInsightService_Search(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	got, err := b.insights.Search(t.Context(), &apiv1.SearchRequest{Text: "pay & more", Limit: 5})
	if err != nil || len(got.GetGroups()) != 5 || !strings.HasSuffix(got.GetUrl(), "/search?q=pay+%26+more") {
		t.Fatalf("%v, %v", got, err)
	}
	for i, want := range []string{"/workflows/smoke", "/releases/pay%2Fshop/1.0", "/executions/ex", "/tests/k", "/failures/fp1:1"} {
		if hit := got.GetGroups()[i].GetHits()[0]; !strings.HasSuffix(hit.GetUrl(), want) || hit.GetAt().AsTime() != time.Unix(1, 0).UTC() {
			t.Errorf("%v: want the page %s", hit, want)
		}
	}
	tests := got.GetGroups()[3]
	if !tests.GetMore() || tests.GetHits()[0].GetOutcome() != "failed" || got.GetGroups()[1].GetHits()[0].GetState() != apiv1.State_STATE_READY ||
		got.GetGroups()[2].GetHits()[0].GetStatus() != apiv1.Status_STATUS_FAILED {
		t.Errorf("%v", got)
	}
	for name, r := range map[string]*apiv1.SearchRequest{
		"nothing": {}, "too long": {Text: strings.Repeat("a", 201)}, "an unknown kind": {Text: "a", Kinds: []string{"person"}}, "too many": {Text: "a", Limit: 51},
	} {
		if _, err := b.insights.Search(t.Context(), r); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReleaseService_DryRunPolicy(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	got, err := b.releases.DryRunPolicy(t.Context(), &apiv1.DryRunPolicyRequest{Source: "kind: ReadinessPolicy", Last: 5})
	if err != nil || got.GetChanged() != 1 || got.GetPolicy() != "kind: ReadinessPolicy" {
		t.Fatalf("%v, %v", got, err)
	}
	if r := got.GetReleases()[0]; r.GetBefore() != apiv1.State_STATE_READY || r.GetAfter() != apiv1.State_STATE_NOT_READY || r.GetRules()[0].GetAfter() != "broken" {
		t.Errorf("%v", r)
	}
}
