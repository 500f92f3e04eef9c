package cmd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// insights are what a control plane says of many executions.
type insights struct {
	apiv1connect.UnimplementedInsightServiceHandler

	quiet      bool     // nothing is different, has failed or is lacking
	unresolved []string // policies
}

func (i *insights) CompareExecutions(_ context.Context, r *apiv1.CompareExecutionsRequest) (*apiv1.CompareExecutionsResponse, error) {
	if r.GetExecutionId() == "none" {
		return nil, connect.NewError(connect.CodeNotFound, textError("there is no execution none"))
	}
	side := func(id string, status apiv1.Status, tests int32) *apiv1.ComparedExecution {
		return &apiv1.ComparedExecution{Id: id, Workflow: "smoke", Status: status, Tests: tests, CreatedAt: instant(int(tests))}
	}
	out := &apiv1.CompareExecutionsResponse{
		Before: side("ex-0", apiv1.Status_STATUS_PASSED, 40), After: side(r.GetExecutionId(), apiv1.Status_STATUS_FAILED, 41), LastGreen: r.GetBaseId() == "",
		Environment: r.GetEnvironment(), Same: 12, Url: "https://seatrial.test/o/acme/executions/ex-1/compare?with=last-green",
	}
	if i.quiet {
		return out, nil
	}
	group := func(kind string, n int, change func(int, *apiv1.ComparedTest)) {
		g := &apiv1.ComparedGroup{Kind: kind, Count: int32(n)}
		for i := range min(n, 200) {
			t := &apiv1.ComparedTest{Name: fmt.Sprintf("%s %d\x1b[31m", kind, i), Environment: "eu"}
			if change != nil {
				change(i, t)
			}
			g.Tests = append(g.Tests, t)
		}
		out.Groups = append(out.Groups, g)
	}
	group("newly_failing", 300, func(_ int, t *apiv1.ComparedTest) {
		t.Message, t.Cell, t.Variant = "no\nway", "browser=firefox", "mobile"
	})
	group("newly_flaky", 0, nil)
	group("newly_absent", 1, nil)
	group("still_failing", 2, func(i int, t *apiv1.ComparedTest) { t.OtherCause, t.Message = i == 0, "other" })
	group("newly_passing", 1, nil)
	group("newly_present", 1, nil)
	group("slower", 1, func(_ int, t *apiv1.ComparedTest) {
		t.BeforeTook, t.AfterTook = durationpb.New(999*time.Millisecond), durationpb.New(1205*time.Millisecond)
	})
	out.OtherCause = 1
	out.Differences = []*apiv1.Difference{{What: "image", Name: "shop in eu", Before: "sha256:a", After: "sha256:b"}, {What: "parameter", Name: "users", After: "20"}}
	out.Unknown = []string{"Now, the images under test in us were not observed."}
	return out, nil
}

func failureCluster() *apiv1.FailureCluster {
	return &apiv1.FailureCluster{
		Fingerprint: "fp1:1", Message: "connect\nrefused", Failures: 30, Tests: 4, Executions: 9, Workflows: 2, Environments: 1, FirstSeen: instant(0), LastSeen: instant(9),
	}
}

func (i *insights) ListFailures(_ context.Context, r *apiv1.ListFailuresRequest) (*apiv1.ListFailuresResponse, error) {
	if i.quiet {
		return &apiv1.ListFailuresResponse{Days: 14}, nil
	}
	return &apiv1.ListFailuresResponse{Clusters: []*apiv1.FailureCluster{failureCluster()}, TotalClusters: 5, TotalFailures: 99, Unclustered: 2, Days: r.GetDays()}, nil
}

