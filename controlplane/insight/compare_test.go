package insight_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
)

func now() time.Time { return time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC) }

// world is a store of some executions, oldest first.
type world struct {
	insight.Store

	list  []execution.Execution
	cases map[execution.ID][]compare.Case
	runs  []testcase.Run
}

func (w *world) Execution(_ context.Context, id execution.ID) (execution.Execution, error) {
	for _, e := range w.list {
		if e.ID == id {
			return e, nil
		}
	}
	return execution.Execution{}, fault.New(fault.NotFound, "no execution %s", id)
}

func (w *world) Cases(_ context.Context, id execution.ID, limit int) ([]compare.Case, error) {
	return w.cases[id][:min(limit, len(w.cases[id]))], nil
}

func (w *world) Messages(_ context.Context, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	out := map[uuid.UUID]string{}
	for _, id := range ids {
		out[id] = "message"
	}
	return out, nil
}

func (w *world) Past(_ context.Context, _ string, before execution.ID, limit int) (out []execution.Execution, err error) {
	at := slices.IndexFunc(w.list, func(e execution.Execution) bool { return e.ID == before })
	for _, e := range slices.Backward(w.list[:at]) {
		out = append(out, e)
	}
	return out[:min(limit, len(out))], nil
}

func (w *world) TestRuns(context.Context, []string, time.Time, int) ([]board.Known, error) {
	return []board.Known{{Case: testcase.Case{Key: "k"}, Runs: w.runs}}, nil
}

// ran adds an execution that ended so in each environment, with one result of the test k.
func (w *world) ran(outcome results.Outcome, took time.Duration, status execution.Status, environments ...string) execution.ID {
	e := execution.Execution{ID: uuid.New(), Workflow: "smoke", Status: status}
	for _, name := range environments {
		id := uuid.New()
		e.Runs = append(e.Runs, execution.Run{Environment: name, Status: status, Attempts: []execution.Attempt{{ID: id, Delivered: true}}})
		e.Tests.Total++
		w.cases[e.ID] = append(w.cases[e.ID], compare.Case{ID: uuid.New(), Attempt: id, Key: "k", Title: "pays", Outcome: outcome, Duration: took})
	}
	w.list = append(w.list, e)
	return e.ID
}

func setup() (*insight.Service, *world) {
	w := &world{cases: map[execution.ID][]compare.Case{}}
	return insight.New(w, now), w
}

// TestService_Compare_LastGreen proves that the last green one is the last that passed in all the places, whatever came after it.
func TestService_Compare_LastGreen(t *testing.T) {
	t.Parallel()
	s, w := setup()
	w.ran(results.Passed, 0, execution.Passed, "eu", "us")
	both := w.ran(results.Passed, 0, execution.Passed, "eu", "us", "lab")
	eu := w.ran(results.Passed, 0, execution.Passed, "eu")
	w.ran(results.Failed, 0, execution.Failed, "eu", "us")
	last := w.ran(results.Failed, 0, execution.Failed, "eu", "us")
	c, err := s.Compare(t.Context(), insight.Question{Execution: last})
	if err != nil || c.Before.ID != both || !c.LastGreen || c.Tests.Before != 2 {
		t.Errorf("%s, %v, %d tests before: want the one that ran in both, without what it ran elsewhere", c.Before.ID, err, c.Tests.Before)
	}
	g := c.Tests.Group(compare.NewlyFailing)
	if g.Count != 2 || c.Messages[g.Tests[0].Result] != "message" {
		t.Errorf("%+v, messages %v", g, c.Messages)
	}
	c, err = s.Compare(t.Context(), insight.Question{Execution: last, Environment: "eu"})
	if err != nil || c.Before.ID != eu || c.Tests.After != 1 {
		t.Errorf("in eu: %s, %v, %d tests", c.Before.ID, err, c.Tests.After)
	}
	c, err = s.Compare(t.Context(), insight.Question{Execution: last, Base: eu})
	if err != nil || c.LastGreen || c.Tests.Group(compare.NewlyFailing).Count != 2 || c.Tests.Same != 0 {
		t.Errorf("with a named one: %+v, %v", c.Tests, err)
	}
}

