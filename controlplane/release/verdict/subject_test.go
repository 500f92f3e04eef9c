package verdict_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// watched is a run and which evidence of it speaks on the release.
type watched struct {
	release             []verdict.Image
	start, end          []verdict.Image
	passes, fails, open bool // whether a pass, a failure and what is not over do
	reason              string
}

func watchedImages() map[string]watched {
	cart, next, both := images("cart@sha256:aa"), images("cart@sha256:bb"), images("cart@sha256:aa", "web@sha256:ab")
	canary := images("cart@sha256:aa", "cart@sha256:bb")
	unnamed, unnamedNext := images("@sha256:aa"), images("@sha256:bb")
	return map[string]watched{
		"Both":          {cart, cart, cart, true, true, true, "the same at both times"},
		"Nothing":       {cart, nil, nil, false, false, true, "nobody looked: it may prove to be the release while it runs"},
		"NoEnd":         {cart, cart, nil, false, true, true, "a crash took the image away: its failure stays, a pass proves nothing"},
		"NoStart":       {cart, nil, cart, false, true, true, "seen once: enough for a failure"},
		"EndElsewhere":  {cart, cart, images("db@sha256:01"), false, true, true, "the place is empty at the end"},
		"StartEmpty":    {cart, images("db@sha256:01"), cart, false, false, false, "what ran first was not the release"},
		"Replaced":      {cart, cart, next, false, false, true, "a failure may be of what came"},
		"RolledOut":     {cart, next, cart, false, false, false, "another was there first"},
		"Canary":        {cart, canary, canary, false, false, false, "old and new at once"},
		"CanaryAtEnd":   {cart, cart, canary, false, false, true, "an update under way"},
		"CanaryAtStart": {cart, canary, cart, false, false, false, "an update that came to its end"},
		"StartLost":     {cart, nil, canary, false, false, true, "old and new, and nothing before"},
		"Neighbour":     {cart, both, images("cart@sha256:aa", "web@sha256:02"), true, true, true, "what is no part of the release may change"},
		"NoDigestThere": {cart, cart, images("cart@sha256:aa", "cart@"), false, false, true, "something unknown in the place"},

		"Mirror": {cart, images("mirror/cart@sha256:aa"), images("mirror/cart@sha256:aa"), true, true, true, "digests decide, not names"},
		"MirrorBeside": {
			cart, images("mirror/cart@sha256:aa", "mirror/cart@sha256:bb"), images("mirror/cart@sha256:aa"), false, false, false,
			"the place is where its digest is",
		},
		"MirrorLater": {
			cart, images("cart@sha256:aa", "mirror/cart@sha256:bb"), images("mirror/cart@sha256:aa"), false, false, false,
			"a place at one time is one at the other",
		},
		"ItsOwnName": {
			cart, images("mirror/cart@sha256:aa", "cart@sha256:bb"), images("mirror/cart@sha256:aa"), false, false, false,
			"the repository that the release names is a place, whatever is in it",
		},

		"Two":          {both, both, both, true, true, true, "all of them"},
		"OneOfTwo":     {both, cart, cart, false, false, false, "one was never there"},
		"OneLost":      {both, both, cart, false, true, true, "one crashed, and the other is as it was"},
		"OneReplaced":  {both, both, images("cart@sha256:aa", "web@sha256:02"), false, false, true, "one is another"},
		"LostReplaced": {both, both, images("web@sha256:02"), false, false, true, "one crashed, and in the other's place is another"},
		"Platforms": {
			images("cart@sha256:aa", "cart@sha256:a2"), images("cart@sha256:a2", "cart@sha256:aa"), images("cart@sha256:aa", "cart@sha256:a2"),
			true, true, true, "several digests of one repository are all of the release",
		},

		"Unnamed":       {unnamed, unnamed, unnamed, true, true, true, "digests are enough"},
		"UnnamedBeside": {unnamed, images("@sha256:aa", "@sha256:bb"), unnamed, true, true, true, "each is a place of its own"},
		"UnnamedGone":   {unnamed, unnamed, unnamedNext, false, true, true, "its own place is empty, and nobody knows what the other is"},
		"UnnamedThere":  {cart, unnamed, canary, false, false, true, "what stands beside it has a name at the end"},
		"NoDigest":      {images("cart@"), images("cart@"), images("cart@"), false, false, false, "an image without a digest is none"},
	}
}

