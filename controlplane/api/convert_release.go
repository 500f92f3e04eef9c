package api

import (
	"encoding/json"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

func stateOf(s verdict.State) apiv1.State {
	switch s {
	case verdict.NotReady:
		return apiv1.State_STATE_NOT_READY
	case verdict.Incomplete:
		return apiv1.State_STATE_INCOMPLETE
	case verdict.ReadyWithWaivers:
		return apiv1.State_STATE_READY_WITH_WAIVERS
	case verdict.Ready:
		return apiv1.State_STATE_READY
	}
	return apiv1.State_STATE_UNSPECIFIED
}

// releaseOf converts a release; a head has no more than that.
func releaseOf(r release.Release) (*apiv1.Release, error) {
	out := &apiv1.Release{
		Application: r.Application, Version: r.Version, Commit: r.Commit, Team: r.Team, Actor: r.Actor, CreatedAt: timeOf(r.CreatedAt),
		Policy: &apiv1.PolicyRevision{Name: r.Policy.Name, Revision: int32Of(r.Policy.Revision), Digest: r.Policy.Digest},
		State:  stateOf(r.State), DecidedAt: timeOf(r.Decided), Stale: r.Stale, Targets: r.Targets,
	}
	for _, image := range r.Images {
		out.Images = append(out.Images, &apiv1.Image{Name: image.Name, Digest: image.Digest})
	}
	for _, c := range r.Changes {
		out.Changes = append(out.Changes, &apiv1.ReleaseChange{
			Number: int32Of(c.Number), Before: stateOf(c.Before), After: stateOf(c.After), Cause: c.Cause, At: timeOf(c.At),
		})
	}
	for _, l := range r.Executions {
		out.Executions = append(out.Executions, &apiv1.ReleaseExecution{
			Id: l.Execution.ID.String(), Workflow: l.Execution.Workflow, Status: statusOf(l.Execution.Status),
			CreatedAt: timeOf(l.Execution.CreatedAt), Link: string(l.Link),
		})
	}
	var known verdict.Output
	if len(r.Verdict) > 0 {
		if err := json.Unmarshal(r.Verdict, &known); err != nil {
			return nil, fmt.Errorf("read the verdict on release %s: %w", r.ID, err)
		}
	}
	fillVerdict(out, known)
	results := map[string]verdict.WaiverResult{}
	for _, w := range known.Waivers {
		results[w.ID] = w
	}
	for _, w := range r.Waivers {
		out.Waivers = append(out.Waivers, waiverOf(w, results[w.ID]))
	}
	return out, nil
}

func fillVerdict(out *apiv1.Release, known verdict.Output) {
	out.Gaps = known.Gaps
	for _, r := range known.Rules {
		rule := &apiv1.ReleaseRule{
			Id: r.ID, Kind: string(r.Kind), Description: r.Description, Waivable: r.Waivable, Holds: r.Holds, Waived: r.Waived,
		}
		for _, f := range r.Failing {
			rule.Failing = append(rule.Failing, failingOf(f))
		}
		out.Rules = append(out.Rules, rule)
	}
	for _, c := range known.Cells {
		cell := &apiv1.ReleaseCell{
			Environment: c.Environment, Suite: c.Suite, Required: int32Of(c.Required), Passed: int32Of(c.Passed), Failed: int32Of(c.Failed),
			Flaky: int32Of(c.Flaky), Skipped: int32Of(c.Skipped), Blocked: int32Of(c.Blocked), InfraError: int32Of(c.InfraError),
			NeverRan: int32Of(c.NeverRan), Running: int32Of(c.Running), Contradictory: c.Integrity == results.Contradictory,
			Unproven: int32Of(c.Unproven),
		}
		for _, t := range c.Results {
			cell.Results = append(cell.Results, &apiv1.TestVerdict{
				Key: t.Test, Name: t.Name, Variant: t.Variant, Required: t.Required, Verdict: string(t.Verdict), Override: string(t.Override),
				SubjectOk: t.SubjectOK, FinishedAt: timeOf(t.FinishedAt), Fingerprints: t.Fingerprints, Attempts: int32Of(t.Attempts),
			})
		}
		out.Cells = append(out.Cells, cell)
	}
}

func failingOf(f verdict.FailingCell) *apiv1.FailingCell {
	out := &apiv1.FailingCell{Environment: f.Environment, Suite: f.Suite, Error: f.Error, AtFault: int32Of(f.AtFault)}
	for _, t := range f.Tests {
		out.Tests = append(out.Tests, &apiv1.TestAtFault{Key: t.Test, Name: t.Name, Variant: t.Variant, Verdict: string(t.Verdict)})
	}
	return out
}

func waiverOf(w verdict.Waiver, known verdict.WaiverResult) *apiv1.Waiver {
	out := &apiv1.Waiver{
		Id: w.ID, Rule: w.Rule, Environment: w.Environment, Suite: w.Suite, Test: w.Test, Variant: w.Variant, Fingerprint: w.Fingerprint,
		Reason: w.Reason, Requester: w.Requester, CreatedAt: timeOf(w.CreatedAt), ExpiresAt: timeOf(w.ExpiresAt), Revoked: w.Revoked,
		Active: known.Active, Why: known.Why, Used: known.Used,
	}
	for _, a := range w.Approvals {
		out.Approvals = append(out.Approvals, &apiv1.Approval{By: a.By, At: timeOf(a.At)})
	}
	return out
}

func policyOf(p workflow.Record) *apiv1.ReadinessPolicy {
	return &apiv1.ReadinessPolicy{
		Name: p.Name, Team: p.Team, Description: p.Description, Revision: int32Of(p.Revision), Digest: p.Digest, Source: p.Source,
		UpdatedAt: timeOf(p.UpdatedAt),
	}
}
