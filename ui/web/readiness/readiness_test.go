package readiness_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
	"github.com/seatrial/seatrial/ui/web/readiness"
)

func now() time.Time { return time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC) }

// evidence says what is known of tests named a, b, c and so on, a letter for each: P passed, F failed, K flaky, R running, B blocked,
// o passed on other images, W failed and waived, . never ran.
func evidence(letters string) (c verdict.Cell) {
	c.Environment, c.Suite = "eu", "api"
	for i, letter := range letters {
		key := string(rune('a' + i))
		c.Required = append(c.Required, verdict.Test{Key: key})
		one := verdict.Evidence{Test: key, Outcome: results.Passed, Run: "on", FinishedAt: now()}
		bad := one
		bad.Outcome, bad.Fingerprint = results.Failed, "fp1:"+key
		switch letter {
		case 'F', 'W':
			one = bad
		case 'K':
			c.Evidence = append(c.Evidence, bad)
		case 'R':
			one.Outcome, one.Running = "", true
		case 'B':
			one.Outcome = results.Blocked
		case 'o':
			one.Run = "off"
		case '.':
			continue
		}
		c.Evidence = append(c.Evidence, one)
	}
	return c
}

// decide returns a release with one cell, and its verdict.
func decide(t *testing.T, letters string, waivers ...verdict.Waiver) (release.Release, verdict.Output) {
	t.Helper()
	return decideCell(t, evidence(letters), waivers...)
}