func (i *insights) GetFailure(_ context.Context, r *apiv1.GetFailureRequest) (*apiv1.GetFailureResponse, error) {
	return &apiv1.GetFailureResponse{
		Cluster: failureCluster(), Days: 14, Workflows: []string{"api", "smoke"}, Environments: []string{"eu"}, Messages: []string{"connect refused 1", "connect refused 2"},
		Tests:      []*apiv1.FailingTest{{Key: "k", Name: "pays", Workflow: "smoke", Failures: 3, LastSeen: instant(9)}},
		Executions: []*apiv1.FailingExecution{{Id: "ex-1", Workflow: "smoke", Environment: "eu", Failures: 3, At: instant(9)}},
	}, nil
}

func (i *insights) Search(_ context.Context, r *apiv1.SearchRequest) (*apiv1.SearchResponse, error) {
	if i.quiet {
		return &apiv1.SearchResponse{}, nil
	}
	return &apiv1.SearchResponse{Url: "https://seatrial.test/o/acme/search?q=pay", Groups: []*apiv1.SearchGroup{
		{Kind: "workflow", Hits: []*apiv1.SearchHit{{Title: "smoke", Ref: "smoke", At: instant(1)}}},
		{Kind: "release", Hits: []*apiv1.SearchHit{{Title: "shop 1.0", State: apiv1.State_STATE_NOT_READY, Commit: "0123abc", At: instant(2)}}},
		{Kind: "execution", Hits: []*apiv1.SearchHit{{Title: "smoke", Ref: "ex-1", Status: apiv1.Status_STATUS_TIMED_OUT, Environment: "eu", At: instant(3)}}},
		{Kind: "test", More: true, Hits: []*apiv1.SearchHit{{Title: r.GetText() + "\x1b[31m", Ref: "k", Outcome: "failed", Environment: "eu", At: instant(4)}}},
		{Kind: "failure", More: true, Hits: []*apiv1.SearchHit{{Title: "no\nway", Ref: "fp1:1", Environment: "eu", At: instant(5)}}},
	}}, nil
}

func (i *insights) GetCoverage(_ context.Context, r *apiv1.GetCoverageRequest) (*apiv1.GetCoverageResponse, error) {
	out := &apiv1.GetCoverageResponse{Environments: []string{"eu", "us"}, StaleDays: 14, WindowDays: 90}
	out.UnresolvedPolicies = i.unresolved
	if i.quiet {
		return out, nil
	}
	out.Gaps, out.RequiredGaps, out.Notes = 3, 1, []string{"What the policy old requires is not shown."}
	out.Rows = []*apiv1.CoverageRow{{Workflow: "load", Gaps: 2, Cells: []*apiv1.CoverageCell{
		{Environment: "eu", State: "never", Gap: true, RequiredBy: []string{"gate"}},
		{Environment: "us", State: "stale", Gap: true, LastStatus: apiv1.Status_STATUS_PASSED, LastAt: instant(0), LastGreenAt: instant(0)},
	}}, {Workflow: "smoke", Gaps: 1, Cells: []*apiv1.CoverageCell{
		{Environment: "eu", State: "red", Gap: true, LastStatus: apiv1.Status_STATUS_FAILED, LastAt: instant(0)}, {Environment: "us", State: "elsewhere"},
	}}}
	if !r.GetGapsOnly() {
		out.Rows = append(out.Rows, &apiv1.CoverageRow{Workflow: "api", Cells: []*apiv1.CoverageCell{
			{Environment: "eu", State: "covered", LastStatus: apiv1.Status_STATUS_PASSED, LastAt: instant(5), LastGreenAt: instant(5)},
		}})
	}
	return out, nil
}

// badPolicy is what a control plane says of a document with a fault.
func badPolicy() error {
	err := connect.NewError(connect.CodeInvalidArgument, textError("policy.yaml has a fault"))
	d, made := connect.NewErrorDetail(&apiv1.ErrorDetail{Faults: []*apiv1.Fault{{Field: "spec.rules", Line: 3, Column: 5, Message: "is wrong"}}})
	if made == nil {
		err.AddDetail(d)
	}
	return err
}

