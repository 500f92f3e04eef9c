package engine_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func calling(calls ...*runnerv1.Call) *runnerv1.Execute { return &runnerv1.Execute{Calls: calls} }

// asks tells when a step has asked for its executions.
func asks(index int32) func(workfake.View) bool {
	return func(v workfake.View) bool { return len(v.Steps[index].GetCalls()) > 0 }
}

func TestRun_Execute(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{Script: `echo version=7 >> "$SEATRIAL_OUTPUT"`, Outputs: []string{"version"}},
		{Name: "others", Execute: calling(
			&runnerv1.Call{Title: "smoke", Params: map[string]string{"version": "v${{ steps.s0.outputs.version }}"}}, &runnerv1.Call{Title: "suite=api"})},
		{Script: "echo went on"},
	}})
	r := p.start(t, "c0")
	a.wait(t, "the calls", asks(1))
	s := a.attempts.View().Steps[1]
	if s.GetStatus() != running || len(s.GetCalls()) != 2 || s.GetCalls()[0].GetParams()["version"] != "v7" || len(s.GetCalls()[1].GetParams()) != 0 {
		t.Errorf("the step asks for %v", s)
	}
	a.logged(t, 1, "executes smoke, suite=api")
	a.server.Resume(attempt, &runnerv1.Resume{StepIndex: 1, Reason: "2 executions passed", Status: passed})
	if code := r.wait(t); code != 0 {
		t.Fatalf("the runner ends with %d", code)
	}
	v := a.attempts.View()
	if got := statuses(v); got != "passed passed passed" || v.Steps[1].GetReason() != "2 executions passed" {
		t.Errorf("steps are %s, %q", got, v.Steps[1].GetReason())
	}
	if len(v.Steps[1].GetCalls()) != 0 {
		t.Error("a step that has ended asks for executions")
	}
}

// TestRun_Execute_First holds that the files of the workflow are there before the first step, whatever kind it is of.
func TestRun_Execute_First(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	r := newPod(t, a, &runnerv1.Plan{
		Files: []*runnerv1.SourceFile{{Path: "version.txt", Content: []byte("7")}},
		Steps: []*runnerv1.Step{{Execute: calling(&runnerv1.Call{Title: "smoke", Params: map[string]string{"v": `v${{ file("version.txt") }}`}})}},
	}).start(t, "c0")
	a.wait(t, "the calls", func(v workfake.View) bool { return len(v.Steps[0].GetCalls()) > 0 || v.Steps[0].GetStatus() == errored })
	if got := a.attempts.View().Steps[0]; len(got.GetCalls()) != 1 || got.GetCalls()[0].GetParams()["v"] != "v7" {
		t.Errorf("the step asks for %v", got)
	}
	a.server.Resume(attempt, &runnerv1.Resume{StepIndex: 0, Status: passed})
	r.wait(t)
}

func TestRun_Execute_Ends(t *testing.T) {
	t.Parallel()
	word := func(status runnerv1.StepStatus) func(*testing.T, *agent) {
		return func(_ *testing.T, a *agent) {
			a.server.Resume(attempt, &runnerv1.Resume{StepIndex: 0, Reason: "smoke is over", Status: status})
		}
	}
	for name, tc := range map[string]struct {
		reason string
		first  *runnerv1.Step
		act    func(t *testing.T, a *agent)
		want   string
		result runnerv1.StepStatus
		says   string
	}{
		"Failed":  {"one of them failed", &runnerv1.Step{}, word(failed), "failed skipped", failed, "smoke is over"},
		"Errored": {"one of them could not begin", &runnerv1.Step{}, word(errored), "errored skipped", errored, "smoke is over"},
		"Allowed": {"the workflow goes on all the same", &runnerv1.Step{ContinueOnError: true}, word(failed), "failed passed", passed, "smoke is over"},
		"Strange": {"a word without a status, as of an older replica, is no pass", &runnerv1.Step{}, word(runnerv1.StepStatus_STEP_STATUS_UNSPECIFIED), "errored skipped", errored, "smoke is over"},
		"Timeout": {"nobody answers", &runnerv1.Step{Timeout: durationpb.New(time.Millisecond)}, nil, "timed_out skipped", timedOut, "time limit of 1ms"},
		"Cancelled": {"somebody has had enough", &runnerv1.Step{}, func(_ *testing.T, a *agent) {
			a.server.Cancel(attempt, "enough", time.Second)
		}, "cancelled cancelled", cancelled, "enough"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			tc.first.Execute = calling(&runnerv1.Call{Title: "smoke"})
			r := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{tc.first, {Script: "true"}}}).start(t, "c0")
			if tc.act != nil {
				a.wait(t, "the calls", asks(0))
				tc.act(t, a)
			}
			r.wait(t)
			v := a.attempts.View()
			if got := statuses(v); got != tc.want || v.Finished[0].GetStatus() != tc.result || !strings.Contains(v.Steps[0].GetReason(), tc.says) {
				t.Errorf("%s: steps are %s, the attempt %s, the reason %q", tc.reason, got, v.Finished[0].GetStatus(), v.Steps[0].GetReason())
			}
		})
	}
}

