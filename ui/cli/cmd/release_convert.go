package cmd

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/release/report"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// headOf returns the head of a release as reports know it.
func headOf(r *apiv1.Release) report.Release {
	out := report.Release{
		Application: r.GetApplication(), Version: r.GetVersion(), Commit: r.GetCommit(), Policy: r.GetPolicy().GetName(),
		Revision: int(r.GetPolicy().GetRevision()), Actor: r.GetActor(), CreatedAt: timeOf(r.GetCreatedAt()), DecidedAt: timeOf(r.GetDecidedAt()),
		URL: r.GetUrl(),
	}
	for _, image := range r.GetImages() {
		out.Images = append(out.Images, verdict.Image{Name: image.GetName(), Digest: image.GetDigest()})
	}
	for _, w := range r.GetWaivers() {
		one := verdict.Waiver{
			ID: w.GetId(), Application: r.GetApplication(), Version: r.GetVersion(), Rule: w.GetRule(), Environment: w.GetEnvironment(),
			Suite: w.GetSuite(), Test: w.GetTest(), Variant: w.GetVariant(), Fingerprint: w.GetFingerprint(), Reason: w.GetReason(),
			Requester: w.GetRequester(), CreatedAt: timeOf(w.GetCreatedAt()), ExpiresAt: timeOf(w.GetExpiresAt()), Revoked: w.GetRevoked(),
		}
		for _, approval := range w.GetApprovals() {
			one.Approvals = append(one.Approvals, verdict.Approval{By: approval.GetBy(), At: timeOf(approval.GetAt())})
		}
		out.Waivers = append(out.Waivers, one)
	}
	return out
}

// timeOf is zero for an instant that is not there, which AsTime takes for 1970.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// verdictOf returns the verdict on a release as far as the API tells it.
func verdictOf(r *apiv1.Release) verdict.Output {
	out := verdict.Output{State: stateOf(r.GetState()), Gaps: r.GetGaps(), Rules: []verdict.RuleResult{}, Cells: []verdict.CellResult{}}
	for _, rule := range r.GetRules() {
		out.Rules = append(out.Rules, ruleOf(rule))
	}
	for _, c := range r.GetCells() {
		out.Cells = append(out.Cells, cellResult(c))
	}
	for _, w := range r.GetWaivers() {
		out.Waivers = append(out.Waivers, verdict.WaiverResult{ID: w.GetId(), Active: w.GetActive(), Why: w.GetWhy(), Used: w.GetUsed()})
	}
	return out
}

// stateOf is empty before the first verdict.
func stateOf(s apiv1.State) verdict.State {
	if s == apiv1.State_STATE_UNSPECIFIED {
		return ""
	}
	return verdict.State(render.State(s))
}

func ruleOf(r *apiv1.ReleaseRule) verdict.RuleResult {
	out := verdict.RuleResult{
		ID: r.GetId(), Kind: verdict.RuleKind(r.GetKind()), Waivable: r.GetWaivable(), Description: r.GetDescription(), Holds: r.GetHolds(),
		Waived: r.GetWaived(),
	}
	for _, f := range r.GetFailing() {
		one := verdict.FailingCell{Environment: f.GetEnvironment(), Suite: f.GetSuite(), Error: f.GetError(), AtFault: int(f.GetAtFault())}
		for _, t := range f.GetTests() {
			one.Tests = append(one.Tests, verdict.AtFault{
				Test: t.GetKey(), Name: t.GetName(), Variant: t.GetVariant(), Verdict: tests.Verdict(t.GetVerdict()),
			})
		}
		out.Failing = append(out.Failing, one)
	}
	return out
}

func cellResult(c *apiv1.ReleaseCell) verdict.CellResult {
	out := verdict.CellResult{
		Environment: c.GetEnvironment(), Suite: c.GetSuite(), Required: int(c.GetRequired()), Passed: int(c.GetPassed()),
		Failed: int(c.GetFailed()), Flaky: int(c.GetFlaky()), Skipped: int(c.GetSkipped()), Blocked: int(c.GetBlocked()),
		InfraError: int(c.GetInfraError()), NeverRan: int(c.GetNeverRan()), Running: int(c.GetRunning()), Unproven: int(c.GetUnproven()),
		Integrity: results.Consistent,
	}
	if c.GetContradictory() {
		out.Integrity = results.Contradictory
	}
	for _, t := range c.GetResults() {
		out.Results = append(out.Results, verdict.TestResult{
			Test: t.GetKey(), Name: t.GetName(), Variant: t.GetVariant(), Required: t.GetRequired(), Verdict: tests.Verdict(t.GetVerdict()),
			Override: tests.Override(t.GetOverride()), SubjectOK: t.GetSubjectOk(), FinishedAt: timeOf(t.GetFinishedAt()),
			Fingerprints: t.GetFingerprints(), Attempts: int(t.GetAttempts()),
		})
	}
	return out
}