func (r *releases) DryRunPolicy(_ context.Context, q *apiv1.DryRunPolicyRequest) (*apiv1.DryRunPolicyResponse, error) {
	switch q.GetSource() {
	case "bad":
		return nil, badPolicy()
	case "empty\n":
		return &apiv1.DryRunPolicyResponse{Policy: "gate"}, nil
	}
	return &apiv1.DryRunPolicyResponse{Policy: "gate", Changed: 1, Releases: []*apiv1.PolicyTrial{
		{
			Application: "shop", Version: "2", Policy: &apiv1.PolicyRevision{Name: "gate", Revision: 7}, JudgedAt: instant(0), Before: apiv1.State_STATE_READY,
			After: apiv1.State_STATE_NOT_READY, Rules: []*apiv1.PolicyTrialRule{{Id: "strict", Kind: "negative", Before: "absent", After: "broken"}},
			AddedCells: []string{"us/load"}, RemovedCells: []string{"eu/smoke"},
		},
		{Application: "shop", Version: "1", Policy: &apiv1.PolicyRevision{Name: "gate", Revision: 6}, JudgedAt: instant(0), Before: apiv1.State_STATE_READY, After: apiv1.State_STATE_READY},
		{Application: "shop", Version: "0", Policy: &apiv1.PolicyRevision{Name: "gate", Revision: 1}, JudgedAt: instant(0), Problem: "There is too much of it."},
	}}, nil
}

func TestInsights(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args       []string
		quiet      bool
		unresolved []string
	}{
		"compare":          {args: []string{"compare", "ex-1"}},
		"compare-two":      {args: []string{"compare", "ex-1", "ex-0", "--environment", "eu"}, quiet: true},
		"compare-json":     {args: []string{"compare", "ex-1", "-o", "json"}, quiet: true},
		"compare-none":     {args: []string{"compare", "none"}},
		"failures":         {args: []string{"failures", "--days", "7"}},
		"failures-none":    {args: []string{"failures"}, quiet: true},
		"failures-one":     {args: []string{"failures", "fp1:1"}},
		"failures-both":    {args: []string{"failures", "fp1:1", "--workflow", "smoke"}},
		"failures-json":    {args: []string{"failures", "-o", "json"}, quiet: true},
		"search":           {args: []string{"search", "pays", "card", "--limit", "1"}},
		"search-none":      {args: []string{"search", "bitcoin"}, quiet: true},
		"search-json":      {args: []string{"search", "pay", "-o", "json"}, quiet: true},
		"coverage":         {args: []string{"coverage"}},
		"coverage-all":     {args: []string{"coverage", "--all"}},
		"coverage-check":   {args: []string{"coverage", "--check"}},
		"coverage-none":    {args: []string{"coverage", "--check"}, quiet: true},
		"coverage-unknown": {args: []string{"coverage", "--check"}, quiet: true, unresolved: []string{"old", "other"}},
		"coverage-json":    {args: []string{"coverage", "-o", "json"}, quiet: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.insights.quiet, s.insights.unresolved = tc.quiet, tc.unresolved
			golden(t, name, s.run(t, tc.args...))
		})
	}
}

func TestPolicyDryRun(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"policy-dry-run": "kind: ReadinessPolicy\n", "policy-dry-run-none": "empty\n"} {
		file := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		golden(t, name, setup(t).run(t, "policy", "dry-run", file, "--releases", "shop"))
	}
	bad := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(bad, []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := setup(t).run(t, "policy", "dry-run", bad); got.code != 2 || !strings.Contains(got.err, "policy.yaml:3:5: spec.rules: is wrong\n") {
		t.Errorf("%+v: want the place of each fault", got)
	}
	s := setup(t)
	s.in = "kind: ReadinessPolicy\n---\nkind: ReadinessPolicy\n"
	golden(t, "policy-dry-run-two", s.run(t, "policy", "dry-run", "-"))
}
