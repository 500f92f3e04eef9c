package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/outlook"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// Stories is how releases fare over time.
type Stories interface {
	Stories(ctx context.Context, since time.Time) ([]outlook.Story, error)
}

func stories() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Stories": func(t *testing.T, f *fixture) {
			first, second := f.releasing(t, "1.0", "", shopImage), f.releasing(t, "2.0", "", otherImage)
			blocker := release.Blocker{Rule: "r", Environment: "staging", Suite: "smoke"}
			if _, err := f.SaveVerdict(f.as(t), first.ID, release.Decision{
				State: verdict.NotReady, Output: []byte("{}"), At: f.now, Arrivals: f.arrivals(t, first.ID), Blockers: []release.Blocker{blocker},
			}); err != nil {
				t.Fatal(err)
			}
			f.decided(t, second, verdict.Ready)
			later := release.Blocker{Rule: "r", Environment: "production", Suite: "smoke"}
			if changed, err := f.SaveVerdict(f.as(t), first.ID, release.Decision{
				State: verdict.NotReady, Output: []byte("{}"), At: f.now, Arrivals: f.arrivals(t, first.ID), Blockers: []release.Blocker{later},
			}); err != nil || changed {
				t.Fatalf("still not ready: changed %t, %v", changed, err)
			}
			f.decided(t, first, verdict.Ready)
			got, err := f.Stories(f.as(t), long())
			if err != nil || len(got) != 2 || got[0].Version != "2.0" || got[1].State != verdict.Ready || len(got[1].Changes) != 2 {
				t.Fatalf("%+v, %v", got, err)
			}
			if c := got[1].Changes; c[0].After != verdict.NotReady || !slices.Equal(c[0].Blockers, []release.Blocker{blocker, later}) || c[1].After != verdict.Ready || len(c[1].Blockers) != 0 {
				t.Errorf("changes %+v", c)
			}
			if got, err := f.Stories(f.as(t), time.Now().Add(time.Hour)); err != nil || len(got) != 0 {
				t.Errorf("since then: %+v, %v", got, err)
			}
			if got, err := f.Stories(foreigner(t), long()); err != nil || len(got) != 0 {
				t.Errorf("a stranger is told %+v, %v", got, err)
			}
		},
	}
}
