package execution_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seatrial/seatrial/controlplane/execution"
)

func TestNext(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		from, to, want execution.Status
		reason         string
	}{
		"Forward":         {execution.Queued, execution.Assigned, execution.Assigned, "the Job exists"},
		"SkipsStates":     {execution.Queued, execution.Passed, execution.Passed, "reports are snapshots; one in between may be lost"},
		"NeverBack":       {execution.Running, execution.Pending, execution.Running, "an old snapshot came late"},
		"Resumes":         {execution.Paused, execution.Running, execution.Running, "pause and running may alternate"},
		"TerminalStays":   {execution.Cancelled, execution.Passed, execution.Cancelled, "cancel against finish has one winner: the first"},
		"UnknownIsNoNews": {execution.Running, execution.Status("dancing"), execution.Running, "a newer agent may know more states"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := execution.Next(tc.from, tc.to); got != tc.want {
				t.Errorf("Next(%s, %s) = %s, want %s: %s", tc.from, tc.to, got, tc.want, tc.reason)
			}
		})
	}
}

func TestNext_Property(t *testing.T) {
	t.Parallel()
	status := rapid.SampledFrom(execution.Statuses())
	rapid.Check(t, func(t *rapid.T) {
		state, terminal := execution.Queued, execution.Status("")
		for _, report := range rapid.SliceOf(status).Draw(t, "reports") {
			state = execution.Next(state, report)
			if terminal != "" && state != terminal {
				t.Fatalf("a terminal %s became %s", terminal, state)
			}
			if again := execution.Next(state, report); again != state {
				t.Fatalf("the same report again moved %s to %s", state, again)
			}
			if state.Terminal() {
				terminal = state
			}
		}
	})
}

func TestWorst(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		runs   []execution.Status
		want   execution.Status
		reason string
	}{
		"None":           {nil, execution.Errored, "nothing that did not run has passed"},
		"AllPassed":      {[]execution.Status{execution.Passed, execution.Passed}, execution.Passed, "all green"},
		"PassedSkipped":  {[]execution.Status{execution.Skipped, execution.Passed}, execution.Passed, "one ran and passed"},
		"FailedWins":     {[]execution.Status{execution.Errored, execution.Failed, execution.Passed}, execution.Failed, "a failed test says more than a broken node"},
		"StillRunning":   {[]execution.Status{execution.Failed, execution.Running}, execution.Running, "not over before every run is"},
		"StartedOverall": {[]execution.Status{execution.Passed, execution.Queued}, execution.Running, "part of it is done"},
		"PausedFirst":    {[]execution.Status{execution.Paused, execution.Running}, execution.Paused, "a person is waited for"},
		"PausedLast":     {[]execution.Status{execution.Running, execution.Paused, execution.Queued}, execution.Paused, "in whatever order"},
		"Pending":        {[]execution.Status{execution.Queued, execution.Pending}, execution.Pending, "the furthest live run"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := execution.Worst(tc.runs); got != tc.want {
				t.Errorf("Worst(%v) = %s, want %s: %s", tc.runs, got, tc.want, tc.reason)
			}
		})
	}
}

func TestStreamIndex(t *testing.T) {
	t.Parallel()
	if i, ok := execution.StreamIndex(execution.Stream(12)); !ok || i != 12 {
		t.Errorf("round trip of 12 gave %d, %t", i, ok)
	}
	for name, stream := range map[string]string{
		"Empty": "", "NoNumber": "step/", "Negative": "step/-1", "Padded": "step/01", "Plus": "step/+1", "Other": "service/1", "Trailing": "step/1 ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if i, ok := execution.StreamIndex(stream); ok {
				t.Errorf("%q was taken as step %d", stream, i)
			}
		})
	}
}

func TestStreamService(t *testing.T) {
	t.Parallel()
	if s, ok := execution.StreamService(execution.ServiceStream("my-db")); !ok || s != "my-db" || !execution.IsStream("service/my-db") {
		t.Errorf("round trip of my-db gave %q, %t", s, ok)
	}
	for name, stream := range map[string]string{
		"Empty": "", "NoName": "service/", "Step": "step/1", "Upper": "service/DB", "Path": "service/a/b", "Dots": "service/..", "Long": "service/" + strings.Repeat("a", 51),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s, ok := execution.StreamService(stream); ok {
				t.Errorf("%q was taken as service %q", stream, s)
			}
		})
	}
}

func FuzzStreamIndex(f *testing.F) {
	f.Add("step/7")
	f.Add("step/007")
	f.Fuzz(func(t *testing.T, stream string) {
		if i, ok := execution.StreamIndex(stream); ok && execution.Stream(i) != stream {
			t.Errorf("%q and %q are one stream", stream, execution.Stream(i))
		}
	})
}

// TestWorst_Property proves what holds of every execution: the order of its runs makes no difference, it is live as long as one of them
// is, and its end is that of one of them.
func TestWorst_Property(t *testing.T) {
	t.Parallel()
	status := rapid.SampledFrom(execution.Statuses())
	rapid.Check(t, func(t *rapid.T) {
		runs := rapid.SliceOfN(status, 1, 6).Draw(t, "runs")
		got := execution.Worst(runs)
		if other := execution.Worst(rapid.Permutation(runs).Draw(t, "in another order")); other != got && (got.Terminal() || other.Terminal()) {
			t.Fatalf("%s in one order, %s in another", got, other)
		}
		live := slices.ContainsFunc(runs, func(s execution.Status) bool { return !s.Terminal() })
		if got.Terminal() == live {
			t.Fatalf("%v make %s", runs, got)
		}
		if !live && !slices.Contains(runs, got) {
			t.Fatalf("%v make %s, which is the end of none", runs, got)
		}
	})
}

// TestProperty_Execution proves that an execution ends once, however reports of its runs come in: the statuses of runs move by Next, and that
// of the execution follows.
func TestProperty_Execution(t *testing.T) {
	t.Parallel()
	status := rapid.SampledFrom(execution.Statuses())
	rapid.Check(t, func(t *rapid.T) {
		runs := make([]execution.Status, rapid.IntRange(1, 4).Draw(t, "runs"))
		for i := range runs {
			runs[i] = execution.Queued
		}
		whole := execution.Queued
		for range rapid.IntRange(0, 30).Draw(t, "reports") {
			i := rapid.IntRange(0, len(runs)-1).Draw(t, "run")
			runs[i] = execution.Next(runs[i], status.Draw(t, "report"))
			before := whole
			whole = execution.Next(whole, execution.Worst(runs))
			if before.Terminal() && whole != before {
				t.Fatalf("it ended as %s and became %s", before, whole)
			}
		}
	})
}
