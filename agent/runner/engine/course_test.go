package engine_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// TestRun_Course holds which steps run after others, and what the attempt makes of it. Each step is written "script" in its order.
func TestRun_Course(t *testing.T) {
	t.Parallel()
	type step = runnerv1.Step
	for name, tc := range map[string]struct {
		reason string
		steps  []*step
		want   string // of the steps
		result runnerv1.StepStatus
		says   string
	}{
		"Failed": {
			"after a failure nothing runs",
			[]*step{{Script: "exit 2"}, {Script: "true"}, {Script: "true"}},
			"failed skipped skipped", failed, `step "s0": exit code 2`,
		},
		"Always": {
			"a condition may ask for it",
			[]*step{{Script: "exit 2"}, {Script: "true", Condition: "always()"}, {Script: "true", Condition: "passed()"}},
			"failed passed skipped", failed, "exit code 2",
		},
		"OnFailure": {
			"only one of two branches runs",
			[]*step{
				{Script: "true"}, {Script: "true", Condition: "failed()"}, {Script: "exit 1"}, {Script: "true", Condition: "failed()"},
			},
			"passed skipped failed passed", failed, `step "s2"`,
		},
		"Status": {
			"a step before can be asked by its name",
			[]*step{
				{Script: "exit 3", ContinueOnError: true}, {Script: "true", Condition: "steps.s0.exitCode == 3 && steps.s0.status == 'failed'"},
			},
			"failed passed", passed, "",
		},
		"Allowed": {
			"a failure that is allowed counts for nothing",
			[]*step{{Script: "false", ContinueOnError: true}, {Script: "true"}},
			"failed passed", passed, "",
		},
		"AllowedNotErrored": {
			"what could not start proves nothing, allowed or not",
			[]*step{{Command: []string{"no-such-program"}, ContinueOnError: true}, {Script: "true"}},
			"errored skipped", errored, "was not found",
		},
		"AllowedTimeout": {
			"the step's own limit is a failure of the step",
			[]*step{
				{Script: "sleep 60", Timeout: durationpb.New(50 * time.Millisecond), ContinueOnError: true}, {Script: "true"},
			},
			"timed_out passed", passed, "",
		},
		"Teardown": {
			"it runs after a failure and does not change the result",
			[]*step{
				{Script: "exit 4"}, {Script: "exit 5", Teardown: true}, {Script: "true", Teardown: true},
			},
			"failed failed passed", failed, "exit code 4",
		},
		"TeardownConditions": {
			"its conditions tell the cases apart",
			[]*step{
				{Script: "true"},
				{Script: "true", Teardown: true, Condition: "always() && (failed())"},
				{Script: "true", Teardown: true, Condition: "always() && (passed())"},
			},
			"passed skipped passed", passed, "",
		},
		"TeardownFails": {
			"a test that has passed stays passed", []*step{{Script: "true"}, {Script: "exit 1", Teardown: true}}, "passed failed", passed, "",
		},
		"BadCondition": {
			"a condition that cannot be evaluated is no test result",
			[]*step{{Script: "true", Condition: "file('absent') == 'x'"}},
			"errored", errored, "absent",
		},
		"NothingRan": {
			"nothing was tested, so nothing has passed", []*step{{Script: "true", Condition: "failed()"}}, "skipped", skipped, "nothing was tested",
		},
		"File": {
			"a condition may look into the workspace",
			[]*step{{Script: "printf on > flag"}, {Script: "true", Condition: "file('flag') == 'on'"}},
			"passed passed", passed, "",
		},
		"ExpectFailure": {
			"a negative test",
			[]*step{{Script: "exit 9", Expect: &runnerv1.Expect{Failure: true}}, {Script: "true", Expect: &runnerv1.Expect{Failure: true}}},
			"passed failed", failed, "the workflow expects a failure",
		},
		"ExpectCodes": {
			"some codes are as good as 0",
			[]*step{
				{Script: "exit 3", Expect: &runnerv1.Expect{ExitCodes: []int32{0, 3}}}, {Script: "exit 4", Expect: &runnerv1.Expect{ExitCodes: []int32{0, 3}}},
			},
			"passed failed", failed, "the workflow expects [0 3]",
		},
		"ExpectAny": {
			"any end will do", []*step{{Script: "exit 3", Expect: &runnerv1.Expect{Any: true}}}, "passed", passed, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			for i, s := range tc.steps { // to and fro between two containers
				s.Container = []string{"c0", "c1"}[i%2]
			}
			containers := []string{"c0", "c1"}[:min(2, len(tc.steps))]
			v := newPod(t, a, &runnerv1.Plan{Steps: tc.steps}).run(t, containers...)
			if got := statuses(v); got != tc.want {
				t.Errorf("%s: steps are %q, want %q", tc.reason, got, tc.want)
			}
			if len(v.Finished) != 1 || v.Finished[0].GetStatus() != tc.result || !strings.Contains(v.Finished[0].GetReason(), tc.says) {
				t.Errorf("%s: the attempt is %v, want %s, %q", tc.reason, v.Finished, tc.result, tc.says)
			}
		})
	}
}

