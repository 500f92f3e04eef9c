package outlook_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/outlook"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// now is a Tuesday.
var now = time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)

func ago(hours int) time.Time { return now.Add(-time.Duration(hours) * time.Hour) }

func change(after verdict.State, at time.Time, blockers ...release.Blocker) release.Change {
	return release.Change{After: after, At: at, Blockers: blockers}
}

func TestSince(t *testing.T) {
	t.Parallel()
	if got := outlook.Since(now); !got.Equal(time.Date(2026, 8, 17, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%s: want the Monday of eleven weeks ago", got)
	}
	if got := outlook.Since(time.Date(2026, 11, 1, 23, 0, 0, 0, time.UTC)); got.Weekday() != time.Monday {
		t.Errorf("of a Sunday: %s", got.Weekday())
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	slow, flaky := release.Blocker{Rule: "fast", Environment: "eu", Suite: "load"}, release.Blocker{Rule: "stable", Environment: "eu", Suite: "api"}
	got := outlook.Of([]outlook.Story{
		{CreatedAt: ago(30), State: verdict.ReadyWithWaivers, Asked: []time.Time{ago(27), ago(29)}, Changes: []release.Change{
			change(verdict.Incomplete, ago(30)), change(verdict.NotReady, ago(28), slow, flaky), change(verdict.ReadyWithWaivers, ago(20)),
		}},
		{CreatedAt: ago(10), State: verdict.NotReady, Changes: []release.Change{change(verdict.NotReady, ago(9), slow), change(verdict.Ready, ago(6)), change(verdict.NotReady, ago(5), slow)}},
		{CreatedAt: ago(8 * 24), State: verdict.Ready, Changes: []release.Change{change(verdict.Ready, ago(8*24-1))}},
		{CreatedAt: ago(200 * 24), State: verdict.Ready, Changes: []release.Change{change(verdict.Ready, ago(0), flaky)}},
	}, now)
	if got.Releases != 3 || got.Ready != 2 || got.Waived != 1 || got.Readied != 3 || got.ToReady != 4*time.Hour || got.Cut {
		t.Errorf("%+v: want nothing of what is older", got)
	}
	if got.Answered != 2 || got.Open != 1 || got.ToAnswer != 2*time.Hour {
		t.Errorf("answered %d in %s, open %d: want that a waiver answers as well as another verdict, and none from before", got.Answered, got.ToAnswer, got.Open)
	}
	want := []outlook.Blocker{{Blocker: slow, Releases: 2, Last: ago(5)}, {Blocker: flaky, Releases: 1, Last: ago(28)}}
	if diff := cmp.Diff(want, got.Blockers); diff != "" {
		t.Errorf("each release counts once (-want +got):\n%s", diff)
	}
	if last, before := got.Weeks[11], got.Weeks[10]; last.Releases != 2 || before.Releases != 1 || before.ToReady != time.Hour || last.States[verdict.NotReady] != 1 || len(got.Weeks) != 12 {
		t.Errorf("weeks %+v, %+v", before, last)
	}
}

func TestOf_Nothing(t *testing.T) {
	t.Parallel()
	if got := outlook.Of(nil, now); len(got.Weeks) != 12 || got.Releases != 0 || got.ToAnswer != 0 || len(got.Blockers) != 0 {
		t.Errorf("%+v", got)
	}
	many := make([]outlook.Story, 1001)
	if !outlook.Of(many, now).Cut {
		t.Error("it does not say that there is more")
	}
}
