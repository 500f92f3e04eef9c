package policy_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// written returns the policy with a spec, such as "require: […]".
func written(t *testing.T, spec string) *document.ReadinessPolicyDocument {
	t.Helper()
	if !strings.Contains(spec, "appliesTo") {
		spec = "appliesTo: {applications: ['shop/*']}, " + spec
	}
	if !strings.Contains(spec, "require:") {
		spec += ", require: [{suites: [smoke], environments: ['*']}]"
	}
	return readDocument(t, []byte("apiVersion: seatrial.dev/v1\nkind: ReadinessPolicy\nmetadata: {name: p}\nspec: {"+spec+"}\n"))
}

func readDocument(t *testing.T, src []byte) *document.ReadinessPolicyDocument {
	t.Helper()
	read := parse.Read(src)
	doc, ok := read.Value.(*document.ReadinessPolicyDocument)
	if !ok || len(read.Faults) > 0 {
		t.Fatalf("%+v\n%s", read.Faults, src)
	}
	return doc
}

func prodGate(t *testing.T) []byte {
	t.Helper()
	src, err := os.ReadFile("testdata/prod-gate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestFromDocument holds that the policy of the design compiles as it is written, and that its rules are the default ones.
func TestFromDocument(t *testing.T) {
	t.Parallel()
	src := prodGate(t)
	if faults := policy.Check(parse.Read(src)); len(faults) > 0 {
		t.Fatalf("%+v", faults)
	}
	got := policy.FromDocument(readDocument(t, src))
	want := policy.DefaultRules()
	for i := range want {
		want[i].Description = ""
	}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	terms := verdict.WaiverTerms{Approvers: "team:release-managers", MinApprovers: 1, MaxAge: verdict.Duration(72 * time.Hour), BindTo: verdict.BindFingerprint}
	if got.Name != "prod-gate" || got.Waivers != terms || len(got.Digest) != 64 {
		t.Errorf("%+v", got)
	}
}

func TestFromDocument_Defaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec   string
		want   verdict.WaiverTerms
		reason string
	}{
		"None":    {"require: [{suites: [a], environments: [b]}]", verdict.WaiverTerms{}, "nobody was named"},
		"Few":     {"waivers: {approvers: ada}", verdict.WaiverTerms{Approvers: "ada", MinApprovers: 1, MaxAge: verdict.Duration(72 * time.Hour), BindTo: "fingerprint"}, "as the fields say"},
		"ToTests": {"waivers: {approvers: ada, bindTo: test, minApprovers: 2, selfApproval: true, maxAge: 1h}", verdict.WaiverTerms{Approvers: "ada", MinApprovers: 2, SelfApproval: true, MaxAge: verdict.Duration(time.Hour)}, "as written"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := policy.FromDocument(written(t, tc.spec))
			if got.Waivers != tc.want {
				t.Errorf("%+v, want %+v: %s", got.Waivers, tc.want, tc.reason)
			}
			if diff := cmp.Diff(policy.DefaultRules(), got.Rules); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromDocument_Digest(t *testing.T) {
	t.Parallel()
	one, same := written(t, "waivers: {approvers: ada, maxAge: 60m}"), written(t, "waivers: {maxAge: 1h, approvers: ada}")
	other := written(t, "waivers: {approvers: ada, maxAge: 61m}")
	if one.Digest == "" || one.Digest != same.Digest || one.Digest == other.Digest {
		t.Errorf("%s, %s, %s: the digest is that of the meaning", one.Digest, same.Digest, other.Digest)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		patterns, application string
		want                  bool
		reason                string
	}{
		"Name":    {"[shop/cart]", "shop/cart", true, "itself"},
		"Star":    {"['shop/*']", "shop/cart", true, "in the group"},
		"Other":   {"['shop/*']", "bank/cart", false, "of another group"},
		"Deeper":  {"['shop/*']", "shop/cart/api", false, "a star stops at a slash"},
		"Any":     {"['**']", "shop/cart/api", true, "two stars do not"},
		"Second":  {"[a, 'shop/{cart,web}']", "shop/web", true, "one of several"},
		"Nothing": {"['shop/*']", "", false, "no application"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := written(t, "appliesTo: {applications: "+tc.patterns+"}")
			if got := policy.Match(doc, tc.application, []string{"production"}); got != tc.want {
				t.Errorf("%t: %s", got, tc.reason)
			}
		})
	}
}

func TestMatch_Targets(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		of, targets []string
		want        bool
		claims      bool
		reason      string
	}{
		"Any":    {nil, []string{"production"}, true, false, "a policy for whatever target"},
		"None":   {nil, nil, true, false, "a release that says nothing"},
		"Each":   {[]string{"edge", "lab", "production"}, []string{"lab", "production"}, true, true, "each of its targets"},
		"Some":   {[]string{"edge", "production"}, []string{"lab", "production"}, false, true, "nothing would be asked of it for lab"},
		"Other":  {[]string{"production"}, []string{"lab"}, false, false, "it goes elsewhere"},
		"Silent": {[]string{"production"}, nil, false, false, "a release that says nothing goes nowhere in particular"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := written(t, "appliesTo: {applications: ['**'], targets: ["+strings.Join(tc.of, ", ")+"]}")
			if got, claims := policy.Match(doc, "shop", tc.targets), policy.Claims(doc, "shop", tc.targets); got != tc.want || claims != tc.claims {
				t.Errorf("match %t, claims %t: %s", got, claims, tc.reason)
			}
		})
	}
}

