package verdict_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

func TestDecide_Waivers(t *testing.T) {
	t.Parallel()
	by := func(who ...string) func(*verdict.Waiver) {
		return func(w *verdict.Waiver) {
			w.Approvals = nil
			for _, one := range who {
				w.Approvals = append(w.Approvals, verdict.Approval{By: one, At: noon().Add(-time.Hour)})
			}
		}
	}
	two := func(p *verdict.Policy) { p.Waivers.MinApprovers = 2 }
	self := func(p *verdict.Policy) { p.Waivers.SelfApproval = true }
	free := func(p *verdict.Policy) { p.Waivers.BindTo = "" }
	tests := map[string]struct {
		edit   func(*verdict.Waiver)
		policy func(*verdict.Policy)
		why    string
		reason string
	}{
		"OK":            {func(*verdict.Waiver) {}, nil, "", "all is well"},
		"Revoked":       {func(w *verdict.Waiver) { w.Revoked = true }, nil, "revoked", "taken back"},
		"Application":   {func(w *verdict.Waiver) { w.Application = "shop/web" }, nil, "another release", "of another application"},
		"Version":       {func(w *verdict.Waiver) { w.Version = "1.4.1" }, nil, "another release", "of another version"},
		"NoVersion":     {func(w *verdict.Waiver) { w.Version = "" }, nil, "another release", "never of all"},
		"NoFingerprint": {func(w *verdict.Waiver) { w.Fingerprint = "" }, nil, "names no failure", "bound to nothing"},
		"Free":          {func(w *verdict.Waiver) { w.Fingerprint, w.Suite, w.Test = "", "smoke", "a" }, free, "", "the policy binds to tests"},
		"FreeBound":     {func(w *verdict.Waiver) { w.Fingerprint, w.Suite, w.Test = "fp1:0", "smoke", "a" }, free, "", "a waiver may bind itself further"},
		"FreeNoTest":    {func(w *verdict.Waiver) { w.Fingerprint, w.Suite = "", "smoke" }, free, "does not name a suite and a test", "of all tests there are and will be"},
		"FreeNoSuite":   {func(w *verdict.Waiver) { w.Fingerprint, w.Test = "", "a" }, free, "does not name a suite and a test", "the key may be another's in another suite"},
		"FreeOnlyPrint": {func(*verdict.Waiver) {}, free, "does not name a suite and a test", "a failure is no test"},
		"Future":        {func(w *verdict.Waiver) { w.CreatedAt, w.ExpiresAt = noon().Add(1), noon().Add(2) }, nil, "not there yet", "a verdict of the past"},
		"Expired":       {func(w *verdict.Waiver) { w.ExpiresAt = noon() }, nil, "expired", "the end does not belong to it"},
		"LastMoment":    {func(w *verdict.Waiver) { w.ExpiresAt = noon().Add(1) }, nil, "", "just before the end"},
		"TooLong":       {func(w *verdict.Waiver) { w.ExpiresAt = w.CreatedAt.Add(72*time.Hour + 1) }, nil, "longer than the policy allows", "bounded"},
		"AsLong":        {func(w *verdict.Waiver) { w.ExpiresAt = w.CreatedAt.Add(72 * time.Hour) }, nil, "", "the bound belongs to it"},
		"NoTerms":       {func(*verdict.Waiver) {}, func(p *verdict.Policy) { p.Waivers = verdict.WaiverTerms{} }, "longer than the policy allows", "a policy without terms has no waivers"},
		"NoRule":        {func(w *verdict.Waiver) { w.Rule = "nope" }, nil, `no rule "nope"`, "of another policy"},
		"NotWaivable":   {func(w *verdict.Waiver) { w.Rule = "skips-explained" }, nil, "cannot be waived", "the policy says so"},
		"MissingRule":   {func(w *verdict.Waiver) { w.Rule = "evidence-complete" }, nil, "cannot be waived", "evidence that does not exist"},
		"NoneWaivable":  {func(*verdict.Waiver) {}, func(p *verdict.Policy) { p.Rules = p.Rules[:3] }, "no rule that can be waived", "nothing to waive"},
		"NoApproval":    {by(), nil, "0 of 1", "asked for only"},
		"Stranger":      {by("mallory"), nil, "0 of 1", "not of the group"},
		"NoName":        {by(""), nil, "0 of 1", "nobody"},
		"Self":          {by("ada"), nil, "0 of 1", "nobody approves their own"},
		"SelfAllowed":   {by("ada"), self, "", "unless the policy allows it"},
		"SelfBeside":    {by("ada", "grace"), nil, "", "the other's counts"},
		"NoRequester":   {func(w *verdict.Waiver) { w.Requester = "" }, nil, "does not say who", "it could be the approver"},
		"One":           {by("grace"), two, "1 of 2", "two are needed"},
		"Twice":         {by("grace", "grace"), two, "1 of 2", "the same person"},
		"Two":           {by("grace", "linus"), two, "", "two persons"},
		"Later":         {func(w *verdict.Waiver) { w.Approvals[0].At = noon().Add(1) }, nil, "0 of 1", "approved after the verdict"},
		"LessThanOne":   {by(), func(p *verdict.Policy) { p.Waivers.MinApprovers = 0 }, "0 of 1", "one at least"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := with(input(cell("eu", "a", attempts("a:failed"))), waiver(tc.edit))
			if tc.policy != nil {
				tc.policy(&in.Policy)
			}
			got := decide(t, in).Waivers[0]
			if got.Active != (tc.why == "") || !strings.Contains(got.Why, tc.why) {
				t.Errorf("%+v, want %q: %s", got, tc.why, tc.reason)
			}
		})
	}
}

func TestDecide_Override(t *testing.T) {
	t.Parallel()
	quarantined := func(e *verdict.Evidence) { e.Quarantined = true }
	out := decide(t, with(input(cell("eu", "a b c d", attempts("a:passed b:failed"), attempts("c:failed", quarantined, failedAs("fp1:0")),
		attempts("d:failed", quarantined, failedAs("fp1:0")), attempts("d:failed", failedAs("fp1:0")))), waiver()))
	want := []string{"", "waived", "quarantined", ""}
	for i, r := range out.Cells[0].Results {
		if string(r.Override) != want[i] {
			t.Errorf("%s: %q, want %q", r.Test, r.Override, want[i])
		}
	}
	all := with(input(cell("eu", "a b", attempts("a:passed b:failed"))), waiver(func(w *verdict.Waiver) { w.Fingerprint, w.Suite, w.Test = "", "smoke", "b" }),
		waiver(func(w *verdict.Waiver) { w.ID, w.Fingerprint, w.Suite, w.Test = "w2", "", "smoke", "a" }))
	all.Policy.Waivers.BindTo = ""
	if got := decide(t, all).Cells[0].Results; got[0].Override != "" || got[1].Override != "waived" {
		t.Errorf("%+v: what passed needs no waiver", got)
	}
	half := with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")))),
		waiver(func(w *verdict.Waiver) { w.Rule = "no-unwaived-failures" }), second(func(w *verdict.Waiver) { w.Rule = "flaky-budget" }))
	if got := decide(t, half).Cells[0].Results[0]; got.Override != "" {
		t.Errorf("%+v: no rule sees all of it waived", got)
	}
	if out.Cells[0].Failed != 3 {
		t.Errorf("%+v: an override stands beside the verdict", out.Cells[0])
	}
}
