package words_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/words"
)

func TestRunsAgain(t *testing.T) {
	t.Parallel()
	const p, f, x, s = execution.Passed, execution.Failed, execution.Cancelled, execution.Skipped
	for name, tc := range map[string]struct {
		runs []execution.Status
		none string // why nothing can be run apart
		says string
	}{
		"Green":  {[]execution.Status{p, s}, "Nothing has failed.", ""},
		"Alone":  {[]execution.Status{f}, "It has one run, which Rerun runs again.", ""},
		"AllBad": {[]execution.Status{f, x}, "None of its 2 runs has passed, and Rerun runs them all.", ""},
		"Some":   {[]execution.Status{p, f, x}, "", "Failed only is 2 runs of 3: b; c."},
		"Many":   {[]execution.Status{p, f, f, f, f, x}, "", "Failed only is 5 runs of 6: b; c; d; and 2 more."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e execution.Execution
			for i, status := range tc.runs {
				e.Runs = append(e.Runs, execution.Run{Name: string(rune('a' + i)), Status: status})
			}
			if got := words.NothingApart(e); got != tc.none {
				t.Errorf("why not: %q, want %q", got, tc.none)
			}
			if got := words.RunsAgain(e); tc.says != "" && got != tc.says {
				t.Errorf("%q, want %q", got, tc.says)
			}
		})
	}
}