// subjectOK returns whether evidence of a run speaks on a release, and what the test is then.
func subjectOK(t *testing.T, release verdict.Release, run verdict.Run, outcome string) bool {
	t.Helper()
	release.Application, release.Version, run.ID = "shop/cart", "1.4.0", "own"
	in := input(cell("eu", "a", attempts("a:"+outcome, from("own"))))
	in.Release, in.Runs = release, []verdict.Run{run}
	return decide(t, in).Cells[0].Results[0].SubjectOK
}

func TestDecide_Subject(t *testing.T) {
	t.Parallel()
	for name, tc := range watchedImages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := verdict.Release{Images: tc.release}
			over := verdict.Run{Subject: verdict.Subject{Start: tc.start, End: tc.end}}
			going := verdict.Run{Running: true, Subject: verdict.Subject{Start: tc.start}}
			passes := map[string]bool{"passed": tc.passes, "skipped": tc.passes, "blocked": tc.passes, "infra_error": tc.passes, "cancelled": tc.passes}
			for outcome, want := range passes {
				if got := subjectOK(t, release, over, outcome); got != want {
					t.Errorf("%s speaks: %t, want %t: %s", outcome, got, want, tc.reason)
				}
			}
			for _, outcome := range []string{"failed", "errored", "timed_out"} {
				if got := subjectOK(t, release, over, outcome); got != tc.fails {
					t.Errorf("%s speaks: %t, want %t: %s", outcome, got, tc.fails, tc.reason)
				}
			}
			if name == "MirrorLater" || name == "UnnamedThere" { // known at the end only
				return
			}
			if got := subjectOK(t, release, going, "running"); got != tc.open {
				t.Errorf("what runs speaks: %t, want %t: %s", got, tc.open, tc.reason)
			}
		})
	}
}