func decideCell(t *testing.T, c verdict.Cell, waivers ...verdict.Waiver) (release.Release, verdict.Output) {
	t.Helper()
	images := []verdict.Image{{Name: "shop", Digest: "sha256:1"}}
	r := release.Release{Application: "shop", Version: "1", Images: images, Waivers: waivers}
	r.Policy = verdict.Policy{Name: "gate", Rules: policy.DefaultRules(), Waivers: verdict.WaiverTerms{
		Approvers: "team:x", MaxAge: verdict.Duration(time.Hour), BindTo: verdict.BindFingerprint,
	}}
	rules, err := verdict.Compile(r.Policy)
	if err != nil {
		t.Fatal(err)
	}
	out, err := verdict.Decide(t.Context(), rules, verdict.Input{
		Release: r.Subject(), Policy: r.Policy, Cells: []verdict.Cell{c}, Waivers: waivers, Approvers: []string{"grace"}, Now: now(),
		Runs: []verdict.Run{{ID: "on", Subject: verdict.Subject{Start: images, End: images}}, {ID: "off"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, out
}

// waived is a waiver of the failure of a test, which is approved.
func waived(test string) verdict.Waiver {
	return verdict.Waiver{
		ID: "w-" + test, Application: "shop", Version: "1", Rule: "no-unwaived-failures", Test: test, Fingerprint: "fp1:" + test, Requester: "ada",
		Approvals: []verdict.Approval{{By: "grace", At: now().Add(-time.Minute)}}, CreatedAt: now().Add(-2 * time.Minute), ExpiresAt: now().Add(time.Minute),
	}
}

func TestOf_States(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		waivers []verdict.Waiver
		state   readiness.State
		lacking int
		reason  string
	}{
		"PPPP":         {nil, readiness.Ready, 0, "every rule holds"},
		"PPPPK":        {nil, readiness.Ready, 0, "one of five may be flaky"},
		"PFP.":         {nil, readiness.Failing, 1, "what is bad outweighs what is missing, which still counts"},
		"PKKK":         {nil, readiness.Flaky, 0, "more than the budget, and none failed"},
		"....":         {nil, readiness.NeverRan, 4, "nothing of it has run"},
		"P...":         {nil, readiness.Lacking, 3, "some of it has run"},
		"PRRP":         {nil, readiness.Running, 2, "all that is missing is on its way"},
		"PRRPB":        {nil, readiness.Lacking, 3, "not all of it is on its way"},
		"PooP":         {nil, readiness.Lacking, 2, "what ran on other images is no evidence"},
		"PPWP":         {[]verdict.Waiver{waived("c")}, readiness.Waived, 0, "it is ready but for a waiver"},
		"FPWP":         {[]verdict.Waiver{waived("c")}, readiness.Failing, 0, "another failure is not waived"},
		"":             {nil, readiness.Lacking, 0, "nothing is required and nothing known"},
		"............": {nil, readiness.NeverRan, 12, "as many as there are"},
	}
	for letters, tc := range tests {
		t.Run(letters, func(t *testing.T) {
			t.Parallel()
			r, out := decide(t, letters, tc.waivers...)
			c, ok := readiness.Of(r, out, now()).Cell("eu", "api")
			if !ok || c.State != tc.state || c.Lacking != tc.lacking {
				t.Errorf("%s with %d missing, want %s with %d: %s", c.State, c.Lacking, tc.state, tc.lacking, tc.reason)
			}
			if got := c.Open(); got != (out.State != verdict.Ready && out.State != verdict.ReadyWithWaivers) {
				t.Errorf("open is %t, and the release %s", got, out.State)
			}
		})
	}
}

// TestOf_ManyMissing counts more tests than a rule names.
func TestOf_ManyMissing(t *testing.T) {
	t.Parallel()
	c := evidence("P")
	for range verdict.MaxAtFault + 9 {
		c.Required = append(c.Required, verdict.Test{Key: string(rune('0' + len(c.Required)))})
	}
	r, out := decideCell(t, c)
	rep := readiness.Of(r, out, now())
	got, _ := rep.Cell("eu", "api")
	if got.State != readiness.Lacking || got.Lacking != verdict.MaxAtFault+9 || rep.Missing[0].Cells[0].More != 9 {
		t.Errorf("%s with %d missing", got.State, got.Lacking)
	}
}

// TestOf_AtLeast holds that a cell waits for nothing but what runs only when the rule looked at all of its tests.
func TestOf_AtLeast(t *testing.T) {
	t.Parallel()
	r, out := decide(t, "PRRP")
	for i := range out.Rules {
		for n := range out.Rules[i].Failing {
			out.Rules[i].Failing[n].AtLeast = true
		}
	}
	if c, _ := readiness.Of(r, out, now()).Cell("eu", "api"); c.State != readiness.Lacking {
		t.Errorf("%s, want %s: others may never have been started", c.State, readiness.Lacking)
	}
}

func TestOf_Order(t *testing.T) {
	t.Parallel()
	r, out := decide(t, "PPFK.RBo")
	c, _ := readiness.Of(r, out, now()).Cell("eu", "api")
	var order string
	for _, one := range c.Bad {
		order += one.Test
	}
	if order != "cdegfh" || len(c.Good) != 2 {
		t.Errorf("what is no proof comes as %s, and %d passed", order, len(c.Good))
	}
}

func TestOf_Faults(t *testing.T) {
	t.Parallel()
	asked := waived("b")
	asked.Approvals = nil
	ended := waived("c")
	ended.Approvals, ended.Revoked = nil, true
	c := evidence("PFFFF")
	again := c.Evidence[3]
	again.Fingerprint = "fp1:other"
	c.Evidence = append(c.Evidence, again)
	c.Evidence[4].Fingerprint = ""
	r, out := decideCell(t, c, asked, ended)
	rep := readiness.Of(r, out, now())
	if len(rep.Broken) != 1 || len(rep.Missing) != 0 || len(rep.Holding) != 6 || len(rep.Broken[0].Cells) != 1 {
		t.Fatalf("%d broken, %d missing, %d holding", len(rep.Broken), len(rep.Missing), len(rep.Holding))
	}
	got := map[string]string{}
	ids := map[string]bool{}
	for _, f := range rep.Broken[0].Cells[0].Faults {
		ids[f.ID] = true
		switch {
		case f.Asked:
			got[f.Test] = "asked"
		case f.Waivable:
			got[f.Test] = "waivable " + f.Fingerprint
		case f.Why != "":
			got[f.Test] = f.Why
		}
	}
	want := map[string]string{
		"b": "asked", "c": "waivable fp1:c",
		"d": "It failed in different ways, and the policy binds a waiver to one of them: the others would hide behind it.",
		"e": "Its failure cannot be told from others, and the policy binds waivers to one.",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(ids) != 4 {
		t.Errorf("%d ids (-want +got):\n%s", len(ids), diff)
	}
	if w := rep.Waivers; len(w) != 2 || w[0].ID != "w-c" || !w[0].Over || w[1].Over || w[1].Active || w[1].Why != "It has 0 of 1 approvals." {
		t.Errorf("waivers %+v", w)
	}
}

// TestOf_Terms holds that nothing is offered to be waived which could not count.
func TestOf_Terms(t *testing.T) {
	t.Parallel()
	r, out := decide(t, "PF.")
	r.Policy.Waivers.MaxAge = 0
	rep := readiness.Of(r, out, now())
	if f := rep.Broken[0].Cells[0].Faults[0]; f.Waivable || f.Asked || f.Why != "" {
		t.Errorf("the policy lets nobody waive: %+v", f)
	}
	r.Policy.Waivers.MaxAge = verdict.Duration(time.Hour)
	if f := readiness.Of(r, out, now()).Missing[0].Cells[0].Faults[0]; f.Waivable || f.Verdict != tests.NeverRan {
		t.Errorf("what never ran cannot be waived: %+v", f)
	}
}

// TestOf_Undecided covers a release before its first verdict.
func TestOf_Undecided(t *testing.T) {
	t.Parallel()
	rep := readiness.Of(release.Release{Waivers: []verdict.Waiver{waived("a")}}, verdict.Output{}, now())
	if len(rep.Cells) != 0 || rep.Running() || rep.Required() != 0 || rep.Waivers[0].Why != "The verdict does not know it yet." {
		t.Errorf("%+v", rep)
	}
}
