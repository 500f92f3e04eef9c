package coverage_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
)

func TestOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * 24 * time.Hour) }
	ran := func(status execution.Status, days, green int) *coverage.Last {
		l := &coverage.Last{Cell: coverage.Cell{Workflow: "w", Environment: "eu"}, Status: status, At: ago(days)}
		if green >= 0 {
			l.GreenAt = ago(green)
		}
		return l
	}
	for name, tc := range map[string]struct {
		flow      coverage.Flow
		last      *coverage.Last
		elsewhere bool // it is covered in us
		required  bool
		want      coverage.State
		gap       bool
		reason    string
	}{
		"Covered":         {last: ran(execution.Passed, 1, 1), want: coverage.Covered, reason: "it passed yesterday"},
		"BrokenOfLate":    {last: ran(execution.Failed, 1, 3), want: coverage.Covered, reason: "a failure is a result; it has passed before"},
		"OnlyRed":         {last: ran(execution.Failed, 1, -1), want: coverage.Red, gap: true, reason: "nobody knows whether it can pass there"},
		"Stale":           {last: ran(execution.Passed, 15, 15), want: coverage.Stale, gap: true, reason: "older than 14 days"},
		"StaleAndRed":     {last: ran(execution.Failed, 15, -1), want: coverage.Stale, gap: true, reason: "its age weighs more"},
		"JustFresh":       {last: ran(execution.Passed, 14, 14), want: coverage.Covered, reason: "exactly at the bound"},
		"Never":           {want: coverage.Never, gap: true, reason: "it could run anywhere"},
		"NamesIt":         {flow: coverage.Flow{Places: []string{"eu"}}, want: coverage.Never, gap: true, reason: "it says so itself"},
		"NamesOthers":     {flow: coverage.Flow{Places: []string{"us"}}, want: coverage.Elsewhere, reason: "it is not meant to run there"},
		"RequiredAnyway":  {flow: coverage.Flow{Places: []string{"us"}}, required: true, want: coverage.Never, gap: true, reason: "a policy requires it"},
		"RanAnyway":       {flow: coverage.Flow{Places: []string{"us"}}, last: ran(execution.Passed, 1, 1), want: coverage.Covered, reason: "what ran is shown"},
		"OneIsEnough":     {flow: coverage.Flow{Places: []string{"eu", "us"}, Any: true}, elsewhere: true, want: coverage.Never, reason: "it passed in us"},
		"NoneYet":         {flow: coverage.Flow{Places: []string{"eu", "us"}, Any: true}, want: coverage.Never, gap: true, reason: "it passed in neither"},
		"EnoughNotForAll": {flow: coverage.Flow{Places: []string{"eu", "us"}, Any: true}, elsewhere: true, required: true, want: coverage.Never, gap: true, reason: "a policy requires it here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.flow.Name = "w"
			var last []coverage.Last
			if tc.last != nil {
				last = append(last, *tc.last)
			}
			if tc.elsewhere {
				last = append(last, coverage.Last{Cell: coverage.Cell{Workflow: "w", Environment: "us"}, At: now, GreenAt: now})
			}
			required := map[coverage.Cell][]string{}
			if tc.required {
				required[coverage.Cell{Workflow: "w", Environment: "eu"}] = []string{"gate"}
			}
			m := coverage.Of([]coverage.Flow{tc.flow}, []string{"eu", "us"}, last, required, ago(14))
			got := m.Rows[0].Cells[0]
			if got.State != tc.want || got.Gap != tc.gap || got.Environment != "eu" {
				t.Errorf("%s, a gap: %t; want %s, %t: %s", got.State, got.Gap, tc.want, tc.gap, tc.reason)
			}
		})
	}
}

// TestOf_Order proves that what a policy requires comes first, then what has most gaps, and that rows without one can be left out.
func TestOf_Order(t *testing.T) {
	t.Parallel()
	now := time.Now()
	last := []coverage.Last{
		{Cell: coverage.Cell{Workflow: "good", Environment: "eu"}, At: now, GreenAt: now},
		{Cell: coverage.Cell{Workflow: "good", Environment: "us"}, At: now, GreenAt: now},
		{Cell: coverage.Cell{Workflow: "asked", Environment: "us"}, At: now, GreenAt: now},
	}
	required := map[coverage.Cell][]string{{Workflow: "asked", Environment: "eu"}: {"gate"}}
	m := coverage.Of([]coverage.Flow{{Name: "good"}, {Name: "none"}, {Name: "asked"}}, []string{"eu", "us"}, last, required, now.Add(-time.Hour))
	if m.Gaps != 3 || m.Required != 1 || m.Rows[0].Workflow != "asked" || m.Rows[1].Workflow != "none" || m.Rows[2].Workflow != "good" {
		t.Errorf("%+v", m)
	}
	if only := m.GapsOnly(); len(only.Rows) != 2 || len(m.Rows) != 3 || only.Gaps != 3 {
		t.Errorf("with gaps only: %+v", only)
	}
}