func TestDecide_SubjectByCommit(t *testing.T) {
	t.Parallel()
	old, next, more := images("cart@sha256:aa"), images("cart@sha256:bb"), images("cart@sha256:aa", "web@sha256:01")
	tests := map[string]struct {
		release             verdict.Release
		subject             verdict.Subject
		passes, fails, open bool
		reason              string
	}{
		"NothingSeen": {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1"}, true, true, true, "only the commit counts"},
		"Same":        {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1", Start: more, End: more}, true, true, true, "nothing changed"},
		"Renamed":     {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1", Start: old, End: images("mirror@sha256:aa")}, true, true, true, "the same digests"},
		"StartOnly":   {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1", Start: old}, true, true, true, "nothing to compare with"},
		"EndOnly":     {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1", End: old}, true, true, true, "nothing to compare with"},
		"Mixed":       {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1", Start: old, End: next}, false, false, true, "something else was rolled out meanwhile"},
		"Came":        {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1", Start: old, End: more}, false, false, true, "something came"},
		"Gone":        {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c1", Start: more, End: old}, false, true, true, "something crashed, and nothing came in its place"},
		"Other":       {verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c2", Start: old, End: old}, false, false, false, "another commit"},
		"Unknown":     {verdict.Release{Commit: "c1"}, verdict.Subject{Start: old, End: old}, false, false, true, "nobody saw a commit yet"},
		"Beside":      {verdict.Release{Commit: "c1", Images: old}, verdict.Subject{Commit: "c2", Start: old}, false, false, false, "the right image, and not its tests"},
		"OfNothing":   {verdict.Release{}, verdict.Subject{Commit: "c1", Start: old, End: old}, false, false, false, "a release of nothing was never seen"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			going := verdict.Run{Running: true, Subject: verdict.Subject{Start: tc.subject.Start, Commit: tc.subject.Commit}}
			if got := subjectOK(t, tc.release, verdict.Run{Subject: tc.subject}, "passed"); got != tc.passes {
				t.Errorf("a pass speaks: %t, want %t: %s", got, tc.passes, tc.reason)
			}
			if got := subjectOK(t, tc.release, verdict.Run{Subject: tc.subject}, "failed"); got != tc.fails {
				t.Errorf("a failure speaks: %t, want %t: %s", got, tc.fails, tc.reason)
			}
			if got := subjectOK(t, tc.release, going, "running"); got != tc.open {
				t.Errorf("what runs speaks: %t, want %t: %s", got, tc.open, tc.reason)
			}
		})
	}
}

// TestDecide_SubjectOfRuns holds what the rules say of runs that see the release in part, beside one that passed on it.
func TestDecide_SubjectOfRuns(t *testing.T) {
	t.Parallel()
	cart, next := images("shop/cart@sha256:aa"), images("shop/cart@sha256:bb")
	critical := cell("eu", "a!", attempts("a:passed"))
	beside := func(word string, run verdict.Run) verdict.Input {
		c := critical
		c.Evidence = append(attempts(word, from("own")), c.Evidence...)
		in := input(c)
		run.ID = "own"
		in.Runs = append(in.Runs, run)
		return in
	}
	crashed := verdict.Subject{Start: cart}
	tests := map[string]decided{
		"Crash":      {beside("a:failed", verdict.Run{Subject: crashed}), verdict.NotReady, "flaky-budget@eu critical-not-flaky@eu", "", "the crash does not erase what caused it"},
		"CrashPass":  {beside("a:passed", verdict.Run{Subject: crashed}), verdict.Ready, "", "", "a pass that proves nothing does no harm"},
		"Replaced":   {beside("a:failed", verdict.Run{Subject: verdict.Subject{Start: cart, End: next}}), verdict.Ready, "", "", "it may have failed on what came"},
		"Again":      {beside("a:running", verdict.Run{Running: true}), verdict.Incomplete, "evidence-complete@eu", "", "somebody asks again, of what nobody knows yet"},
		"AgainOn":    {beside("a:running", verdict.Run{Running: true, Subject: crashed}), verdict.Incomplete, "evidence-complete@eu", "", "somebody asks again"},
		"AgainOther": {beside("a:running", verdict.Run{Running: true, Subject: verdict.Subject{Start: next}}), verdict.Ready, "", "", "another release is tested there by now"},
		"Part":       {beside("a:failed", verdict.Run{Running: true, Subject: crashed}), verdict.NotReady, "flaky-budget@eu critical-not-flaky@eu", "", "what failed before the end of the run did so"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := decide(t, tc.in)
			if out.State != tc.state || failing(out) != tc.failing {
				t.Errorf("%s, failing %q; want %s, %q: %s\n%s", out.State, failing(out), tc.state, tc.failing, tc.reason, asJSON(t, out))
			}
		})
	}
}

// TestDecide_SubjectlessRunning holds that what runs in no known run is not over, too.
func TestDecide_SubjectlessRunning(t *testing.T) {
	t.Parallel()
	got := decide(t, input(cell("eu", "a", attempts("a:passed"), attempts("a:running", from("")))))
	if failing(got) != "evidence-complete@eu" || got.Cells[0].Running != 1 {
		t.Errorf("%s", asJSON(t, got))
	}
}

// TestDecide_Future holds that a clock that is ahead makes nothing fresher than now.
func TestDecide_Future(t *testing.T) {
	t.Parallel()
	const expr = `cell.results.all(r, now - r.finished_at >= duration("0s"))`
	tests := map[string]struct {
		age    time.Duration
		run    bool // the time is that of the run
		reason string
	}{
		"Past":      {time.Hour, false, "as it was said"},
		"Now":       {0, false, "as it was said"},
		"Future":    {-365 * 24 * time.Hour, false, "a wrong clock"},
		"FutureRun": {-time.Hour, true, "the clock of the run"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := ruled(input(cell("eu", "a", attempts("a:passed", aged(tc.age)))), verdict.Missing, expr)
			if tc.run {
				in.Runs[0].FinishedAt, in.Cells[0].Evidence[0].FinishedAt = noon().Add(-tc.age), time.Time{}
			}
			out := decide(t, in)
			if out.State != verdict.Ready {
				t.Errorf("%s: %s\n%s", out.State, tc.reason, asJSON(t, out))
			}
			if got := out.Cells[0].Results[0]; got.Verdict != "passed" || !got.FinishedAt.Equal(noon().Add(-tc.age)) {
				t.Errorf("%+v: what was reported stays", got)
			}
		})
	}
	stale := input(cell("eu", "a", attempts("a:passed", aged(-time.Hour))))
	stale.Now = noon().Add(26 * time.Hour)
	if got := failing(decide(t, stale)); got != "evidence-fresh@eu" {
		t.Errorf("%q: it grows old once its time has come", got)
	}
}