// TestRun_Execute_Refused holds that nothing is asked for when what it is given cannot be told.
func TestRun_Execute_Refused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason, value, says string
		env                 []*runnerv1.EnvVar
	}{
		"Secret":   {"secrets stay in the cluster", "token is ${{ env.TOKEN }}", "holds a secret", []*runnerv1.EnvVar{{Name: "TOKEN", From: "SEATRIAL_ENV_0_X", Secret: true}}},
		"Part":     {"a part of a secret is one", "${{ fromJSON(env.KEY).id }}", "holds a secret", []*runnerv1.EnvVar{{Name: "KEY", From: "SEATRIAL_ENV_0_J", Secret: true}}},
		"Hash":     {"what was made of it may be turned back", "${{ hash(env.PIN) }}", "holds a secret", []*runnerv1.EnvVar{{Name: "PIN", From: "SEATRIAL_ENV_0_P", Secret: true}}},
		"Literal":  {"by way of another variable", "${{ env.URL }}", "holds a secret", []*runnerv1.EnvVar{{Name: "PIN", From: "SEATRIAL_ENV_0_P", Secret: true}, {Name: "URL", Value: "x${{ env.PIN }}"}}},
		"NoFile":   {"it needs what is not there", `${{ file("absent.txt") }}`, "absent.txt", nil},
		"Binary":   {"it is no text", "a\x00b", "not text", nil},
		"TooLarge": {"it travels in a state", strings.Repeat("x", 65<<10), "at most 64 KiB", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
				{Env: tc.env, Execute: calling(&runnerv1.Call{Title: "smoke", Params: map[string]string{"p": tc.value}})},
			}})
			p.env = []string{"SEATRIAL_ENV_0_X=hunter2-hunter2", `SEATRIAL_ENV_0_J={"id": "hunter2"}`, "SEATRIAL_ENV_0_P=1234"}
			v := p.run(t, "c0")
			if len(v.Steps[0].GetCalls()) != 0 {
				t.Errorf("%s: it asks for %v all the same", tc.reason, v.Steps[0].GetCalls())
			}
			if got := v.Steps[0]; statuses(v) != "errored" || !strings.Contains(got.GetReason(), tc.says) || strings.Contains(got.GetReason(), "hunter2") {
				t.Errorf("%s: %v", tc.reason, got)
			}
		})
	}
}

// TestRun_Execute_SecretOfAnother holds that a secret does not leave by way of an output either: the container that executes others does
// not know the secrets of the one that gave it.
func TestRun_Execute_SecretOfAnother(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"as it is": "is ${{ steps.s0.outputs.t }}", "a part of it": "${{ fromJSON(steps.s0.outputs.j).token }}", "written anew": "${{ toJSON(steps.s0.outputs.t) }}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secretOfAnother(t, value)
		})
	}
}

func secretOfAnother(t *testing.T, value string) {
	t.Helper()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{
			Script: `echo "j={\"token\": \"$TOKEN\"}" >> "$SEATRIAL_OUTPUT"; echo "t=user:$TOKEN" >> "$SEATRIAL_OUTPUT"`, Outputs: []string{"t", "j"},
			Env: []*runnerv1.EnvVar{{Name: "TOKEN", From: "SEATRIAL_ENV_0_X", Secret: true}},
		},
		{Container: "c1", Execute: calling(&runnerv1.Call{Title: "smoke", Params: map[string]string{"p": value}})},
	}})
	second := p.start(t, "c1")
	p.env = []string{"SEATRIAL_ENV_0_X=hunter2-hunter2"}
	first := p.start(t, "c0")
	first.wait(t)
	second.wait(t)
	v := a.attempts.View()
	if got := v.Steps[1]; statuses(v) != "passed errored" || !strings.Contains(got.GetReason(), "holds a secret") || strings.Contains(got.GetReason(), "hunter2") {
		t.Errorf("steps are %s: %v", statuses(v), got)
	}
}
