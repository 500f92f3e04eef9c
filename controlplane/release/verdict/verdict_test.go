package verdict_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
)

var update = flag.Bool("update", false, "write the golden files")

type decided struct {
	in      verdict.Input
	state   verdict.State
	failing string
	used    string
	reason  string
}

func with(in verdict.Input, waivers ...verdict.Waiver) verdict.Input {
	in.Waivers = waivers
	return in
}

func ruled(in verdict.Input, kind verdict.RuleKind, expr string) verdict.Input {
	in.Policy.Rules = []verdict.Rule{{ID: "own", Kind: kind, Waivable: kind == verdict.Negative, Expr: expr}}
	return in
}

// unwaivable adds a rule to one that can be waived.
func unwaivable(in verdict.Input) verdict.Input {
	in.Policy.Rules = append(in.Policy.Rules, verdict.Rule{ID: "strict", Kind: verdict.Negative, Expr: "cell.results.all(r, r.outcome != 'failed' || r.waived)"})
	return in
}

// golden are the cases of the design of releases.
func golden() map[string]decided {
	failed := cell("eu", "a b", attempts("a:passed b:failed"))
	return map[string]decided{
		"R1":  {input(cell("eu", "a b", attempts("a:passed b:passed")), cell("us", "a b", attempts("a:passed b:passed"))), verdict.Ready, "", "", "all passed everywhere"},
		"R2":  {input(cell("eu", "a b", attempts("a:passed b:passed")), cell("us", "a b", attempts("a:passed"))), verdict.Incomplete, "evidence-complete@us", "", "one never ran"},
		"R3":  {with(input(failed), waiver()), verdict.ReadyWithWaivers, "", "w1", "the failure is waived"},
		"R4":  {with(input(failed), waiver(func(w *verdict.Waiver) { w.ExpiresAt = noon() })), verdict.NotReady, "no-unwaived-failures@eu", "", "the waiver expired"},
		"R5":  {input(cell("eu", "a b", attempts("a:passed", aged(30*time.Hour)), attempts("b:passed"))), verdict.Incomplete, "evidence-fresh@eu", "", "stale"},
		"R6":  {input(cell("eu", "a", attempts("a:passed", from("off")))), verdict.Incomplete, "evidence-matches-digest@eu", "", "another image"},
		"R7":  {input(cell("eu", "a b c d", attempts("a:failed a:passed b:passed c:passed d:passed"))), verdict.Ready, "", "", "within the budget"},
		"R8":  {input(cell("eu", "a! b c d", attempts("a:failed a:passed b:passed c:passed d:passed"))), verdict.NotReady, "critical-not-flaky@eu", "", "critical"},
		"R9":  {input(cell("eu", "a b", attempts("a:failed"))), verdict.NotReady, "evidence-complete@eu no-unwaived-failures@eu", "", "both lists are given"},
		"R10": {input(cell("eu", "a b", attempts("a:passed b:running"))), verdict.Incomplete, "evidence-complete@eu", "", "not over, and nothing else is wrong"},
		"R11": {input(), verdict.Incomplete, "", "", "nothing required is nothing proven"},
		"R12": {with(input(failed), waiver(func(w *verdict.Waiver) { w.Requester = "grace" })), verdict.NotReady, "no-unwaived-failures@eu", "", "nobody approves their own"},
		"R13": {with(input(cell("eu", "a b", attempts("a:passed"), attempts("b:failed", failedAs("fp1:54df579c0435a606")))), waiver()), verdict.NotReady, "no-unwaived-failures@eu", "", "another failure than the waived one"},
		"R14": {input(cell("eu", "a b", attempts("a:passed b:passed «runner:errored", contradictory))), verdict.NotReady, "evidence-complete@eu no-unwaived-failures@eu", "", "the report hides a failure"},
		"R15": {input(cell("eu", "a! b c d", attempts("a:failed"), attempts("a:passed", from("on2")), attempts("b:passed c:passed d:passed"))), verdict.NotReady, "critical-not-flaky@eu", "", "run again until green is flaky"},
	}
}

