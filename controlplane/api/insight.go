package api

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/insight"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// CompareExecutions implements InsightServiceHandler.
func (s *server) CompareExecutions(ctx context.Context, r *apiv1.CompareExecutionsRequest) (*apiv1.CompareExecutionsResponse, error) {
	q := insight.Question{Environment: r.GetEnvironment()}
	var err error
	if q.Execution, err = idOf(r.GetExecutionId(), "execution_id"); err != nil {
		return nil, err
	}
	if r.GetBaseId() != "" {
		if q.Base, err = idOf(r.GetBaseId(), "base_id"); err != nil {
			return nil, err
		}
	}
	c, err := s.Insight.Compare(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("compare executions: %w", err)
	}
	organization := s.organization(ctx)
	return s.comparisonOf(organization, q, c), nil
}

// organization returns the name of the viewer's; empty when it is not known, for addresses that are a convenience.
func (s *server) organization(ctx context.Context) string {
	name, _, err := s.Accounts.Describe(ctx)
	if err != nil {
		return ""
	}
	return name
}

// page is the address of a page; empty when it is not known.
func (s *server) page(organization string, path ...string) string {
	if organization == "" || s.PublicURL == "" {
		return ""
	}
	return s.PublicURL + "/o/" + organization + "/" + strings.Join(path, "/")
}

func (s *server) comparisonOf(organization string, q insight.Question, c insight.Comparison) *apiv1.CompareExecutionsResponse {
	with := url.Values{"with": {"last-green"}}
	if q.Base != uuid.Nil {
		with.Set("with", q.Base.String())
	}
	if q.Environment != "" {
		with.Set("environment", q.Environment)
	}
	out := &apiv1.CompareExecutionsResponse{
		Before: s.comparedOf(organization, c.Before, c.Tests.Before), After: s.comparedOf(organization, c.After, c.Tests.After),
		LastGreen: c.LastGreen, Environment: c.Environment, Same: int32Of(c.Tests.Same), OtherCause: int32Of(c.Tests.OtherCause), Unknown: c.Unknown,
		Url: s.page(organization, "executions", c.After.ID.String(), "compare?"+with.Encode()),
	}
	for _, g := range c.Tests.Groups {
		group := &apiv1.ComparedGroup{Kind: string(g.Kind), Count: int32Of(g.Count)}
		for _, t := range g.Tests {
			group.Tests = append(group.Tests, comparedTestOf(g.Kind, t, c.Messages[t.Result]))
		}
		out.Groups = append(out.Groups, group)
	}
	for _, d := range c.Differences {
		out.Differences = append(out.Differences, &apiv1.Difference{What: d.What, Name: d.Name, Before: d.Before, After: d.After})
	}
	return out
}

func (s *server) comparedOf(organization string, e execution.Execution, tests int) *apiv1.ComparedExecution {
	return &apiv1.ComparedExecution{
		Id: e.ID.String(), Workflow: e.Workflow, Status: statusOf(e.Status), CreatedAt: timeOf(e.CreatedAt), Commit: e.Commit, Tests: int32Of(tests),
		Url: s.page(organization, "executions", e.ID.String()),
	}
}

func comparedTestOf(kind compare.Kind, t compare.Test, message string) *apiv1.ComparedTest {
	out := &apiv1.ComparedTest{
		Key: t.Key, Name: t.Title, Environment: t.Place.Environment, Cell: t.Place.Cell, Variant: t.Variant, Before: string(t.Before), After: string(t.After),
		OtherCause: t.OtherCause, Fingerprint: t.Fingerprint, Message: message,
	}
	if kind == compare.Slower {
		out.BeforeTook, out.AfterTook = durationpb.New(t.Was), durationpb.New(t.Is)
	}
	return out
}

