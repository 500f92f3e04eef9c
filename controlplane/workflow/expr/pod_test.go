package expr_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

func pod() *expr.Pod {
	return &expr.Pod{
		Env: environment,
		Steps: map[string]expr.Step{
			"build":   {Status: "passed", Outputs: map[string]string{"version": "1.2"}},
			"my-step": {Status: "failed", ExitCode: 3},
		},
		Files: fstest.MapFS{"VERSION": {Data: []byte("7\n")}, "e2e/b.ts": {}, "e2e/a.ts": {}, "e2e/deep/c.ts": {}},
	}
}

func TestPod_Expand(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ template, want, reason string }{
		"Output":  {"${{ steps.build.outputs.version }}", "1.2", "what a step said"},
		"Dashes":  {`${{ steps["my-step"].exitCode + 1 }}`, "4", "the name is no identifier"},
		"File":    {`v${{ file("VERSION") }}`, "v7", "without the end of the line"},
		"Glob":    {`${{ glob("e2e/**/*.ts").size() }} ${{ glob("e2e/*.ts")[0] }}`, "3 e2e/a.ts", "sorted"},
		"Env":     {"${{ env.HOME + steps.build.status }}", "/rootpassed", "all that the pod knows"},
		"NoMatch": {`${{ glob("*.py").size() }}`, "0", "an empty list"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := pod().Expand(tc.template)
			if err != nil || got != tc.want {
				t.Errorf("%q → %q, %v; want %q: %s", tc.template, got, err, tc.want, tc.reason)
			}
		})
	}
}

func TestPod_Expand_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ template, says, reason string }{
		"NoStep":   {"${{ steps.nope.status }}", "no step", "not over"},
		"NoOutput": {"${{ steps.build.outputs.nope }}", "declares no output", "not said"},
		"NoFile":   {`${{ file("nope") }}`, "nope", "not there"},
		"Outside":  {`${{ file("../etc/passwd") }}`, "file()", "the workspace and nothing else"},
		"BadJSON":  {`${{ fromJSON("{").a }}`, "fromJSON()", "no JSON"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pod().Expand(tc.template)
			var e *expr.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("err = %v, want %q: %s", err, tc.says, tc.reason)
			}
		})
	}
}

func TestPod_Holds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		condition         string
		failed, cancelled bool
		want              bool
		reason            string
	}{
		"True":            {"true", false, false, true, "without braces"},
		"Braces":          {"${{ env.HOME == '/root' }}", false, false, true, "with braces"},
		"SkippedAfter":    {"true", true, false, false, "a condition that asks for no status is about steps that would run"},
		"Always":          {"${{ 'fast' == 'full' || always() }}", true, true, true, "whatever happened"},
		"Failed":          {"failed()", true, false, true, "a step before failed"},
		"FailedNot":       {"failed()", false, false, false, "none did"},
		"Cancelled":       {"cancelled()", true, true, true, "being cancelled"},
		"FailedCancelled": {"failed()", true, true, false, "cancelled is not failed"},
		"Passed":          {"passed() && steps.build.status == 'passed'", false, false, true, "both"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pod()
			p.Failed, p.Cancelled = tc.failed, tc.cancelled
			got, err := p.Holds(tc.condition)
			if err != nil || got != tc.want {
				t.Errorf("%q → %t, %v; want %t: %s", tc.condition, got, err, tc.want, tc.reason)
			}
		})
	}
	if _, err := pod().Holds("'text'"); err == nil {
		t.Error("a text is no condition")
	}
}

