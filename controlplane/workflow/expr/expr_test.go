package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

func environment(name string) (string, bool) {
	value, ok := map[string]string{"HOME": "/root", "EMPTY": "", "N": "3", "TRICK": "${{ env.HOME }}"}[name]
	return value, ok
}

func TestExpandEnv(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ template, want, reason string }{
		"Empty":        {"", "", "nothing"},
		"Plain":        {"echo $HOME ${HOME} {{ x }}", "echo $HOME ${HOME} {{ x }}", "the shell's own syntax is left alone"},
		"Field":        {"a ${{ env.HOME }} b", "a /root b", "a variable"},
		"Bracket":      {`${{ env["HOME"] }}`, "/root", "a variable whose name is no identifier can be had too"},
		"Tight":        {"${{env.HOME}}", "/root", "blanks are not needed"},
		"Empty value":  {"[${{ env.EMPTY }}]", "[]", "set to nothing is set"},
		"Two":          {"${{ env.HOME }}${{ env.N }}", "/root3", "neighbours"},
		"Function":     {`${{ env.HOME + "/x" }}`, "/root/x", "CEL"},
		"Number":       {`${{ int(env.N) + 1 }}`, "4", "CEL types"},
		"Conditional":  {`${{ has(env.NOPE) ? env.NOPE : "none" }}`, "none", "asked for first"},
		"In":           {`${{ "NOPE" in env ? env.NOPE : "none" }}`, "none", "asked for first"},
		"Escape":       {"$${{ env.HOME }}", "${{ env.HOME }}", "literal"},
		"EscapeTwice":  {"$$${{ x }}", "$${{ x }}", "one dollar escapes, the other stays"},
		"NoRecursion":  {"${{ env.TRICK }}", "${{ env.HOME }}", "values are never expanded again"},
		"BraceInText":  {`${{ "}}" + env.N }}`, "}}3", "a string may hold the end"},
		"BraceQuote":   {`${{ '\'}}' + "a" }}`, "'}}a", "escaped quote"},
		"RawString":    {`${{ r"\" + env.N }}`, `\3`, "no escapes in a raw string"},
		"Map":          {`${{ {"a": {"b": env.N}}["a"]["b"] }}`, "3", "braces of maps nest"},
		"Triple":       {`${{ """a"}}""" }}`, `a"}}`, "triple quotes"},
		"Double":       {`${{ 0.5 }} ${{ 2.0 }}`, "0.5 2", "numbers as people write them"},
		"Comprehended": {`${{ ["a", "b"].exists(x, x == env.N) }}`, "false", "a macro's own variable is no reference"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := expr.ExpandEnv(tc.template, environment)
			if err != nil || got != tc.want {
				t.Errorf("ExpandEnv(%q) = %q, %v; want %q: %s", tc.template, got, err, tc.want, tc.reason)
			}
		})
	}
}

func TestExpandEnv_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ template, says, reason string }{
		"NotSet":     {"${{ env.NOPE }}", "NOPE is not set", "a typo must not become an empty string"},
		"Unclosed":   {"echo ${{ env.HOME", `"$${{"`, "the way out is named"},
		"Params":     {"${{ params.x }}", "params is not known in the pod", "the control plane resolved those before"},
		"Whole":      {"${{ size(env) }}", "env.NAME", "nobody dumps the environment"},
		"Dynamic":    {"${{ env[env.HOME] }}", "env.NAME", "the names that are used must be known"},
		"Syntax":     {"${{ env. }}", "expression", "not CEL"},
		"Blank":      {"${{ }}", "empty", "nothing to resolve"},
		"Type":       {"${{ [1] }}", "list", "a list has no text"},
		"DynType":    {"${{ dyn([1]) }}", "strings, numbers", "a list has no text, known late"},
		"NoSteps":    {"${{ steps.a.status }}", "steps is not known in the pod", "no step is over"},
		"NoFiles":    {`${{ file("a") }}`, "no workspace", "nothing to read"},
		"Status":     {"${{ failed() }}", "in if only", "a script asks for steps.<name>.status"},
		"Mistyped":   {"${{ env.N + 1 }}", "no matching overload", "variables are strings"},
		"TooLong":    {"${{ \"" + strings.Repeat("a", 3<<20) + "\" }}", "size", "bounded"},
		"TooDeep":    {"${{ " + strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200) + " }}", "expression", "bounded"},
		"TooCostly":  {"${{ " + costly + " }}", "cost", "bounded"},
		"TwoResults": {strings.Repeat("${{ env.BIG }}", 3), "longer than", "bounded"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := expr.ExpandEnv(tc.template, func(name string) (string, bool) {
				if name == "BIG" {
					return strings.Repeat("x", expr.MaxResult/2), true
				}
				return environment(name)
			})
			var e *expr.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("err = %v, want an *expr.Error that says %q: %s", err, tc.says, tc.reason)
			}
		})
	}
}