// TestRun_Halted holds what still runs when an attempt is ended: nothing but what asks for it, each within its own limit.
func TestRun_Halted(t *testing.T) {
	t.Parallel()
	steps := func() []*runnerv1.Step {
		return []*runnerv1.Step{
			{Script: "echo ready; sleep 600"},
			{Script: "true"},
			{Script: "true", Condition: "always()"},
			{Script: "true", Condition: "cancelled()"},
			{Script: "echo torn down; sleep 600", Teardown: true, Timeout: durationpb.New(300 * time.Millisecond)},
			{Script: "true", Teardown: true},
		}
	}
	t.Run("Cancelled", func(t *testing.T) {
		t.Parallel()
		a := newAgent(t)
		p := newPod(t, a, &runnerv1.Plan{Steps: steps()})
		r := p.start(t, "c0")
		a.logged(t, 0, "ready")
		a.server.Cancel(attempt, "by x", time.Second)
		if code := r.wait(t); code != 0 {
			t.Fatalf("exit %d", code)
		}
		v := a.attempts.View()
		if got := statuses(v); got != "cancelled cancelled passed passed timed_out passed" {
			t.Errorf("steps are %s", got)
		}
		if v.Finished[0].GetStatus() != cancelled || !strings.Contains(v.Finished[0].GetReason(), "by x") {
			t.Errorf("the attempt is %v", v.Finished[0])
		}
		if got := string(a.log(t, 4).Head); !strings.HasPrefix(got, "torn down\n") {
			t.Errorf("the teardown says %q", got)
		}
	})
	t.Run("TimedOut", func(t *testing.T) {
		t.Parallel()
		a := newAgent(t)
		v := newPod(t, a, &runnerv1.Plan{Steps: steps(), Timeout: durationpb.New(time.Second)}).run(t, "c0")
		if got := statuses(v); got != "timed_out skipped passed passed timed_out passed" {
			t.Errorf("steps are %s", got)
		}
		if v.Finished[0].GetStatus() != timedOut {
			t.Errorf("the attempt is %v", v.Finished[0])
		}
	})
}

func TestRun_Retry(t *testing.T) {
	t.Parallel()
	retry := &runnerv1.Retry{Attempts: 3, Delay: durationpb.New(10 * time.Millisecond), Backoff: 2}
	for name, tc := range map[string]struct {
		reason string
		step   *runnerv1.Step
		status runnerv1.StepStatus
		tries  int32
		log    []string
	}{
		"Flaky": {
			"the second try is as expected", &runnerv1.Step{Script: `echo "this is $SEATRIAL_TRY"; test "$SEATRIAL_TRY" -ge 2`}, passed, 2,
			[]string{"this is 1\n", "seatrial: try 1 of 3 did not end as expected (exit code 1); the next one starts in 10ms\n", "this is 2\n"},
		},
		"Hopeless": {
			"all tries are used up, with growing pauses", &runnerv1.Step{Script: "exit 7"}, failed, 3,
			[]string{"starts in 10ms\n", "starts in 20ms\n"},
		},
		"Slow": {
			"the time limit is that of a try", &runnerv1.Step{Script: `test "$SEATRIAL_TRY" -ge 2 || sleep 60`, Timeout: durationpb.New(time.Second)},
			passed, 2,
			[]string{"time limit"},
		},
		"Errored": {"what cannot start will not the next time", &runnerv1.Step{Command: []string{"no-such-program"}}, errored, 1, []string{"was not found"}},
		"Once":    {"no try is wasted", &runnerv1.Step{Script: "true"}, passed, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			tc.step.Retry = retry
			v := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{tc.step}}).run(t, "c0")
			if s := v.Steps[0]; s.GetStatus() != tc.status || s.GetTries() != tc.tries {
				t.Errorf("%s: %s after %d tries, want %s after %d", tc.reason, s.GetStatus(), s.GetTries(), tc.status, tc.tries)
			} else if s.GetStatus() == passed && (s.GetReason() == "") != (tc.tries == 1) {
				t.Errorf("%s: people read %q", tc.reason, s.GetReason())
			}
			rest := string(a.log(t, 0).Head)
			for _, part := range tc.log {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Fatalf("%s: the log lacks %q in its order: %q", tc.reason, part, a.log(t, 0).Head)
				}
				rest = after
			}
		})
	}
}

