package words_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/ui/web/readiness"
	"github.com/seatrial/seatrial/ui/web/viewfake"
	"github.com/seatrial/seatrial/ui/web/words"
)

func TestBecause(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ application, version, release, because string }{
		"Ready": {
			viewfake.Checkout, "1.40.0", "shop/checkout 1.40.0 is ready.",
			"24 required tests in staging-eu and staging-us, and every rule holds without a waiver.",
		},
		"ReadyWithWaivers": {
			viewfake.Checkout, "1.41.0", "shop/checkout 1.41.0 is ready with waivers.",
			"24 required tests in staging-eu and staging-us, and every rule holds, but only with 1 waiver.",
		},
		"NotReady": {
			viewfake.Checkout, "1.42.0", "shop/checkout 1.42.0 is not ready.",
			"1 rule is broken by 2 tests in staging-eu and staging-us. Besides, evidence is missing for 6 of 24 required tests, of which 5 never ran.",
		},
		"NeverRan": {
			viewfake.Cart, "0.9.0", "shop/cart 0.9.0 is incomplete.",
			"Nothing that is known speaks against it, but evidence is missing for 15 of 24 required tests, of which 10 never ran.",
		},
		"Running": {
			viewfake.Cart, "0.9.1", "shop/cart 0.9.1 is incomplete.",
			"Nothing that is known speaks against it, but evidence is missing for 8 of 16 required tests, of which 8 are running.",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := viewfake.Sample()
			r, err := w.Releases().Get(signedIn(t, w), tc.application, tc.version)
			if err != nil {
				t.Fatal(err)
			}
			var out verdict.Output
			if err := json.Unmarshal(r.Verdict, &out); err != nil {
				t.Fatal(err)
			}
			if got := words.Release(r); got != tc.release {
				t.Errorf("got  %q\nwant %q", got, tc.release)
			}
			if got := words.Because(readiness.Of(r, out, viewfake.Now())); got != tc.because {
				t.Errorf("got  %q\nwant %q", got, tc.because)
			}
		})
	}
}

func TestBecause_Sparse(t *testing.T) {
	t.Parallel()
	at := func(names ...string) (cells []readiness.FailingCell) {
		for _, n := range names {
			cells = append(cells, readiness.FailingCell{Place: readiness.Place{Environment: n, Suite: "api"}})
		}
		return cells
	}
	tests := map[string]struct {
		report readiness.Report
		want   string
	}{
		"Undecided": {readiness.Report{}, "There is no verdict yet."},
		"Gap":       {readiness.Report{Gaps: []string{"Nothing is required."}}, "Nothing that is known speaks against it, but evidence is missing: nothing is required."},
		"NoTest":    {readiness.Report{Broken: []readiness.Rule{{Cells: at("a", "b", "c", "d")}, {Cells: at("a")}}}, "2 rules are broken in 4 environments."},
		"Unnamed":   {readiness.Report{Missing: []readiness.Rule{{Cells: at("a", "b")}}}, "Nothing that is known speaks against it, but evidence is missing in a and b."},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := words.Because(tc.report); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPeriod(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		72 * time.Hour: "3 days", 24 * time.Hour: "24 hours", time.Hour: "1 hour", 90 * time.Minute: "1 h 30 min", 8 * time.Hour: "8 hours",
	} {
		if got := words.Period(d); got != want {
			t.Errorf("Period(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	for l, want := range map[release.Link]string{
		release.Asked: "asked: its trigger named the release", release.Observed: "observed: it ran against the release's images", "odd": "odd",
	} {
		if got := words.Link(l); got != want {
			t.Errorf("Link(%s) = %q, want %q", l, got, want)
		}
	}
}
