package compare_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/results"
)

// attempts of an execution in two environments, the second with a matrix.
func attempts() (execution.Execution, uuid.UUID, uuid.UUID, uuid.UUID) {
	eu, firefox, chrome := uuid.New(), uuid.New(), uuid.New()
	cell := func(browser string, id uuid.UUID) execution.Run {
		return execution.Run{Environment: "us", Matrix: map[string]string{"browser": browser}, Status: execution.Passed, Attempts: []execution.Attempt{{ID: id}}}
	}
	return execution.Execution{Runs: []execution.Run{
		{Environment: "eu", Status: execution.Passed, Attempts: []execution.Attempt{{ID: eu}}}, cell("firefox", firefox), cell("chrome", chrome),
	}}, eu, firefox, chrome
}

// said makes cases of one attempt from letters: P passed, F failed, G failed for another cause, S skipped, B blocked, R passed when tried again.
func said(attempt uuid.UUID, letters string) []compare.Case {
	var out []compare.Case
	for _, l := range letters {
		c := compare.Case{ID: uuid.New(), Attempt: attempt, Key: "k", Title: "cart › pays", Outcome: results.Passed, Duration: time.Second}
		switch l {
		case 'F', 'G':
			c.Outcome, c.Fingerprint = results.Failed, "fp1:"+string(l)
		case 'S':
			c.Outcome = results.Skipped
		case 'B':
			c.Outcome = results.Blocked
		case 'R':
			c.Earlier = []string{"failed"}
		}
		out = append(out, c)
	}
	return out
}

func TestOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, after string // what the reports of one attempt say of the same test
		want          compare.Kind
		other         bool
		reason        string
	}{
		"Passes":          {before: "P", after: "P", reason: "nothing changed"},
		"Breaks":          {before: "P", after: "F", want: compare.NewlyFailing, reason: "it passed before"},
		"NewAndFails":     {after: "F", want: compare.NewlyFailing, reason: "what fails has to be seen, even when it is new"},
		"SkippedThenFail": {before: "S", after: "F", want: compare.NewlyFailing, reason: "nobody knew that it fails"},
		"FlakyThenFails":  {before: "R", after: "F", want: compare.NewlyFailing, reason: "flaky is not failed"},
		"StillFails":      {before: "F", after: "F", want: compare.StillFailing, reason: "the same failure"},
		"OtherCause":      {before: "F", after: "G", want: compare.StillFailing, other: true, reason: "another fingerprint"},
		"TurnsFlaky":      {before: "P", after: "R", want: compare.NewlyFlaky, reason: "a tool that tries again hides it"},
		"TwoReports":      {before: "P", after: "PF", want: compare.NewlyFlaky, reason: "all that an execution says of a test counts"},
		"StaysFlaky":      {before: "R", after: "PF", reason: "flaky both times"},
		"Mended":          {before: "F", after: "P", want: compare.NewlyPassing, reason: "it failed before"},
		"RunsAgain":       {before: "S", after: "P", want: compare.NewlyPassing, reason: "it said nothing before"},
		"Gone":            {before: "P", want: compare.NewlyAbsent, reason: "no report has it"},
		"SkippedGone":     {before: "S", want: compare.NewlyAbsent, reason: "no report has it"},
		"Skips":           {before: "P", after: "S", want: compare.NewlyAbsent, reason: "it says nothing any more"},
		"Blocks":          {before: "F", after: "B", want: compare.NewlyAbsent, reason: "a failure that cannot be seen is not mended"},
		"SkipsStill":      {before: "S", after: "B", reason: "it says nothing both times"},
		"New":             {after: "P", want: compare.NewlyPresent, reason: "it was not there"},
		"NewSkipped":      {after: "S", want: compare.NewlyPresent, reason: "it was not there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, at, _, _ := attempts()
			got := compare.Of(compare.Side{Execution: b, Cases: said(at, tc.before)}, compare.Side{Execution: b, Cases: said(at, tc.after)})
			n := 0
			for _, g := range got.Groups {
				n += g.Count
				if g.Count > 0 && (g.Kind != tc.want || g.Tests[0].OtherCause != tc.other) {
					t.Errorf("%s (%+v), want %q: %s", g.Kind, g.Tests[0], tc.want, tc.reason)
				}
			}
			if n+got.Same != 1 || (tc.want == "") != (got.Same == 1) {
				t.Errorf("%d of a kind and %d the same, want %q: %s", n, got.Same, tc.want, tc.reason)
			}
		})
	}
}

// TestOf_Places proves that a test is another one in another environment, cell and variant, and that places can be left out.
func TestOf_Places(t *testing.T) {
	t.Parallel()
	e, eu, firefox, chrome := attempts()
	before := slices.Concat(said(eu, "P"), said(firefox, "P"), said(chrome, "F"))
	after := slices.Concat(said(eu, "P"), said(firefox, "F"), said(chrome, "F"))
	got := compare.Of(compare.Side{Execution: e, Cases: before}, compare.Side{Execution: e, Cases: after})
	failing := got.Group(compare.NewlyFailing)
	if failing.Count != 1 || failing.Tests[0].Place != (compare.Place{Environment: "us", Cell: "browser=firefox"}) || got.Before != 3 || got.Same != 1 {
		t.Errorf("%+v", got)
	}
	only := func(p compare.Place) bool { return p.Environment == "eu" }
	got = compare.Of(compare.Side{Execution: e, Cases: before, Only: only}, compare.Side{Execution: e, Cases: after, Only: only})
	if got.Before != 1 || got.After != 1 || got.Same != 1 {
		t.Errorf("in eu alone: %+v", got)
	}
	webkit := said(eu, "F")
	webkit[0].Variant = "webkit"
	got = compare.Of(compare.Side{Execution: e, Cases: said(eu, "P")}, compare.Side{Execution: e, Cases: append(said(eu, "P"), webkit...)})
	if got.Same != 1 || got.Group(compare.NewlyFailing).Count != 1 {
		t.Errorf("another variant: %+v", got)
	}
}