// TestRun_RetryHalted ends an attempt while a step waits for its next try: it must not look like a failure of the test.
func TestRun_RetryHalted(t *testing.T) {
	t.Parallel()
	steps := func() []*runnerv1.Step {
		return []*runnerv1.Step{{Script: "false", Retry: &runnerv1.Retry{Attempts: 2, Delay: durationpb.New(10 * time.Minute)}, ContinueOnError: true}}
	}
	t.Run("Cancelled", func(t *testing.T) {
		t.Parallel()
		a := newAgent(t)
		r := newPod(t, a, &runnerv1.Plan{Steps: steps()}).start(t, "c0")
		a.logged(t, 0, "try 1 of 2")
		a.server.Cancel(attempt, "by x", time.Second)
		if code := r.wait(t); code != 0 {
			t.Fatalf("exit %d", code)
		}
		v := a.attempts.View()
		if got := v.Finished[0]; got.GetStatus() != cancelled || v.Steps[0].GetTries() != 1 || v.Steps[0].GetAllowed() {
			t.Errorf("the attempt is %v, the step %v", got, v.Steps[0])
		}
	})
	t.Run("TimedOut", func(t *testing.T) {
		t.Parallel()
		a := newAgent(t)
		v := newPod(t, a, &runnerv1.Plan{Steps: steps(), Timeout: durationpb.New(500 * time.Millisecond)}).run(t, "c0")
		if got := v.Finished[0]; got.GetStatus() != timedOut || v.Steps[0].GetTries() != 1 {
			t.Errorf("the attempt is %v, the step %v", got, v.Steps[0])
		}
	})
}

// TestRun_SecretInCondition holds that a fault of a condition does not quote a secret to people.
func TestRun_SecretInCondition(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{{
		Script: "true", Condition: "file(env.TOKEN) == ''", Env: []*runnerv1.EnvVar{{Name: "TOKEN", From: "SEATRIAL_ENV_0_X", Secret: true}},
	}}})
	p.env = []string{"SEATRIAL_ENV_0_X=tops3cret-value"}
	r := p.start(t, "c0")
	if code := r.wait(t); code != 0 {
		t.Fatalf("exit %d", code)
	}
	if s := a.attempts.View().Steps[0]; s.GetStatus() != errored || strings.Contains(s.GetReason(), "tops3cret") || !strings.Contains(s.GetReason(), "***") {
		t.Errorf("the step is %v", s)
	}
}

func TestRun_Outputs(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	v := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{Name: "build", Outputs: []string{"version", "empty"}, Script: `printf 'version=1=2\nempty=\nother=x\nodd\n' >> "$SEATRIAL_OUTPUT"`},
		{
			Container: "c1", Command: []string{"echo", "v${{ steps.build.outputs.version }}${{ steps.build.outputs.empty }} ${{ env.WHICH }}"},
			Env: []*runnerv1.EnvVar{{Name: "WHICH", Value: "of ${{ steps.build.status }}"}},
		},
		{Condition: "steps.build.outputs.version == '1=2'", Script: "echo '${{ steps.build.outputs.version }}'"},
	}}).run(t, "c0", "c1")
	if got := statuses(v); got != "passed passed passed" {
		t.Fatalf("steps are %s: %v", got, v.Steps)
	}
	if got := string(a.log(t, 1).Head) + string(a.log(t, 2).Head); got != "v1=2 of passed\n1=2\n" {
		t.Errorf("the steps say %q", got)
	}
	notes := strings.Join(v.Delivered["c0"], "\n")
	if !strings.Contains(notes, "line 3 of $SEATRIAL_OUTPUT sets an output that outputs does not list") || !strings.Contains(notes, "line 4") {
		t.Errorf("notes are %q", notes)
	}
}