func TestService_Compare_Faults(t *testing.T) {
	t.Parallel()
	s, w := setup()
	red := w.ran(results.Failed, 0, execution.Failed, "eu")
	running := w.ran(results.Passed, 0, execution.Running, "eu")
	big := w.ran(results.Passed, 0, execution.Passed, "eu")
	w.cases[big] = slices.Repeat(w.cases[big], 300_000)
	swept := w.ran(results.Failed, 0, execution.Failed, "eu")
	delete(w.cases, swept)
	arriving := func(status execution.Status, since time.Duration) execution.ID {
		id := w.ran(results.Failed, 0, status, "eu")
		last := &w.list[len(w.list)-1].Runs[0].Attempts[0]
		last.Delivered, last.FinishedAt = false, now().Add(-since)
		return id
	}
	early, late := arriving(execution.Failed, time.Minute), arriving(execution.Failed, time.Hour)
	for name, tc := range map[string]struct {
		q    insight.Question
		want fault.Kind
	}{
		"Absent":      {insight.Question{Execution: uuid.New()}, fault.NotFound},
		"BaseAbsent":  {insight.Question{Execution: red, Base: uuid.New()}, fault.NotFound},
		"NeverGreen":  {insight.Question{Execution: red}, fault.NotFound},
		"Running":     {insight.Question{Execution: running, Base: red}, fault.Conflict},
		"BaseRunning": {insight.Question{Execution: red, Base: running}, fault.Conflict},
		"Elsewhere":   {insight.Question{Execution: red, Environment: "moon"}, fault.Invalid},
		"TooMany":     {insight.Question{Execution: red, Base: big}, fault.Exhausted},
		"Swept":       {insight.Question{Execution: swept, Base: red}, fault.Conflict},
		"BaseSwept":   {insight.Question{Execution: red, Base: swept}, fault.Conflict},
		"Arriving":    {insight.Question{Execution: early, Base: red}, fault.Conflict},
		"NeverCame":   {insight.Question{Execution: late, Base: red}, ""},
	} {
		if _, err := s.Compare(t.Context(), tc.q); tc.want == "" && err != nil || tc.want != "" && !fault.Is(err, tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

// TestService_Compare_Again proves that a comparison is made once, for each organization, and anew when an execution says something else.
func TestService_Compare_Again(t *testing.T) {
	t.Parallel()
	s, w := setup()
	green := w.ran(results.Passed, 0, execution.Passed, "eu")
	red := w.ran(results.Failed, 0, execution.Failed, "eu")
	failing := func(of tenant.ID) int {
		ctx := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: of})
		c, err := s.Compare(ctx, insight.Question{Execution: red, Base: green})
		if err != nil || c.Before.ID != green || c.After.ID != red {
			t.Fatalf("%s and %s, %v", c.Before.ID, c.After.ID, err)
		}
		return c.Tests.Group(compare.NewlyFailing).Count
	}
	one, other := uuid.New(), uuid.New()
	want := failing(one)
	if want == 0 {
		t.Fatal("nothing fails")
	}
	w.cases[red] = slices.Clone(w.cases[green]) // which nobody would do to the results of an execution that has ended
	if got := failing(one); got != want {
		t.Errorf("%d fail, not %d: the comparison was made again", got, want)
	}
	if got := failing(other); got != 0 {
		t.Errorf("%d fail: it is what another organization was told", got)
	}
	w.list[1].Tests.Passed++
	if got := failing(one); got != 0 {
		t.Errorf("%d fail, although the execution has said something else", got)
	}
}

// TestService_Compare_LastGreenKept proves that an execution is passed over that is not over elsewhere, or of which nothing is left.
func TestService_Compare_LastGreenKept(t *testing.T) {
	t.Parallel()
	s, w := setup()
	green := w.ran(results.Passed, 0, execution.Passed, "eu")
	live := w.ran(results.Passed, 0, execution.Passed, "eu", "us")
	w.list[1].Status, w.list[1].Runs[1].Status = execution.Running, execution.Running
	swept := w.ran(results.Passed, 0, execution.Passed, "eu")
	delete(w.cases, swept)
	last := w.ran(results.Failed, 0, execution.Failed, "eu")
	if c, err := s.Compare(t.Context(), insight.Question{Execution: last}); err != nil || c.Before.ID != green {
		t.Errorf("%s, %v: want %s, not %s, which runs, or %s, which is gone", c.Before.ID, err, green, live, swept)
	}
	delete(w.cases, green)
	if _, err := s.Compare(t.Context(), insight.Question{Execution: last}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "no longer kept") {
		t.Errorf("all are gone: %v", err)
	}
	for at, want := range []string{"no execution of smoke before", "the last 1 execution"} {
		s, w := setup()
		for range at {
			w.ran(results.Failed, 0, execution.Failed, "eu")
		}
		_, err := s.Compare(t.Context(), insight.Question{Execution: w.ran(results.Failed, 0, execution.Failed, "eu")})
		if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("after %d: %v, want %q", at, err, want)
		}
	}
}

// TestService_Compare_Slower proves that only what the rule for durations marks is called slower.
func TestService_Compare_Slower(t *testing.T) {
	t.Parallel()
	runs := func(id execution.ID, subject string, took ...int) []testcase.Run {
		var out []testcase.Run
		for i, ms := range took {
			r := testcase.Run{Execution: uuid.New(), At: now(), Environment: "eu", Outcome: results.Passed, Subject: subject, Duration: time.Duration(ms) * time.Millisecond}
			if i == 0 {
				r.Execution = id
			}
			out = append(out, r)
		}
		return out
	}
	for name, tc := range map[string]struct {
		subjects [2]string
		took     []int
		want     int
		reason   string
	}{
		"Slower":      {[2]string{"a", "b"}, []int{1190, 1210, 1205, 1180, 1220}, 1, "the example of the design"},
		"Once":        {[2]string{"a", "b"}, []int{5000}, 0, "one slow run says nothing"},
		"SameSubject": {[2]string{"a", "a"}, []int{1190, 1210, 1205, 1180, 1220}, 0, "nothing has changed that could be slower"},
		"Unknown":     {[2]string{"a", ""}, []int{1190, 1210, 1205, 1180, 1220}, 0, "nobody knows what was tested"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := setup()
			before := w.ran(results.Passed, time.Second, execution.Passed, "eu")
			after := w.ran(results.Passed, 1300*time.Millisecond, execution.Passed, "eu")
			w.runs = append(runs(before, tc.subjects[0], 980, 1010, 995, 1005, 1000, 990, 1015, 985, 1002, 998), runs(after, tc.subjects[1], tc.took...)...)
			c, err := s.Compare(t.Context(), insight.Question{Execution: after})
			g := c.Tests.Group(compare.Slower)
			if err != nil || g.Count != tc.want {
				t.Fatalf("%+v, %v: want %d, %s", g, err, tc.want, tc.reason)
			}
			if tc.want > 0 && (g.Tests[0].Was != 999*time.Millisecond || g.Tests[0].Is != 1205*time.Millisecond) {
				t.Errorf("%+v: want the medians", g.Tests[0])
			}
		})
	}
}