const costly = `[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c,
	[1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, a+b+c+d+e+f > 0))))))`

func compiler(tb testing.TB) *expr.Compiler {
	tb.Helper()
	c, err := expr.New(map[string]expr.Type{
		"params.url": expr.String, "params.users": expr.Integer, "params.rate": expr.Number, "params.full": expr.Boolean,
		"workflow.name": expr.String, "environment.name": expr.String,
		"steps.build.status": expr.String, "steps.build.exitCode": expr.Integer, "steps.build.outputs": expr.Texts,
		"steps.my-step.status": expr.String, "steps.my-step.exitCode": expr.Integer, "steps.my-step.outputs": expr.Texts,
		"steps.test.status": expr.String, "steps.test.exitCode": expr.Integer, "steps.test.outputs": expr.Texts,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c.WithSteps([]string{"build", "my-step", "test"}, []string{"build", "my-step"}, map[string][]string{"build": {"version"}})
}

func values() map[string]any {
	return map[string]any{
		"params.url": "http://a/$", "params.users": int64(7), "params.rate": 0.5, "params.full": true, "workflow.name": "${{ env.TOKEN }}",
	}
}

func TestTemplate_Expand(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		template string
		where    expr.Where
		want     string
		reason   string
	}{
		"Here":            {"${{ params.url }} ${{ params.users + 1 }} ${{ params.rate }} ${{ params.full }}", expr.Here, "http://a/$ 8 0.5 true", "all types"},
		"HereEscape":      {"$${{ x }}", expr.Here, "${{ x }}", "resolved at once"},
		"HereValue":       {"${{ workflow.name }}", expr.Here, "${{ env.TOKEN }}", "a value is no template"},
		"PodKeepsEnv":     {"${{ params.users }} ${{ env.HOME  }}", expr.InPod, "7 ${{ env.HOME  }}", "left as written"},
		"PodKeepsEscape":  {"$${{ x }}", expr.InPod, "$${{ x }}", "the runner resolves it"},
		"PodValueInert":   {"${{ workflow.name }}", expr.InPod, "$${{ env.TOKEN }}", "a parameter cannot make the runner resolve anything"},
		"PodDollarBefore": {"${{ params.url }}${{ env.HOME }}", expr.InPod, "http://a/${{ \"$\" }}${{ env.HOME }}", "the dollar of a value escapes nothing"},
		"Bracket":         {`${{ params["url"] }}`, expr.Here, "http://a/$", "the same variable"},
		"PodMixed":        {`${{ env.HOME + params.url }}`, expr.InPod, `${{ env.HOME + "http://a/$" }}`, "the runner knows no parameters: it gets their values"},
		"PodBracket":      {`${{ steps["my-step"].status + params["url"] }}`, expr.InPod, `${{ steps["my-step"].status + "http://a/$" }}`, "names with dashes"},
		"PodMacro":        {`${{ [1, params.users].exists(i, i > steps.build.exitCode) }}`, expr.InPod, `${{ [1, 7].exists(i, i > steps.build.exitCode) }}`, "macros stay as they are"},
		"PodAsWritten":    {`${{steps.build.outputs.version}}`, expr.InPod, `${{steps.build.outputs.version}}`, "left as written"},
		"JSON":            {`${{ toJSON({"b": [1, 2.5], "a": "x"}) }} ${{ fromJSON("{\"a\": [1, 2]}").a[1] + params.users }}`, expr.Here, `{"a":"x","b":[1,2.5]} 9`, "in order, whole numbers are integers"},
		"Hash":            {`${{ hash("abc") }}`, expr.Here, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256"},
		"PodBraceAfter":   {"${{ params.url }}{{ env.HOME }}", expr.InPod, "http://a/$${{ env.HOME }}", "a dollar and braces do not join into an expression"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmpl, err := compiler(t).Compile(tc.template, tc.where)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tmpl.Expand(values())
			if err != nil || got != tc.want {
				t.Errorf("%q → %q, %v; want %q: %s", tc.template, got, err, tc.want, tc.reason)
			}
		})
	}
}

func TestCompiler_Compile_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		template string
		where    expr.Where
		says     string
		offset   int
		reason   string
	}{
		"NoSuchParam":  {"a ${{ params.uri }}", expr.Here, "there is no params.uri; there are", 2, "found when applied, not when run"},
		"NoSuchRoot":   {"${{ parms.url }}", expr.Here, `no variable "parms"`, 0, "found when applied"},
		"Whole":        {"${{ params }}", expr.Here, "cannot be used as a whole", 0, "no text"},
		"EnvHere":      {"${{ env.X }}", expr.Here, "in the pod only", 0, "an image name cannot depend on the pod"},
		"Type":         {"${{ params.users + params.url }}", expr.Here, "no matching overload", 0, "checked types"},
		"NoMatrix":     {"${{ matrix.browser }}", expr.Here, "the workflow declares none", 0, "found when applied"},
		"Late":         {"${{ environment.name }}", expr.AtTrigger, "not known yet", 0, "a matrix cannot depend on what it makes"},
		"StatusInText": {"${{ always() }}", expr.InPod, "in if only", 0, "a condition only"},
		"FileHere":     {`${{ file("a") }}`, expr.Here, "in the pod only", 0, "the control plane has no workspace"},
		"StepHere":     {"${{ steps.build.status }}", expr.Here, "in the pod only", 0, "an image is chosen before a step runs"},
		"StepLater":    {"${{ steps.test.status }}", expr.InPod, "does not end before", 0, "the order of steps"},
		"StepUnknown":  {"${{ steps.biuld.status }}", expr.InPod, "no step \"biuld\"", 0, "found when applied"},
		"StepField":    {"${{ steps.build.code }}", expr.InPod, "status, exitCode, outputs", 0, "found when applied"},
		"StepOutput":   {"${{ steps.build.outputs.nope }}", expr.InPod, "declares no output nope", 0, "found when applied"},
		"StepType":     {"${{ steps.build.exitCode + 'a' }}", expr.InPod, "no matching overload", 0, "typed"},
		"Hidden":       {"${{ [1].exists(params, params > 0) ? 1 : 2 }}", expr.InPod, "another name", 0, "rewriting goes by name"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := compiler(t).Compile(tc.template, tc.where)
			var e *expr.Error
			if !errors.As(err, &e) {
				t.Fatalf("err = %v: %s", err, tc.reason)
			}
			f := e.Faults[0]
			if !strings.Contains(f.Message, tc.says) || f.Offset != tc.offset {
				t.Errorf("%+v, want %q at %d: %s", f, tc.says, tc.offset, tc.reason)
			}
		})
	}
}