func TestCompiler_CompileValue(t *testing.T) {
	t.Parallel()
	c := compiler(t)
	v, err := c.CompileValue("${{ params.users / 2 }}", expr.AtTrigger, expr.Count)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Eval(values()); err != nil || got != int64(3) {
		t.Errorf("%v, %v", got, err)
	}
	v, err = c.CompileValue(`${{ fromJSON('["a", 1]') }}`, expr.AtTrigger, expr.Items)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Eval(values()); err != nil || len(got.([]any)) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	v, err = c.CompileValue(`${{ params.full || failed() }}`, expr.If, expr.Condition)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.ForPod(values()); err != nil || got != "true || failed()" {
		t.Errorf("%q, %v", got, err)
	}
	for template, want := range map[string]expr.Want{
		"a ${{ params.users }}": expr.Count, "${{ params.url }}": expr.Count, "${{ params.users > 1 }}": expr.Items, "${{ params.rate }}": expr.Condition,
	} {
		if _, err := c.CompileValue(template, expr.Here, want); err == nil {
			t.Errorf("%q passes", template)
		}
	}
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	by := map[string]string{"params.a": "params.x + 1", "params.b": `"t"`}
	tests := map[string]struct{ template, want, reason string }{
		"Plain":    {"a", "a", "nothing to do"},
		"Other":    {"${{params.c}}", "${{params.c}}", "left as written"},
		"Grouped":  {"${{ params.a * 2 }}", "${{ (params.x + 1) * 2 }}", "an expression keeps its meaning"},
		"Text":     {"-${{ params.b }}-", `-t-`, "a value is text"},
		"Escape":   {"$${{ params.b }} ${{ params.b }}", `$${{ params.b }} t`, "escapes stay"},
		"InMacro":  {"${{ [1].exists(i, i == params.a) }}", "${{ [1].exists(i, i == params.x + 1) }}", "inside a macro"},
		"HasField": {"${{ has(env.A) ? env.A : params.b }}", `${{ has(env.A) ? env.A : "t" }}`, "macros stay"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := expr.Substitute(tc.template, by)
			if err != nil || got != tc.want {
				t.Errorf("%q → %q, %v; want %q: %s", tc.template, got, err, tc.want, tc.reason)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"": `""`, "a": `"a"`, "${{ params.x }}": "params.x", "a-${{ params.x }}": `"a-" + string(params.x)`, "$${{": `"${{"`,
	} {
		if got, err := expr.Join(template); err != nil || got != want {
			t.Errorf("%q → %q, %v; want %q", template, got, err, want)
		}
	}
}

// FuzzCompile holds that no expression makes the compiler panic, and that an expression for the pod gives there what the control
// plane's values and the pod's say together: written out and read again it means the same.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`params.url + "x"`, `params.users * 2 > 3 && steps.build.status == "passed"`, `steps["my-step"].exitCode + params.users`,
		`[1, 2].exists(i, i == params.users)`, `has(env.HOME) ? env.HOME : params.url`, `hash(toJSON({"a": params.rate}))`,
		`fromJSON("[1]")[0]`, `file("VERSION") + params.url`, `glob("e2e/*.ts").map(f, f + params.url)[0]`, `-params.users - -1`,
		`params.full ? 'a' : "b"`, `r"\n" + b'x'`, `params["url"]`, `{"a": params.users}["a"]`, `!(params.full || always())`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := compiler(t)
		for _, where := range []expr.Where{expr.Here, expr.AtTrigger} {
			if tmpl, err := c.Compile("${{"+text+"}}", where); err == nil {
				_, _ = tmpl.Expand(values()) // a fault of the evaluation is fine
			}
		}
		_, _ = c.CompileValue(text, expr.If, expr.Condition)
		tmpl, err := c.Compile("a${{"+text+"}}b", expr.InPod)
		if err != nil {
			return
		}
		forRunner, err := tmpl.Expand(values())
		if err != nil {
			return
		}
		_, err = pod().Expand(forRunner)
		var e *expr.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%q → %q: %v is no *expr.Error", text, forRunner, err)
		}
		if err != nil && (strings.Contains(err.Error(), "Syntax error") || strings.Contains(err.Error(), "undeclared reference")) {
			t.Errorf("%q was written as %q, which the runner cannot read: %v", text, forRunner, err)
		}
	})
}
