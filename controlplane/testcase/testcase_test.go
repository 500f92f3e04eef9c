package testcase_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// now is when histories are judged; their runs are an hour apart, the last of them an hour ago.
func now() time.Time { return time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC) }

// history writes runs as their outcomes: P passed, F failed, R passed when it was tried again, S skipped, W failed with everything else.
// Each subject is what stands between blanks.
func history(text string) []testcase.Run {
	var runs []testcase.Run
	subject := 'a'
	for _, c := range text {
		r := testcase.Run{Execution: uuid.New(), Environment: "eu", Subject: string(subject), Duration: time.Minute, Outcome: results.Passed}
		switch c {
		case ' ':
			subject++
			continue
		case 'F':
			r.Outcome = results.Failed
		case 'R':
			r.Earlier = []results.Outcome{results.Failed}
		case 'S':
			r.Outcome = results.Skipped
		case 'W':
			r.Outcome, r.Storm = results.Failed, true
		}
		runs = append(runs, r)
	}
	for i := range runs {
		runs[i].At = now().Add(-time.Duration(len(runs)-i) * time.Hour)
	}
	return runs
}

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		runs    string
		class   flaky.Class
		n, k, b int
		inARow  int
		sure    bool
		reason  string
	}{
		"None":       {"", flaky.Unknown, 0, 0, 0, 0, false, "nothing is known"},
		"Healthy":    {"PPPPPPPPPP", flaky.Healthy, 10, 0, 0, 0, false, "it always passes"},
		"Flaky":      {"PFPFPFPFPF", flaky.Flaky, 10, 5, 0, 1, false, "both on one subject"},
		"Retried":    {"PPPRPPPPPR", flaky.Flaky, 12, 2, 0, 0, false, "what the tool hid counts"},
		"Regression": {"PPPPPPPPPP FFFFFFFFFF", flaky.Broken, 10, 0, 10, 10, true, "another subject fails: no flake, and sure to be since then"},
		"Fixed":      {"FFFFF PPPPP", flaky.Healthy, 5, 0, 5, 0, false, "it was mended"},
		"Storm":      {"PPPPPW", flaky.Healthy, 5, 0, 0, 0, false, "when all fails, no test is at fault"},
		"Skipped":    {"PPPPPSF", flaky.Flaky, 6, 1, 0, 1, false, "a skipped one says nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testcase.Judge(testcase.Case{Key: "k"}, history(tc.runs), now())
			s := h.Score
			if s.Class != tc.class || s.N != tc.n || s.K != tc.k || s.B != tc.b || h.Since.InARow != tc.inARow || h.Since.Sure != tc.sure {
				t.Errorf("%s n %d k %d b %d, %d in a row, sure %t, want %+v", s.Class, s.N, s.K, s.B, h.Since.InARow, h.Since.Sure, tc)
			}
		})
	}
}

// TestJudge_Unobserved holds that executions whose subject nobody saw are not taken for the same.
func TestJudge_Unobserved(t *testing.T) {
	t.Parallel()
	runs := history("PFPFPFPFPF")
	for i := range runs {
		runs[i].Subject = ""
	}
	if s := testcase.Judge(testcase.Case{}, runs, now()).Score; s.K != 0 || s.B != 5 || !s.Alternating {
		t.Errorf("%+v: nobody knows whether the same was tested", s)
	}
}

func TestJudge_Cost(t *testing.T) {
	t.Parallel()
	runs := history("PFPFPFPFPF")
	h := testcase.Judge(testcase.Case{}, runs, now())
	if want := 150 * time.Second; h.Cost != want { // half of five runs a week, of a minute each
		t.Errorf("cost %s, want %s", h.Cost, want)
	}
	if h.Runs[0].Execution != runs[9].Execution || h.Since.LastPass.Execution != runs[8].Execution || h.Since.Run.Execution != runs[9].Execution {
		t.Errorf("newest first, and failing since the last: %+v", h.Since)
	}
}

func TestQuarantine_Active(t *testing.T) {
	t.Parallel()
	q := testcase.Quarantine{Until: now()}
	ended := q
	ended.EndedAt = now().Add(-time.Hour)
	if !q.Active(now().Add(-time.Second)) || q.Active(now()) || ended.Active(now().Add(-time.Second)) {
		t.Error("a quarantine counts until its end")
	}
}
