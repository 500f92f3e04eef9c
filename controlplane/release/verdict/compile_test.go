package verdict_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
)

func checkFault(t *testing.T, err error, field, says, reason string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != field || !strings.Contains(f.Message, says) {
		t.Errorf("%v (%+v), want %q at %s: %s", err, f, says, field, reason)
	}
}

func TestCompile_Faults(t *testing.T) {
	t.Parallel()
	expr := func(text string) verdict.Policy {
		return verdict.Policy{Rules: []verdict.Rule{{ID: "a", Kind: verdict.Negative, Expr: text}}}
	}
	rule := func(r verdict.Rule) verdict.Policy { return verdict.Policy{Rules: []verdict.Rule{r}} }
	tests := map[string]struct {
		in                  verdict.Policy
		field, says, reason string
	}{
		"NoRules":   {verdict.Policy{}, "rules", "needs 1 to 100", "everything would be ready"},
		"TooMany":   {verdict.Policy{Rules: make([]verdict.Rule, 101)}, "rules", "has 101 rules", "bounded"},
		"NoID":      {rule(verdict.Rule{Kind: verdict.Negative, Expr: "true"}), "rules[0].id", "is missing", "waivers name it"},
		"Kind":      {rule(verdict.Rule{ID: "a", Kind: "bad", Expr: "true"}), "rules[0].kind", "write negative", "what does it mean?"},
		"Waivable":  {rule(verdict.Rule{ID: "a", Kind: verdict.Missing, Waivable: true, Expr: "true"}), "rules[0].waivable", "cannot be waived", "evidence that does not exist"},
		"NoExpr":    {expr(" "), "rules[0].expr", "is missing", "nothing to hold"},
		"Syntax":    {expr("cell.flaky <= "), "rules[0].expr", "Syntax error", "half a condition"},
		"Field":     {expr("cell.flakey <= 2"), "rules[0].expr", "undefined field 'flakey'; cell has environment, suite,", "a typo"},
		"Result":    {expr("cell.results.all(r, r.ok)"), "rules[0].expr", "undefined field 'ok'", "a typo in a result"},
		"Name":      {expr("cel.flaky <= 2"), "rules[0].expr", "a rule knows cell, release and now", "a typo in a name"},
		"Type":      {expr("cell.flaky <= 0.5"), "rules[0].expr", "no matching overload", "numbers of two kinds"},
		"NotBool":   {expr("cell.flaky"), "rules[0].expr", "gives int, not true or false", "a number is no condition"},
		"Dyn":       {expr("dyn(true)"), "rules[0].expr", "gives dyn", "known too late"},
		"Duration":  {expr(`now - now < duration("1 day")`), "rules[0].expr", "invalid duration", "found now, not at the release"},
		"Regex":     {expr(`cell.suite.matches("(")`), "rules[0].expr", "invalid matches", "found now, not at the release"},
		"Mapping":   {expr("cell.labels.exists(k, k == 'a')"), "rules[0].expr", "has no order", "another result next time"},
		"MapHidden": {expr("dyn(cell.labels).exists(k, k == 'a')"), "rules[0].expr", "has no order", "another result next time"},
		"Line":      {expr("cell.flaky <= 2\n&& cell.nope == 0"), "rules[0].expr", "in its line 2: undefined field", "where to look"},
		"Long":      {expr(strings.Repeat("true && ", 1000) + "true"), "rules[0].expr", "size", "bounded"},
		"BindTo":    {verdict.Policy{Rules: policy.DefaultRules(), Waivers: verdict.WaiverTerms{BindTo: "name"}}, "waivers.bindTo", `"fingerprint"`, "bound to what?"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verdict.Compile(tc.in)
			checkFault(t, err, tc.field, tc.says, tc.reason)
		})
	}
}

// TestCompile_AllFaultsAtOnce holds that nobody has to compile twice to see the second fault.
func TestCompile_AllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := verdict.Compile(verdict.Policy{Rules: []verdict.Rule{
		{ID: "a", Kind: "x", Expr: "cell.one && cell.two"}, {ID: "b", Kind: verdict.Negative, Expr: "true"}, {ID: "a", Kind: verdict.Negative, Expr: "1"},
	}})
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range f.Places {
		got = append(got, p.Field)
	}
	if want := "rules[0].kind rules[0].expr rules[0].expr rules[2].id rules[2].expr"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestCompiled_Policy(t *testing.T) {
	t.Parallel()
	p := input().Policy
	c, err := verdict.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	p.Rules[0].Expr, c.Policy().Rules[0].Expr = "true", "true"
	if c.Policy().Rules[0].Expr == "true" {
		t.Error("what was compiled changed with its source")
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, d := range map[string]time.Duration{"72h": 72 * time.Hour, "1h30m": 90 * time.Minute, "10m": 10 * time.Minute, "90s": 90 * time.Second, "0s": 0} {
		raw, err := json.Marshal(verdict.Duration(d))
		if err != nil || text != "90s" && string(raw) != `"`+text+`"` {
			t.Errorf("%s: %s, %v", text, raw, err)
		}
		var back verdict.Duration
		if err := json.Unmarshal([]byte(`"`+text+`"`), &back); err != nil || time.Duration(back) != d {
			t.Errorf("%s: %v, %v", text, back, err)
		}
	}
	var bad verdict.Duration
	if err := json.Unmarshal([]byte(`"3 days"`), &bad); err == nil {
		t.Error("no duration")
	}
}

// FuzzCompile holds that no expression makes a verdict panic, hang, or differ from the same one a moment later.
func FuzzCompile(f *testing.F) {
	for _, r := range policy.DefaultRules() {
		f.Add(r.Expr)
	}
	f.Add(`cell.labels["x"] == "y" || 1 / cell.flaky > 0`)
	f.Add(`cell.results.map(r, r.finished_at).exists(t, t.getHours("Europe/Berlin") > 5)`)
	f.Fuzz(func(t *testing.T, expr string) {
		in := with(ruled(full(), verdict.Negative, expr), waiver())
		c, err := verdict.Compile(in.Policy)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		one, err := verdict.Decide(t.Context(), c, in)
		if err != nil {
			t.Fatal(err)
		}
		other, err := verdict.Decide(t.Context(), c, in)
		if err != nil || asJSON(t, one) != asJSON(t, other) {
			t.Fatalf("%v: two verdicts", err)
		}
	})
}

// FuzzDecide holds that no bundle makes a verdict panic, and that READY never stands beside a broken rule.
func FuzzDecide(f *testing.F) {
	for _, tc := range golden() {
		raw, err := json.Marshal(tc.in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var in verdict.Input
		if json.Unmarshal(raw, &in) != nil {
			return
		}
		c, err := verdict.Compile(in.Policy)
		if err != nil {
			return
		}
		out, err := verdict.Decide(t.Context(), c, in)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		ready := out.State == verdict.Ready || out.State == verdict.ReadyWithWaivers
		if ready && (failing(out) != "" || len(out.Gaps) > 0 || len(out.Cells) == 0) {
			t.Errorf("%s with %s and %v", out.State, failing(out), out.Gaps)
		}
		for _, c := range out.Cells {
			if c.Integrity != results.Consistent && c.Integrity != results.Contradictory {
				t.Errorf("%+v", c)
			}
		}
	})
}