func catalog() []policy.Workflow {
	return []policy.Workflow{
		{Name: "smoke", Labels: map[string]string{"tier": "critical"}},
		{Name: "shop-api", Labels: map[string]string{"suite": "api", "team": "shop"}},
		{Name: "bank-api", Labels: map[string]string{"suite": "api", "tier": "critical"}},
		{Name: "load"},
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ require, want, reason string }{
		"Name":      {"{suites: [smoke], environments: [eu]}", "eu/smoke", "a workflow by its name"},
		"Label":     {"{suites: [api], environments: [eu]}", "eu/bank-api eu/shop-api", "workflows by their label"},
		"Selector":  {"{selector: 'tier == \"critical\"', environments: [eu]}", "eu/bank-api eu/smoke", "workflows by a condition"},
		"Lacking":   {"{selector: 'tier == \"\" && team != \"shop\"', environments: [eu]}", "eu/load", "a label that is not there is empty"},
		"In":        {"{selector: 'suite in [\"api\"] && !(team in [\"shop\"])', environments: [eu]}", "eu/bank-api", "lists"},
		"Macro":     {"{selector: '[\"api\", \"ui\"].exists(s, s == suite) && team.startsWith(\"sh\")', environments: [eu]}", "eu/shop-api", "names of macros are no labels"},
		"Type":      {"{selector: 'type == \"\" && size != \"x\" && suite == \"api\" && team == \"\"', environments: [eu]}", "eu/bank-api", "words of CEL are labels, too"},
		"Any":       {"{suites: [smoke], environments: ['*']}", "eu/smoke us-1/smoke us-2/smoke", "every environment"},
		"Glob":      {"{suites: [smoke], environments: ['us-*']}", "us-1/smoke us-2/smoke", "some environments"},
		"Twice":     {"{suites: [smoke, smoke], environments: [eu, '*u']}, {selector: 'tier != \"\"', environments: [eu]}", "eu/bank-api eu/smoke", "each once"},
		"Different": {"{suites: [smoke], environments: [eu]}, {suites: [load], environments: [us-1]}", "eu/smoke us-1/load", "each requirement by itself"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cells, err := policy.Resolve(written(t, "require: ["+tc.require+"]"), catalog(), []string{"us-2", "eu", "us-1"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range cells {
				got = append(got, c.Environment+"/"+c.Workflow)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%v, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestResolve_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ require, says, reason string }{
		"Suite":       {"{suites: [smoke, smok], environments: [eu]}", `spec.require[0].suites[1] names "smok", but no workflow has that name or that value of the label suite; did you mean "smoke"?`, "a typo"},
		"Environment": {"{suites: [smoke], environments: [eu, asia]}", `spec.require[0].environments[1] matches no environment: "asia"`, "it would vanish"},
		"Selector":    {"{selector: 'teir == \"critical\"', environments: [eu]}", "spec.require[0].selector selects no workflow", "a typo in a label"},
		"Both":        {"{suites: [nope], environments: [asia]}", `spec.require[0].suites[0] names "nope", but`, "all at once"},
		"Broken":      {"{selector: 'tier ==', environments: [eu]}", "spec.require[0].selector Syntax error", "no condition"},
		"Runtime":     {"{selector: 'int(tier) > 0', environments: [eu]}", "for the workflow smoke", "no number"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.Resolve(written(t, "require: ["+tc.require+"]"), catalog(), []string{"eu"})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || !strings.Contains(f.Message, tc.says) {
				t.Errorf("%v, want %q: %s", err, tc.says, tc.reason)
			}
			if name == "Both" && len(f.Places) != 2 {
				t.Errorf("%+v", f.Places)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, new, field, says string
		line                  int
		reason                string
	}{
		"Field":     {"cell.never_ran", "cell.neverRan", "spec.rules[0].expr", "undefined field 'neverRan'", 11, "a typo in a rule"},
		"NotBool":   {"'cell.never_ran == 0 && cell.running == 0'", "cell.never_ran", "spec.rules[0].expr", "not true or false", 11, "no condition"},
		"Selector":  {`'tier == "critical"'`, "'tier'", "spec.require[1].selector", "not true or false", 9, "no condition"},
		"Unknown":   {`'tier == "critical"'`, `'tier.level == "critical"'`, "spec.require[1].selector", "does not support field selection", 9, "labels are texts"},
		"NoLabel":   {`'tier == "critical"'`, "'true'", "spec.require[1].selector", "names no label", 9, "all or none"},
		"MacroOnly": {`'tier == "critical"'`, `'["a"].exists(s, s == "a")'`, "spec.require[1].selector", "names no label", 9, "names of macros are no labels"},
		"Beside":    {"kind: missing,  expr: 'cell.never_ran", "kind: mising, expr: 'cell.neverRan", "spec.rules[0].expr", "undefined field", 11, "another fault of the document does not hide it"},
		"Parser":    {"expr: 'cell.never_ran == 0 && cell.running == 0'", "expr: ''", "", "", 0, "what the parser says is not said twice"},
		"Kind":      {"kind: ReadinessPolicy", "kind: Environment", "", "", 0, "other kinds are for others"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := strings.Replace(string(prodGate(t)), tc.old, tc.new, 1)
			got := policy.Check(parse.Read([]byte(src)))
			if tc.field == "" {
				if len(got) > 0 {
					t.Errorf("%+v: %s", got, tc.reason)
				}
				return
			}
			if len(got) != 1 || got[0].Field != tc.field || got[0].Line != tc.line || got[0].Column == 0 || !strings.Contains(got[0].Message, tc.says) {
				t.Errorf("%+v, want %q at %s in line %d: %s", got, tc.says, tc.field, tc.line, tc.reason)
			}
		})
	}
}

// FuzzSelector holds that no selector makes resolving panic or hang, and that a refusal says why.
func FuzzSelector(f *testing.F) {
	for _, text := range []string{`tier == "critical"`, `suite in ["a"] || team.matches("x+")`, `["a"].exists(s, s == suite)`, `type == "e2e"`, `a.b == ""`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc := &document.ReadinessPolicyDocument{}
		doc.Spec.Require = []document.Requirement{{Selector: text, Environments: []string{"*"}}}
		if text == "" {
			return
		}
		one, err := policy.Resolve(doc, catalog(), []string{"eu"})
		if err != nil {
			if !fault.Is(err, fault.Invalid) || err.Error() == "" {
				t.Fatal(err)
			}
			return
		}
		other, err := policy.Resolve(doc, catalog(), []string{"eu"})
		if diff := cmp.Diff(one, other); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
