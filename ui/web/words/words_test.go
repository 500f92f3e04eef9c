package words_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/ui/web/viewfake"
	"github.com/seatrial/seatrial/ui/web/words"
)

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "< 1 ms", 312 * time.Millisecond: "312 ms", 1250 * time.Millisecond: "1.2 s", 9999 * time.Millisecond: "9.9 s", 59 * time.Second: "59 s",
		107 * time.Second: "1 min 47 s", 3*time.Hour + 4*time.Minute: "3 h 4 min", 50 * time.Hour: "2 d 2 h", -time.Second: "–",
	} {
		if got := words.Took(d); got != want {
			t.Errorf("Took(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := viewfake.Now()
	for d, want := range map[time.Duration]string{
		3 * time.Second: "just now", 40 * time.Second: "40 s ago", 22 * time.Minute: "22 min ago", 26 * time.Hour: "26 h ago", 72 * time.Hour: "3 days ago",
		-time.Hour: "in 1 h",
	} {
		if got := words.Ago(now.Add(-d), now); got != want {
			t.Errorf("Ago(%s) = %q, want %q", d, got, want)
		}
	}
	if got := words.Ago(time.Time{}, now); got != "never" {
		t.Errorf("Ago(zero) = %q", got)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 1536: "1.5 KiB", 1 << 20: "1 MiB", 5 << 40: "5120 GiB"} {
		if got := words.Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	if got := words.Number(1234567); got != "1\u202f234\u202f567" {
		t.Errorf("Number = %q", got)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	for name, want := range map[string]string{
		viewfake.Live:     "checkout-api is running in staging-eu: step 2 of 3, test.",
		viewfake.Failed:   "checkout-api failed in staging-eu: 3 of 128 tests failed.",
		viewfake.Passed:   "shop-browser passed in staging-eu: 8 of 9 tests passed, 1 skipped.",
		viewfake.Errored:  "shell-check errored in staging-eu: the infrastructure failed, not a test.",
		viewfake.TimedOut: "nightly-load timed out in staging-eu: step load was stopped.",
		viewfake.Stopped:  "nightly-load was cancelled in staging-eu: step load was stopped.",
		viewfake.Queued:   "nightly-load is queued in staging-us: it waits for the agent of us-2.",
		viewfake.BadStep:  "shell-check failed in staging-eu: step check ended with exit code 2.",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := w.Execution(signedIn(t, w), viewfake.ExecutionID(name))
			if err != nil {
				t.Fatal(err)
			}
			if got := words.Verdict(e); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// culprits is an execution whose first failure is one that its workflow allows.
func culprits() execution.Execution {
	exit := func(code int) *int { return &code }
	steps := []execution.Step{
		{Name: "tidy", Status: execution.Failed, ExitCode: exit(9), Allowed: true}, {Name: "test", Status: execution.Failed, ExitCode: exit(4)},
	}
	return execution.Execution{Status: execution.Failed, Runs: []execution.Run{{Attempts: []execution.Attempt{{Steps: steps}}}}}
}

func TestVerdict_Sparse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		e    execution.Execution
		want string
	}{
		"NoTests":   {execution.Execution{Status: execution.Passed}, "The execution passed: every step ended as expected; no tests were reported."},
		"OneTest":   {execution.Execution{Status: execution.Passed, Tests: execution.Counts{Total: 1, Passed: 1}}, "The execution passed: the one test passed."},
		"AllRuns":   {execution.Execution{Status: execution.Passed, Tests: execution.Counts{Total: 2, Passed: 2}, Runs: []execution.Run{{Status: execution.Passed}, {Status: execution.Passed}}}, "The execution passed: all 2 runs, all 2 tests passed."},
		"IdleRun":   {execution.Execution{Status: execution.Passed, Tests: execution.Counts{Total: 2, Passed: 2}, Runs: []execution.Run{{Status: execution.Passed}, {Status: execution.Skipped}}}, "The execution passed: 1 of 2 runs passed, 1 skipped; all 2 tests passed."},
		"NoSteps":   {execution.Execution{Status: execution.Failed}, "The execution failed: a step failed."},
		"Allowed":   {culprits(), "The execution failed: step test ended with exit code 4."},
		"NoRuns":    {execution.Execution{Status: execution.Queued}, "The execution is queued: it waits for an agent."},
		"Starting":  {execution.Execution{Status: execution.Assigned}, "The execution is starting: the pod is on its way."},
		"Unknown":   {execution.Execution{Status: "dancing"}, "The execution is in the unknown state dancing."},
		"Skipped":   {execution.Execution{Status: execution.Skipped}, "The execution was skipped: a condition said not to run it."},
		"Cancelled": {execution.Execution{Status: execution.Cancelled}, "The execution was cancelled: somebody stopped it."},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := words.Verdict(tc.e); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestOutcome holds that a person reads every outcome in words, and learns what those mean that are not plain.
func TestOutcome(t *testing.T) {
	t.Parallel()
	want := map[results.Outcome]string{results.TimedOut: "timed out", results.InfraError: "infrastructure error"}
	for _, o := range results.Outcomes() {
		word := want[o]
		if word == "" {
			word = string(o)
		}
		if got := words.Outcome(string(o)); got != word {
			t.Errorf("%s is called %q, want %q", o, got, word)
		}
		plain := o == results.Passed || o == results.Failed || o == results.Errored || o == results.Skipped
		if got := words.Meaning(string(o)); (got == "") != plain {
			t.Errorf("%s means %q", o, got)
		}
	}
}