// ListFailures implements InsightServiceHandler.
func (s *server) ListFailures(ctx context.Context, r *apiv1.ListFailuresRequest) (*apiv1.ListFailuresResponse, error) {
	list, err := s.Insight.Failures(ctx, insight.Filter{Workflow: r.GetWorkflow(), Environment: r.GetEnvironment(), Days: int(r.GetDays())})
	if err != nil {
		return nil, fmt.Errorf("list failures: %w", err)
	}
	organization := s.organization(ctx)
	out := &apiv1.ListFailuresResponse{
		TotalClusters: int32Of(list.Total), TotalFailures: int32Of(list.Failures), Unclustered: int32Of(list.Unclustered), Days: int32Of(list.Days),
		CountedSince: timeOf(list.Since),
	}
	for _, c := range list.List {
		out.Clusters = append(out.Clusters, s.clusterOfFailures(organization, c))
	}
	return out, nil
}

func (s *server) clusterOfFailures(organization string, c insight.Cluster) *apiv1.FailureCluster {
	return &apiv1.FailureCluster{
		Fingerprint: c.Fingerprint, Message: c.Message, Failures: int32Of(c.Failures), Tests: int32Of(c.Tests), Executions: int32Of(c.Executions),
		Workflows: int32Of(c.Workflows), Environments: int32Of(c.Environments), FirstSeen: timeOf(c.First), LastSeen: timeOf(c.Last),
		Url: s.page(organization, "failures", url.PathEscape(c.Fingerprint)),
	}
}

// GetFailure implements InsightServiceHandler.
func (s *server) GetFailure(ctx context.Context, r *apiv1.GetFailureRequest) (*apiv1.GetFailureResponse, error) {
	f, err := s.Insight.Failure(ctx, r.GetFingerprint(), int(r.GetDays()))
	if err != nil {
		return nil, fmt.Errorf("get failure: %w", err)
	}
	organization := s.organization(ctx)
	out := &apiv1.GetFailureResponse{
		Cluster: s.clusterOfFailures(organization, f.Cluster), Days: int32Of(f.Days), Workflows: f.InFlows, Environments: f.InPlaces, Messages: f.Variations,
		CountedSince: timeOf(f.Since),
	}
	for _, t := range f.Alike {
		out.Tests = append(out.Tests, &apiv1.FailingTest{
			Key: t.Key, Name: t.Name, Workflow: t.Workflow, Failures: int32Of(t.Failures), LastSeen: timeOf(t.Last),
		})
	}
	for _, e := range f.Seen {
		out.Executions = append(out.Executions, &apiv1.FailingExecution{
			Id: e.ID.String(), Workflow: e.Workflow, Environment: e.Environment, Failures: int32Of(e.Failures), At: timeOf(e.At), Commit: e.Commit,
		})
	}
	return out, nil
}

// GetCoverage implements InsightServiceHandler.
func (s *server) GetCoverage(ctx context.Context, r *apiv1.GetCoverageRequest) (*apiv1.GetCoverageResponse, error) {
	c, err := s.Insight.Coverage(ctx, int(r.GetStaleDays()))
	if err != nil {
		return nil, fmt.Errorf("get coverage: %w", err)
	}
	if r.GetGapsOnly() {
		c.Matrix = c.GapsOnly()
	}
	out := &apiv1.GetCoverageResponse{
		Environments: c.Environments, Gaps: int32Of(c.Gaps), RequiredGaps: int32Of(c.Required), StaleDays: int32Of(c.StaleDays), WindowDays: int32Of(c.WindowDays),
		Notes: c.Notes, UnresolvedPolicies: c.Unresolved,
	}
	for _, row := range c.Rows {
		line := &apiv1.CoverageRow{Workflow: row.Workflow, Gaps: int32Of(row.Gaps)}
		for _, k := range row.Cells {
			cell := &apiv1.CoverageCell{Environment: k.Environment, State: string(k.State), Gap: k.Gap, RequiredBy: k.Required, LastStatus: statusOf(k.Status)}
			if !k.At.IsZero() {
				cell.LastAt, cell.LastExecutionId = timeOf(k.At), k.Execution.String()
			}
			if !k.GreenAt.IsZero() {
				cell.LastGreenAt = timeOf(k.GreenAt)
			}
			line.Cells = append(line.Cells, cell)
		}
		out.Rows = append(out.Rows, line)
	}
	return out, nil
}