// TestOf_Many proves that counts are exact and lists bounded, and that a suite of a hundred thousand tests is no trouble.
func TestOf_Many(t *testing.T) {
	t.Parallel()
	const n = 100_000
	e, at, _, _ := attempts()
	var before, after []compare.Case
	for i := range n {
		c := compare.Case{ID: uuid.New(), Attempt: at, Key: fmt.Sprintf("%032x", i), Title: fmt.Sprintf("test %06d", i), Outcome: results.Passed, Duration: time.Millisecond}
		before = append(before, c)
		c.Outcome, c.Duration = results.Failed, time.Second
		if i%2 == 0 {
			c.Outcome = results.Passed
		}
		after = append(after, c)
	}
	started := time.Now()
	got := compare.Of(compare.Side{Execution: e, Cases: before}, compare.Side{Execution: e, Cases: after})
	t.Logf("%d tests on either side compared in %s", n, time.Since(started))
	g := got.Group(compare.NewlyFailing)
	if g.Count != n/2 || len(g.Tests) != compare.MaxListed || g.Tests[0].Title != "test 000001" || got.Same != n/2 || len(got.Slow) != compare.MaxSlow {
		t.Errorf("%d failing, %d listed from %q; %d the same, %d slow", g.Count, len(g.Tests), g.Tests[0].Title, got.Same, len(got.Slow))
	}
}

func TestGreen(t *testing.T) {
	t.Parallel()
	e, _, _, _ := attempts()
	eu := compare.Places(e, "eu")
	if len(eu) != 1 || len(compare.Places(e, "")) != 3 || len(compare.Places(e, "lab")) != 0 {
		t.Fatalf("places %v", eu)
	}
	if !compare.Green(e, eu) || !compare.Green(e, compare.Places(e, "")) {
		t.Error("everything has passed")
	}
	e.Runs[1].Status = execution.Failed
	if !compare.Green(e, eu) || compare.Green(e, compare.Places(e, "us")) {
		t.Error("it is green in eu alone")
	}
	if compare.Green(execution.Execution{Runs: e.Runs[2:]}, compare.Places(e, "us")) {
		t.Error("a cell of the matrix is lacking")
	}
}

func TestHeads(t *testing.T) {
	t.Parallel()
	subject := func(digest string) *execution.Subject {
		return &execution.Subject{ObservedAt: time.Unix(1, 0), Images: []execution.SubjectImage{
			{Container: "shop", Image: "shop:1", Digest: digest}, {Container: "db", Image: "db:1", Digest: "sha256:d"},
		}}
	}
	side := func(change func(*execution.Execution)) compare.Side {
		e := execution.Execution{
			Workflow: "smoke", Revision: 3, Digest: "sha256:w3", Commit: "c1", Params: map[string]string{"users": "10", "old": "1"},
			Templates: []execution.Template{{Name: "pw", Revision: 1, Digest: "sha256:t1"}},
			Runs:      []execution.Run{{Environment: "eu", Attempts: []execution.Attempt{{Start: subject("sha256:a"), End: subject("sha256:a")}}}},
		}
		if change != nil {
			change(&e)
		}
		return compare.Side{Execution: e}
	}
	if d, unknown := compare.Heads(side(nil), side(nil)); len(d)+len(unknown) != 0 {
		t.Errorf("the same: %v, %v", d, unknown)
	}
	got, unknown := compare.Heads(side(nil), side(func(e *execution.Execution) {
		e.Revision, e.Digest, e.Commit, e.Params, e.Templates[0].Revision = 4, "sha256:w4", "c2", map[string]string{"users": "20"}, 2
		e.Runs[0].Attempts[0].Start, e.Runs[0].Attempts[0].End = subject("sha256:b"), subject("sha256:b")
	}))
	want := []compare.Difference{
		{"image", "shop in eu", "sha256:a", "sha256:b"},
		{"commit", "", "c1", "c2"},
		{"revision", "", "3 (sha256:w3)", "4 (sha256:w4)"},
		{"template", "pw", "1 (sha256:t1)", "2 (sha256:t1)"},
		{"parameter", "old", "1", ""},
		{"parameter", "users", "10", "20"},
	}
	if !slices.Equal(got, want) || len(unknown) != 0 {
		t.Errorf("%v\nwant %v; unknown %v", got, want, unknown)
	}
	got, unknown = compare.Heads(side(nil), side(func(e *execution.Execution) {
		e.Runs[0].Attempts[0].Start, e.Runs[0].Attempts[0].End = &execution.Subject{Message: "the agent may not look"}, nil
	}))
	if len(got) != 0 || len(unknown) != 1 || !strings.Contains(unknown[0], "the agent may not look") {
		t.Errorf("nobody knows what ran: %v, %v", got, unknown)
	}
	got, unknown = compare.Heads(side(nil), side(func(e *execution.Execution) {
		for i := range 300 {
			e.Params[fmt.Sprint(i)] = "x"
		}
	}))
	if len(got) != compare.MaxDifferences || !strings.Contains(unknown[0], "100 more differences") {
		t.Errorf("%d listed, %v", len(got), unknown)
	}
}