// edges are what the cases of the design leave open.
func edges() map[string]decided {
	ownSubject := func(release verdict.Release, s verdict.Subject) verdict.Input {
		in := input(cell("eu", "a", attempts("a:passed", from("own"))))
		release.Application, release.Version = "shop/cart", "1.4.0"
		in.Release, in.Runs = release, append(in.Runs, verdict.Run{ID: "own", Subject: s})
		return in
	}
	const other = "evidence-matches-digest@eu"
	cart, web, both := images("cart@sha256:aa"), images("web@sha256:bb"), images("cart@sha256:aa", "web@sha256:bb")
	flaky3 := "a:failed a:passed b:failed b:passed c:failed c:passed d:passed e:passed f:passed g:passed h:passed i:passed j:passed k:passed l:passed"
	required := "a b c d e f g h i j k l"
	rule := func(id string) func(*verdict.Waiver) { return func(w *verdict.Waiver) { w.Rule = id } }
	test := func(key string) func(*verdict.Waiver) { return func(w *verdict.Waiver) { w.Test = key } }
	quarantined := func(e *verdict.Evidence) { e.Quarantined = true }
	unnamed := func(e *verdict.Evidence) { e.Name = "" }
	return map[string]decided{
		"Mixed":        {input(cell("eu", "a", attempts("a:passed", from("mixed")))), verdict.Incomplete, other, "", "the image changed meanwhile"},
		"NoEnd":        {ownSubject(verdict.Release{Images: cart}, verdict.Subject{Start: cart}), verdict.Incomplete, other, "", "nobody saw what was there at the end"},
		"OneOfTwo":     {ownSubject(verdict.Release{Images: both}, verdict.Subject{Start: cart, End: cart}), verdict.Incomplete, other, "", "an image of the release was not there"},
		"BothImages":   {ownSubject(verdict.Release{Images: both}, verdict.Subject{Start: both, End: both}), verdict.Ready, "", "", "all images were there"},
		"OtherBeside":  {ownSubject(verdict.Release{Images: cart}, verdict.Subject{Start: cart, End: both}), verdict.Ready, "", "", "an image of no part of the release changed"},
		"NoNames":      {ownSubject(verdict.Release{Images: images("@sha256:aa")}, verdict.Subject{Start: cart, End: both}), verdict.Ready, "", "", "digests are enough"},
		"NoDigest":     {ownSubject(verdict.Release{Images: images("cart@")}, verdict.Subject{Start: images("cart@"), End: images("cart@")}), verdict.Incomplete, other, "", "an image without a digest is none"},
		"Prefix":       {ownSubject(verdict.Release{Images: images("cart@sha256:a")}, verdict.Subject{Start: cart, End: cart}), verdict.Incomplete, other, "", "digests are full texts"},
		"Commit":       {ownSubject(verdict.Release{Commit: "c1"}, verdict.Subject{Start: web, Commit: "c1"}), verdict.Ready, "", "", "only the commit counts"},
		"OtherCommit":  {ownSubject(verdict.Release{Commit: "c1"}, verdict.Subject{Commit: "c2"}), verdict.Incomplete, other, "", "another commit"},
		"NoCommit":     {ownSubject(verdict.Release{Commit: "c1"}, verdict.Subject{}), verdict.Incomplete, other, "", "nobody saw a commit"},
		"CommitBeside": {ownSubject(verdict.Release{Commit: "c1", Images: cart}, verdict.Subject{Start: cart, End: cart, Commit: "c2"}), verdict.Incomplete, other, "", "the right image, but not its tests"},
		"ImageDecides": {ownSubject(verdict.Release{Commit: "c1", Images: cart}, verdict.Subject{Start: cart, End: cart}), verdict.Ready, "", "", "a commit that nobody saw does not speak"},
		"NoSubject":    {ownSubject(verdict.Release{}, verdict.Subject{Start: cart, End: cart}), verdict.Incomplete, other, "", "a release of nothing was never seen"},
		"NoRun":        {input(cell("eu", "a", attempts("a:passed", from("")))), verdict.Incomplete, other, "", "of no known subject"},
		"OffBeside":    {input(cell("eu", "a", attempts("a:failed", from("off")), attempts("a:passed"))), verdict.Ready, "", "", "what is on the release speaks alone"},
		"OnFails":      {input(cell("eu", "a", attempts("a:passed", from("off")), attempts("a:failed"))), verdict.NotReady, "no-unwaived-failures@eu", "", "a pass of another image is no excuse"},

		"Contradictory": {input(cell("eu", "a", attempts("a:passed", contradictory))), verdict.Incomplete, "evidence-complete@eu", "", "a pass that may hide a failure is none"},
		"Blocked":       {input(cell("eu", "a b", attempts("a:passed b:blocked"))), verdict.Incomplete, "evidence-complete@eu", "", "blocked is no evidence"},
		"Infra":         {input(cell("eu", "a b", attempts("a:passed b:infra_error"))), verdict.Incomplete, "evidence-complete@eu", "", "lost is no evidence"},
		"Cancelled":     {input(cell("eu", "a b", attempts("a:passed b:cancelled"))), verdict.Incomplete, "evidence-complete@eu", "", "stopped is no evidence"},
		"Skipped":       {input(cell("eu", "a b", attempts("a:passed b:skipped"))), verdict.Ready, "", "", "a skip has a time, and is within the budget"},
		"SkippedMost":   {input(cell("eu", "a b", attempts("a:skipped b:skipped"))), verdict.NotReady, "skips-explained@eu", "", "nothing was tested"},
		"NewFailing":    {input(cell("eu", "a", attempts("a:passed new:failed"))), verdict.NotReady, "no-unwaived-failures@eu", "", "a new test blocks, too"},
		"NewPassing":    {input(cell("eu", "a", attempts("a:passed new:passed"))), verdict.Ready, "", "", "a new test does no harm"},
		"Variant":       {input(cell("eu", "a b", attempts("a/chromium:passed a/firefox:failed b:passed"))), verdict.NotReady, "no-unwaived-failures@eu", "", "a pass in one browser is none in another"},
		"VariantLost":   {input(cell("eu", "a", attempts("a/chromium:passed a/firefox:blocked"))), verdict.Incomplete, "evidence-complete@eu", "", "one variant without evidence is enough"},
		"Silent":        {input(cell("eu", "a", attempts("a:passed")), cell("us", "", attempts("x:blocked"))), verdict.Incomplete, "", "", "nothing is required there, and nothing speaks"},
		"Quarantined":   {input(cell("eu", "a b", attempts("a:passed"), attempts("b:failed", quarantined))), verdict.Ready, "", "", "it runs and does not block"},
		"HalfInIt":      {input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", quarantined))), verdict.NotReady, "no-unwaived-failures@eu", "", "an attempt that is not in quarantine speaks"},
		"Unnamed":       {input(cell("eu", "a", attempts("a:passed", unnamed))), verdict.Ready, "", "", "a name is for people"},

		"Error":        {ruled(input(cell("eu", "a", attempts("a:passed"))), verdict.Negative, "1 / cell.failed > 0"), verdict.NotReady, "own@eu", "", "what cannot be evaluated does not hold"},
		"ErrorMissing": {ruled(input(cell("eu", "a", attempts("a:passed"))), verdict.Missing, "1 / cell.failed > 0"), verdict.NotReady, "own@eu", "", "of whatever kind"},
		"NeverAsTime":  {ruled(input(cell("eu", "a", nil)), verdict.Missing, `cell.results.all(r, now - r.finished_at < duration("24h"))`), verdict.Incomplete, "own@eu", "", "no time is a long time and not an error"},
		"Release":      {ruled(input(cell("eu", "a", attempts("a:passed"))), verdict.Negative, `release.version == "1.4.0" && release.images.all(i, i.digest != "") && cell.labels["tier"] == "critical" && now.getHours() == 12`), verdict.Ready, "", "", "what a rule can see"},
		"NoLabel":      {ruled(input(cell("eu", "a", attempts("a:passed"))), verdict.Negative, `cell.labels["nope"] == "x"`), verdict.NotReady, "own@eu", "", "no such label is an error"},

		"OtherRule":   {with(input(cell("eu", "a b", attempts("a:passed b:failed"))), waiver(rule("flaky-budget"))), verdict.NotReady, "no-unwaived-failures@eu", "", "a waiver of another rule"},
		"ItsRule":     {with(input(cell("eu", "a b", attempts("a:passed b:failed"))), waiver(rule("no-unwaived-failures"))), verdict.ReadyWithWaivers, "", "w1", "a waiver of this rule"},
		"NotNeeded":   {with(input(cell("eu", "a b c d", attempts("a:failed a:passed b:passed c:passed d:passed"))), waiver()), verdict.Ready, "", "", "the budget allows it anyway"},
		"OverBudget":  {input(cell("eu", required, attempts(flaky3))), verdict.NotReady, "flaky-budget@eu", "", "three are too many"},
		"Budget":      {with(input(cell("eu", required, attempts(flaky3))), waiver(test("a"))), verdict.ReadyWithWaivers, "", "w1", "a waived one is not counted"},
		"OneOfTwoBad": {with(input(cell("eu", "a b", attempts("a:failed b:failed"))), waiver(test("a"))), verdict.NotReady, "no-unwaived-failures@eu", "", "the other is not waived, so that it does not help"},
		"TwoFailures": {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")))), waiver()), verdict.NotReady, "no-unwaived-failures@eu", "", "the second failure does not hide behind the first"},
		"FirstOfTwo":  {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")))), waiver(func(w *verdict.Waiver) { w.Fingerprint = "fp1:54df579c0435a606" })), verdict.NotReady, "no-unwaived-failures@eu", "", "nor the first behind the second"},
		"NotWaivable": {with(unwaivable(input(cell("eu", "a", attempts("a:failed")))), waiver()), verdict.NotReady, "strict@eu", "w1", "a waiver of every rule is one of those that can be waived"},
		"BothWaived":  {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")))), waiver(), second()), verdict.ReadyWithWaivers, "", "w1 w2", "each failure is waived by one of them"},
		"ThreeBad":    {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")), attempts("a:failed", failedAs("fp1:0")))), waiver(), second()), verdict.NotReady, "no-unwaived-failures@eu", "", "the third failure does not hide behind the others"},
		"OneEnded":    {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")))), waiver(), second(func(w *verdict.Waiver) { w.Revoked = true })), verdict.NotReady, "no-unwaived-failures@eu", "", "one that is not active covers nothing"},
		"OtherRules":  {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")))), waiver(), second(rule("flaky-budget"))), verdict.NotReady, "no-unwaived-failures@eu", "", "one of another rule covers nothing of this one"},
		"NoneNamed":   {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")), attempts("a:failed", failedAs("")))), waiver(), second()), verdict.NotReady, "no-unwaived-failures@eu", "", "a failure that nobody can name is covered by nobody"},
		"BothFlaky":   {with(input(cell("eu", "a!", attempts("a:failed a:passed"), attempts("a:failed", failedAs("fp1:54df579c0435a606")))), waiver(), second()), verdict.ReadyWithWaivers, "", "w1 w2", "each way in which it is flaky is waived"},
		"NoPrint":     {with(input(cell("eu", "a", attempts("a:failed"), attempts("a:failed", failedAs("")))), waiver()), verdict.NotReady, "no-unwaived-failures@eu", "", "a failure that nobody can name neither"},
		"ByPlace":     {with(input(cell("eu", "a", attempts("a:failed")), cell("us", "a", attempts("a:failed"))), waiver(func(w *verdict.Waiver) { w.Environment = "us" })), verdict.NotReady, "no-unwaived-failures@eu", "w1", "in one environment only"},
		"BySuite":     {with(input(cell("eu", "a", attempts("a:failed"))), waiver(func(w *verdict.Waiver) { w.Suite = "other" })), verdict.NotReady, "no-unwaived-failures@eu", "", "of another suite"},
		"ByVariant":   {with(input(cell("eu", "a", attempts("a/firefox:failed"))), waiver(func(w *verdict.Waiver) { w.Variant = "chromium" })), verdict.NotReady, "no-unwaived-failures@eu", "", "of another variant"},
		"NotMissing":  {with(input(cell("eu", "a b", attempts("a:failed"))), waiver()), verdict.Incomplete, "evidence-complete@eu", "w1", "what never ran cannot be waived"},
		"Backwards":   {with(ruled(input(cell("eu", "a", attempts("a:failed"))), verdict.Negative, "cell.results.all(r, !r.waived)"), waiver()), verdict.NotReady, "own@eu", "", "a rule may forbid waivers"},
	}
}

func all() map[string]decided {
	cases := golden()
	for name, tc := range edges() {
		cases[name] = tc
	}
	return cases
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, tc := range all() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := decide(t, tc.in)
			if out.State != tc.state || failing(out) != tc.failing || used(out) != tc.used {
				t.Errorf("%s, failing %q, used %q; want %s, %q, %q: %s\n%s", out.State, failing(out), used(out), tc.state, tc.failing, tc.used, tc.reason, asJSON(t, out))
			}
		})
	}
}

// TestDecide_Order holds that the verdict does not depend on the order of anything, on time zones, or on having been encoded.
func TestDecide_Order(t *testing.T) {
	t.Parallel()
	cases := all()
	cases["Full"] = decided{in: full()}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := asJSON(t, decide(t, tc.in))
			before := asJSON(t, tc.in)
			random := rand.New(rand.NewPCG(1, 2))
			for range 10 {
				var in verdict.Input
				if err := json.Unmarshal([]byte(before), &in); err != nil {
					t.Fatal(err)
				}
				shuffle(random, &in)
				shuffled := asJSON(t, in)
				if diff := cmp.Diff(want, asJSON(t, decide(t, in))); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
				if asJSON(t, in) != shuffled {
					t.Fatal("the input was changed")
				}
			}
		})
	}
}

func shuffle(random *rand.Rand, in *verdict.Input) {
	mix(random, in.Runs)
	mix(random, in.Cells)
	mix(random, in.Waivers)
	mix(random, in.Approvers)
	mix(random, in.Release.Images)
	for i := range in.Runs {
		mix(random, in.Runs[i].Subject.Start)
		mix(random, in.Runs[i].Subject.End)
	}
	zone := time.FixedZone("UTC+5", 5*60*60)
	in.Now = in.Now.In(zone)
	for i := range in.Cells {
		mix(random, in.Cells[i].Required)
		mix(random, in.Cells[i].Evidence)
		for n := range in.Cells[i].Required {
			mix(random, in.Cells[i].Required[n].Labels)
		}
		for n := range in.Cells[i].Evidence {
			in.Cells[i].Evidence[n].FinishedAt = in.Cells[i].Evidence[n].FinishedAt.In(zone)
		}
	}
	for i := range in.Waivers {
		mix(random, in.Waivers[i].Approvals)
	}
}

func mix[T any](random *rand.Rand, list []T) {
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// full is an input with something of everything.
func full() verdict.Input {
	other := waiver(func(w *verdict.Waiver) { w.ID, w.Revoked = "w2", true })
	eu := cell("eu", "a! b c d e f g h i", attempts("a/chromium:failed a/chromium:passed a/firefox:passed b:failed c:skipped d:blocked e:running new:passed"),
		attempts("b:failed", from("on2"), aged(2*time.Hour)), attempts("f:passed", from("off")), attempts("«listed:errored", contradictory),
		attempts("g:failed", from("crashed")), attempts("h:running", from("unseen")), attempts("i:failed"), attempts("i:failed", failedAs("fp1:54df579c0435a606")))
	eu.Required[0].Labels = []string{"slow", "critical"}
	in := with(input(eu, cell("us", "a b", attempts("a:passed b:failed"))), other, waiver(func(w *verdict.Waiver) { w.Environment = "us" }))
	in.Policy.Rules = append(in.Policy.Rules, verdict.Rule{ID: "own", Kind: verdict.Negative, Expr: "6 / cell.running < 100"})
	in.Runs = append(in.Runs, verdict.Run{ID: "crashed", Subject: verdict.Subject{Start: images("shop/cart@sha256:aa")}}, verdict.Run{ID: "unseen", Running: true})
	byTest := func(w *verdict.Waiver) { w.Environment, w.Suite, w.Test = "eu", "smoke", "i" }
	in.Waivers = append(in.Waivers, waiver(byTest, func(w *verdict.Waiver) { w.ID = "w3" }), second(byTest, func(w *verdict.Waiver) { w.ID = "w4" }))
	return in
}

func TestDecide_Golden(t *testing.T) {
	t.Parallel()
	in := full()
	goldenFile(t, "testdata/input.golden.json", asJSON(t, in))
	goldenFile(t, "testdata/output.golden.json", asJSON(t, decide(t, in)))
}

func goldenFile(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

func TestDecide_Results(t *testing.T) {
	t.Parallel()
	out := decide(t, input(cell("eu", "a b c", attempts("a:skipped", aged(time.Hour)), attempts("a:passed", aged(2*time.Hour)), attempts("a:failed", aged(3*time.Hour), from("on2")))))
	got := out.Cells[0]
	a := got.Results[0]
	if a.Verdict != "flaky" || !a.FinishedAt.Equal(noon().Add(-2*time.Hour)) || a.Attempts != 3 || strings.Join(a.Runs, " ") != "on on2" {
		t.Errorf("%+v: the time is that of the newest conclusive attempt", a)
	}
	b := got.Results[1]
	if b.Verdict != "never_ran" || b.SubjectOK || !b.FinishedAt.IsZero() || !b.Required || b.Name != "test b" {
		t.Errorf("%+v: what never ran has no time and no subject", b)
	}
	if got.Required != 3 || got.Flaky != 1 || got.NeverRan != 2 || got.Unproven != 2 || got.Integrity != results.Consistent {
		t.Errorf("%+v", got)
	}
	run := input(cell("eu", "a", attempts("a:passed", func(e *verdict.Evidence) { e.FinishedAt = time.Time{} })))
	if got := failing(decide(t, run)); got != "evidence-fresh@eu" {
		t.Errorf("%q: what has no time is not fresh", got)
	}
	run.Runs[0].FinishedAt = noon().Add(-time.Hour)
	if got := failing(decide(t, run)); got != "" {
		t.Errorf("%q: evidence without a time has that of its run", got)
	}
}

func TestDecide_AtFault(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in     verdict.Input
		want   string
		count  int
		reason string
	}{
		"Each":     {input(cell("eu", "a b c", attempts("a:passed b:failed c:failed"))), "b c", 2, "those that failed"},
		"Never":    {input(cell("eu", "a b", attempts("a:passed"))), "b", 1, "the one that never ran"},
		"Stale":    {input(cell("eu", "a b", attempts("a:passed"), attempts("b:passed", aged(25*time.Hour)))), "b", 1, "the old one"},
		"Total":    {ruled(input(cell("eu", "a b c", attempts("a:skipped b:skipped c:passed"))), verdict.Negative, "cell.skipped < 2"), "a b", 2, "those that the total counts"},
		"TooFew":   {ruled(input(cell("eu", "a b", attempts("a:passed b:passed"))), verdict.Negative, "cell.passed > 5"), "", 0, "none of them is to blame"},
		"NeedsOne": {ruled(input(cell("eu", "a b", attempts("a:passed b:passed"))), verdict.Negative, `cell.results.exists(r, r.test == "c")`), "", 0, "what is missing is no result"},
		"Waived":   {with(input(cell("eu", "a b", attempts("a:failed"), attempts("b:failed", failedAs("fp1:0")))), waiver()), "b", 1, "what is waived is not at fault"},
		"Budget":   {with(ruled(input(cell("eu", "a b c d", attempts("a:failed a:passed b:failed b:passed c:failed c:passed d:failed d:passed"))), verdict.Negative, "cell.flaky <= 2"), waiver(func(w *verdict.Waiver) { w.Test = "a" })), "b c d", 3, "the waived one is not counted"},
		"Error":    {ruled(input(cell("eu", "a b", attempts("a:failed b:failed"))), verdict.Negative, "cell.failed < 2 || 1 / cell.passed > 5"), "", 0, "an error is nobody's fault that it does not come from"},
		"ItsError": {ruled(input(cell("eu", "x 1", attempts("x:passed 1:passed"))), verdict.Negative, "cell.results.all(r, int(r.test) > 0)"), "x", 1, "the one that cannot be evaluated"},
		"Many":     {input(cell("eu", "", many("t", "failed", 30))), "t0000 t0001 t0002 t0003 t0004 t0005 t0006 t0007 t0008 t0009 t0010 t0011 t0012 t0013 t0014 t0015 t0016 t0017 t0018 t0019", 30, "the list is short, the count is not"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range decide(t, tc.in).Rules {
				if r.Holds {
					continue
				}
				var got []string
				for _, f := range r.Failing[0].Tests {
					got = append(got, f.Test)
				}
				if strings.Join(got, " ") != tc.want || r.Failing[0].AtFault != tc.count {
					t.Errorf("%s: %v, %d: %s", r.ID, got, r.Failing[0].AtFault, tc.reason)
				}
				return
			}
			t.Error("no rule is broken")
		})
	}
}

// TestDecide_CostLimit holds that a rule which costs too much is broken, says so, and is broken on every machine.
func TestDecide_CostLimit(t *testing.T) {
	t.Parallel()
	words := strings.Repeat("x", 10)
	var evidence []verdict.Evidence
	for i := range 2000 {
		evidence = append(evidence, attempts(fmt.Sprintf("%s%d:passed", words, i))...)
	}
	in := ruled(input(cell("eu", "", evidence)), verdict.Missing, `cell.results.all(a, cell.results.all(b, a.test == b.test || a.outcome == b.outcome))`)
	out := decide(t, in)
	if out.State != verdict.NotReady || !strings.Contains(out.Rules[0].Failing[0].Error, "costs more than 1000000 units") {
		t.Errorf("%s %+v", out.State, out.Rules)
	}
	for _, r := range input().Policy.Rules {
		if out := decide(t, ruled(input(cell("eu", "", evidence)), r.Kind, r.Expr)); len(out.Rules[0].Failing) > 0 && out.Rules[0].Failing[0].Error != "" {
			t.Errorf("%s: %+v: thousands of tests are usual", r.ID, out.Rules)
		}
	}
}

func TestDecide_Err(t *testing.T) {
	t.Parallel()
	ok := func() verdict.Input { return with(input(cell("eu", "a", attempts("a:passed"))), waiver()) }
	tests := map[string]struct {
		edit        func(*verdict.Input)
		field, says string
		reason      string
	}{
		"RunTwice":    {func(in *verdict.Input) { in.Runs = append(in.Runs, in.Runs[0]) }, "runs", "twice", "which subject?"},
		"RunNoID":     {func(in *verdict.Input) { in.Runs[0].ID = "" }, "runs", "no ID", "nothing could name it"},
		"CellTwice":   {func(in *verdict.Input) { in.Cells = append(in.Cells, in.Cells[0]) }, "cells", "twice", "which?"},
		"TestTwice":   {func(in *verdict.Input) { in.Cells[0].Required = append(in.Cells[0].Required, verdict.Test{Key: "a"}) }, "cells", "twice", "which labels?"},
		"UnknownRun":  {func(in *verdict.Input) { in.Cells[0].Evidence[0].Run = "nope" }, "cells", "not among the runs", "its subject is gone"},
		"Elsewhere":   {func(in *verdict.Input) { in.Runs[0].Environment = "us" }, "cells", "was in us", "evidence of another environment"},
		"WaiverTwice": {func(in *verdict.Input) { in.Waivers = append(in.Waivers, waiver()) }, "waivers", "twice", "which?"},
		"WaiverNoID":  {func(in *verdict.Input) { in.Waivers[0].ID = "" }, "waivers", "no ID", "nothing could name it"},
		"NoNow":       {func(in *verdict.Input) { in.Now = time.Time{} }, "now", "when", "nothing would be stale"},
		"OtherPolicy": {func(in *verdict.Input) { in.Policy.Rules = in.Policy.Rules[1:] }, "policy", "another policy", "not what was signed"},
		"OtherTerms":  {func(in *verdict.Input) { in.Policy.Waivers.SelfApproval = true }, "policy", "another policy", "not what was signed"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := ok()
			c, err := verdict.Compile(in.Policy)
			if err != nil {
				t.Fatal(err)
			}
			tc.edit(&in)
			_, err = verdict.Decide(t.Context(), c, in)
			checkFault(t, err, tc.field, tc.says, tc.reason)
		})
	}
	if _, err := verdict.Decide(t.Context(), verdict.Compiled{}, ok()); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: nothing was compiled", err)
	}
	c, err := verdict.Compile(ok().Policy)
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := verdict.Decide(over, c, ok()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v: who gave up has no verdict", err)
	}
}
