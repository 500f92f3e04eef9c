package engine_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/engine"
	"github.com/seatrial/seatrial/agent/runner/state"
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
		Timeout: durationpb.New(time.Minute),
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

// TestDue holds that the clock stands while somebody thinks.
func TestDue(t *testing.T) {
	t.Parallel()
	deadline := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	at := func(seconds int) *timestamppb.Timestamp {
		return timestamppb.New(deadline.Add(time.Duration(seconds) * time.Second))
	}
	plan := &runnerv1.Plan{Steps: []*runnerv1.Step{
		{Index: 0, Script: "true"}, {Index: 1, Pause: pause("", time.Hour)}, {Index: 2, Pause: pause("", time.Hour)},
	}}
	for name, tc := range map[string]struct {
		reason string
		steps  []*runnerv1.StepState
		want   time.Time
	}{
		"None": {"the plan has pauses that have not begun", nil, deadline},
		"Stands": {"one is under way, so no time limit holds but its own", []*runnerv1.StepState{
			{Index: 1, Status: paused, StartedAt: at(-60)},
		}, time.Time{}},
		"Over": {"what it took comes on top", []*runnerv1.StepState{
			{Index: 0, Status: passed, StartedAt: at(-100), FinishedAt: at(-60)}, {Index: 1, Status: passed, StartedAt: at(-60), FinishedAt: at(-15)},
		}, deadline.Add(45 * time.Second)},
		"Two": {"of each of them", []*runnerv1.StepState{
			{Index: 1, Status: passed, StartedAt: at(-60), FinishedAt: at(-30)}, {Index: 2, Status: timedOut, StartedAt: at(-30), FinishedAt: at(-10)},
		}, deadline.Add(50 * time.Second)},
		"Skipped": {"one that was never begun took no time", []*runnerv1.StepState{{Index: 1, Status: skipped, FinishedAt: at(-5)}}, deadline},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := state.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			for _, s := range tc.steps {
				if err := dir.SetStep(s); err != nil {
					t.Fatal(err)
				}
			}
			if got := engine.Due(plan, dir, deadline); !got.Equal(tc.want) {
				t.Errorf("%s: the time is over at %s, want %s", tc.reason, got, tc.want)
			}
			if got := engine.Due(plan, dir, time.Time{}); !got.IsZero() {
				t.Errorf("without a time limit it is over at %s", got)
			}
		})
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
		"LongMessage": {
			"what it asks may come from a file of any size and content",
			[]*runnerv1.Step{
				{Script: `head -c 100000 /dev/urandom >question`}, {Pause: pause("${{ file('question') }}", time.Second)},
			},
			func(t *testing.T, a *agent) {
				t.Helper()
				a.wait(t, "the pause", isPaused(1))
			}, "passed timed_out", timedOut, "nobody resumed it",
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
