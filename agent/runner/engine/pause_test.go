package engine_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const paused = runnerv1.StepStatus_STEP_STATUS_PAUSED

func pause(message string, limit time.Duration) *runnerv1.Pause {
	return &runnerv1.Pause{Message: message, Timeout: durationpb.New(limit)}
}

// isPaused tells when a step waits for a person.
func isPaused(index int32) func(workfake.View) bool {
	return func(v workfake.View) bool { return v.Steps[index].GetStatus() == paused }
}

func TestRun_Pause(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{
		// Shorter than the pause lasts: while somebody thinks, the clock stands.
		Timeout: durationpb.New(3 * time.Second),
		Steps: []*runnerv1.Step{
			{Script: `echo version=7 >> "$SEATRIAL_OUTPUT"`, Outputs: []string{"version"}},
			{Name: "approve", Pause: pause("is ${{ steps.s0.outputs.version }} fine?", time.Minute)},
			{Script: "echo went on", Container: "c1"},
		},
	})
	first, second := p.start(t, "c0"), p.start(t, "c1")
	a.wait(t, "the pause", isPaused(1))
	if got := a.attempts.View().Steps[1].GetReason(); got != "is 7 fine?" {
		t.Errorf("the person is asked %q", got)
	}
	a.logged(t, 1, "is 7 fine?")
	time.Sleep(3500 * time.Millisecond) // there is no signal for a clock that stands
	a.server.Resume(attempt, &runnerv1.Resume{StepIndex: 1, Reason: "Resumed by ada: yes"})
	for _, r := range []*runner{first, second} {
		if code := r.wait(t); code != 0 {
			t.Fatalf("container %s ends with %d", r.name, code)
		}
	}
	v := a.attempts.View()
	if got := statuses(v); got != "passed passed passed" || v.Finished[0].GetStatus() != passed {
		t.Errorf("steps are %s, the attempt %v", got, v.Finished)
	}
	if got := v.Steps[1].GetReason(); got != "Resumed by ada: yes" {
		t.Errorf("the step says %q: it does not tell who it was", got)
	}
}

// TestRun_Pause_EarlyWord has the word come while no runner is connected, and before the step's turn.
func TestRun_Pause_EarlyWord(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	a.attempts.Resume(&runnerv1.Resume{StepIndex: 0, Reason: "Resumed by ada."})
	v := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{{Pause: pause("", time.Minute)}, {Script: "true"}}}).run(t, "c0")
	if got := statuses(v); got != "passed passed" {
		t.Errorf("steps are %s", got)
	}
}

func TestRun_Pause_Ends(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason string
		steps  []*runnerv1.Step
		act    func(t *testing.T, a *agent)
		want   string
		result runnerv1.StepStatus
		says   string
	}{
		"Timeout": {
			"nobody came, so the step fails",
			[]*runnerv1.Step{{Pause: pause("", 50*time.Millisecond)}, {Script: "true"}},
			nil, "timed_out skipped", timedOut, "nobody resumed it within 50ms",
		},
		"TimeoutAllowed": {
			"the workflow may go on without an answer",
			[]*runnerv1.Step{{Pause: pause("", 50*time.Millisecond), ContinueOnError: true}, {Script: "true"}},
			nil, "timed_out passed", passed, "",
		},
		"Cancel": {
			"who cancels does not want to be asked",
			[]*runnerv1.Step{{Pause: pause("", time.Minute)}, {Pause: pause("", time.Minute), Condition: "always()"}, {Script: "true", Teardown: true}},
			func(t *testing.T, a *agent) {
				t.Helper()
				a.wait(t, "the pause", isPaused(0))
				a.server.Cancel(attempt, "no longer needed", time.Second)
			}, "cancelled skipped passed", cancelled, "no longer needed",
		},
		"Condition": {
			"a condition decides whether anybody is asked",
			[]*runnerv1.Step{{Pause: pause("", time.Minute), Condition: "1 == 2"}, {Script: "true"}},
			nil, "skipped passed", passed, "",
		},
		"AfterFailure": {
			"after a failure nobody is asked",
			[]*runnerv1.Step{{Script: "false"}, {Pause: pause("", time.Minute)}},
			nil, "failed skipped", failed, "exit code 1",
		},
		"Message": {
			"a message that cannot be resolved is a fault, not an endless wait",
			[]*runnerv1.Step{{Pause: pause("${{ env.NOT_SET }}", time.Minute)}},
			nil, "errored", errored, "NOT_SET",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			r := newPod(t, a, &runnerv1.Plan{Steps: tc.steps}).start(t, "c0")
			if tc.act != nil {
				tc.act(t, a)
			}
			if code := r.wait(t); code != 0 {
				t.Fatalf("the runner ends with %d", code)
			}
			v := a.attempts.View()
			if got := statuses(v); got != tc.want {
				t.Errorf("%s: steps are %s, want %s", tc.reason, got, tc.want)
			}
			if f := v.Finished[0]; f.GetStatus() != tc.result || !strings.Contains(f.GetReason(), tc.says) {
				t.Errorf("%s: the attempt is %v, want %s and %q", tc.reason, f, tc.result, tc.says)
			}
		})
	}
}
