// Package runplan writes the plan of an attempt as its runner reads it, and the assignment as an agent does: for an agent, for whoever
// signs it, or on the machine of an author.
package runplan

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// What holds for an attempt unless its workflow says otherwise.
const (
	defaultTimeout  = time.Hour
	grace           = 30 * time.Second
	uploadAllowance = 10 * time.Minute
)

// Of returns the plan of an attempt. One whose workflow sets no timeout gets an hour.
func Of(attempt string, plan *workflow.Plan) *runnerv1.Plan {
	timeout := plan.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	out := &runnerv1.Plan{
		AttemptId: attempt, Timeout: durationpb.New(timeout), Grace: durationpb.New(grace),
		UploadAllowance: durationpb.New(uploadAllowance),
	}
	if plan.TeardownAllowance > 0 {
		out.TeardownAllowance = durationpb.New(plan.TeardownAllowance)
	}
	if plan.PauseAllowance > 0 {
		out.PauseAllowance = durationpb.New(plan.PauseAllowance)
	}
	for _, v := range plan.Pod.Volumes {
		if v.Secret != nil {
			out.SecretDirs = append(out.SecretDirs, v.MountPath)
		}
	}
	if s := plan.Shard; s != nil {
		out.Shard = &runnerv1.Shard{
			Index: int32(s.Index), Count: int32(s.Count), //nolint:gosec // at most 100
			Files: s.Files, TookMillis: map[string]int64{},
		}
		for name, took := range s.Took {
			out.Shard.TookMillis[name] = max(1, took.Milliseconds())
		}
	}
	for _, f := range plan.Files {
		out.Files = append(out.Files, &runnerv1.SourceFile{Path: f.Path, Content: []byte(f.Content), Mode: uint32(f.Mode)})
	}
	for _, s := range plan.Steps {
		out.Steps = append(out.Steps, step(s))
	}
	return out
}

func step(s workflow.PlanStep) *runnerv1.Step {
	out := &runnerv1.Step{
		Index: int32(s.Index), //nolint:gosec // at most a few hundred steps
		Name:  s.Name, Container: s.Container, Script: s.Script, Command: s.Command, WorkingDir: s.WorkingDir,
		Condition: s.Condition, ContinueOnError: s.ContinueOnError, Outputs: s.Outputs, Teardown: s.Teardown, Group: s.Group,
		Retry: retry(s.Retry), Expect: expect(s.Expect), Artifacts: artifacts(s.Artifacts),
		Metrics: s.Metrics,
	}
	if s.Timeout > 0 {
		out.Timeout = durationpb.New(s.Timeout)
	}
	if s.Pause != nil {
		out.Pause = &runnerv1.Pause{Message: s.Pause.Message, Timeout: durationpb.New(s.Pause.Timeout)}
	}
	if s.Execute != nil {
		out.Execute = &runnerv1.Execute{}
		for _, c := range s.Execute.Calls {
			out.Execute.Calls = append(out.Execute.Calls, &runnerv1.Call{Title: c.Title(), Params: c.Params})
		}
	}
	for _, e := range s.Env {
		out.Env = append(out.Env, &runnerv1.EnvVar{Name: e.Name, Value: e.Value, From: e.From, Secret: e.Secret})
	}
	for _, r := range s.Reports {
		out.Reports = append(out.Reports, &runnerv1.ReportSpec{Format: r.Format, Paths: r.Paths})
	}
	return out
}

func retry(r *workflow.StepRetry) *runnerv1.Retry {
	if r == nil {
		return nil
	}
	return &runnerv1.Retry{
		Attempts: int32(r.Attempts), //nolint:gosec // at most 20
		Delay:    durationpb.New(time.Duration(r.Delay)), Backoff: r.Backoff,
	}
}

func expect(e *workflow.Expect) *runnerv1.Expect {
	if e == nil {
		return nil
	}
	out := &runnerv1.Expect{Failure: e.Result == document.Failure, Any: e.Result == document.Either}
	for _, code := range e.ExitCodes {
		out.ExitCodes = append(out.ExitCodes, int32(code)) //nolint:gosec // at most 255
	}
	return out
}

func artifacts(a workflow.PlanArtifacts) *runnerv1.ArtifactSpec {
	if len(a.Paths) == 0 {
		return nil
	}
	when := map[string]runnerv1.ArtifactSpec_When{
		"passed": runnerv1.ArtifactSpec_WHEN_PASSED, "failed": runnerv1.ArtifactSpec_WHEN_FAILED,
	}
	return &runnerv1.ArtifactSpec{Paths: a.Paths, When: when[a.When], MaxSize: a.MaxSize, Compress: a.Compress}
}