func TestCompiler_Compile_AllFaults(t *testing.T) {
	t.Parallel()
	_, err := compiler(t).Compile("${{ params.a }} ${{ params.b }}", expr.Here)
	var e *expr.Error
	if !errors.As(err, &e) || len(e.Faults) != 2 {
		t.Errorf("err = %v, want both faults", err)
	}
}

// FuzzExpand holds that whatever a value is, the control plane and the runner together put exactly that value into the text.
func FuzzExpand(f *testing.F) {
	f.Add("a", "b", "c")
	f.Add("$", "${{ env.HOME }}", "}}")
	f.Add("$$", "{{", "${{")
	f.Fuzz(func(t *testing.T, before, value, after string) {
		if len(before)+len(value)+len(after) > 1000 {
			t.Skip("a text of that length proves nothing more")
		}
		c, err := expr.New(map[string]expr.Type{"params.v": expr.String})
		if err != nil {
			t.Fatal(err)
		}
		template := expr.Escape(before) + " ${{ params.v }}${{ env.V }}${{ params.v }}" + expr.Escape(after)
		tmpl, err := c.Compile(template, expr.InPod)
		if err != nil {
			t.Fatalf("%q: %v", template, err)
		}
		forRunner, err := tmpl.Expand(map[string]any{"params.v": value})
		if err != nil {
			t.Fatal(err)
		}
		got, err := expr.ExpandEnv(forRunner, func(string) (string, bool) { return "E", true })
		if want := before + " " + value + "E" + value + after; err != nil || got != want {
			t.Errorf("%q → %q → %q, %v; want %q", template, forRunner, got, err, want)
		}
	})
}

// FuzzExpandEnv holds that no template makes the runner panic.
func FuzzExpandEnv(f *testing.F) {
	for _, seed := range []string{"${{ env.A }}", `${{ "a" + 'b' }}`, "$${{", "${{ {1:2}[1] }}", `${{ r"\" }}`, "${{ [1].map(x, x) }}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, template string) {
		out, err := expr.ExpandEnv(template, environment)
		var e *expr.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v is no *expr.Error", err)
		}
		if err == nil && expr.IsPlain(template) && out != template {
			t.Errorf("plain %q became %q", template, out)
		}
	})
}
