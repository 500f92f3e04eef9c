package workflow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

const templateHead = "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: "

func template(name, spec string) string { return templateHead + name + "}\nspec: " + spec + "\n" }

func uses(name, spec string) string {
	return "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

// library serves templates by name.
func library(sources map[string]string) workflow.Library {
	return func(names []string) (out []workflow.Record, err error) {
		for _, name := range names {
			if source, ok := sources[name]; ok {
				out = append(out, workflow.Record{Name: name, Revision: len(name), Source: source})
			}
		}
		return out, nil
	}
}

func loaded(t *testing.T, source string) *workflow.Loaded {
	t.Helper()
	l, err := workflow.Load("w.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestResolve(t *testing.T) {
	t.Parallel()
	shelf := library(map[string]string{
		"outer": template("outer", "{use: [{template: inner}, {template: inner2}], steps: [{name: outer, run: o}]}"),
		"inner": template("inner", "{container: {image: a}}"), "inner2": template("inner2", "{use: [{template: inner}], timeout: 5m}"),
		"other": template("other", "{}"),
	})
	doc, used, err := workflow.Resolve(loaded(t, uses("w", "{use: [{template: outer}], steps: [{name: own, run: x}]}")), shelf)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range used {
		names = append(names, r.Name)
	}
	if !slices.Equal(names, []string{"inner", "inner2", "outer"}) {
		t.Errorf("used %v: those that it uses directly or through others, by name", names)
	}
	if len(doc.Spec.Steps) != 2 || doc.Spec.Container.Image != "a" || doc.Spec.Timeout == 0 {
		t.Errorf("merged into %+v", doc.Spec)
	}
}

func TestResolve_Faults(t *testing.T) {
	t.Parallel()
	shelf := library(map[string]string{
		"cell": template("cell", "\n  container: {image: a}\n  steps:\n    - name: cell\n      run: ${{ matrix.nope }}"),
		"old":  "kind: Unreadable\n",
	})
	tests := map[string]struct {
		use, at string
		line    int
		says    string
		hint    string
		reason  string
	}{
		"Missing":    {"[{template: nope}]", "spec.use[0]", 5, `no template "nope"`, "Apply nope first", "which, where, what to do"},
		"InTemplate": {"[{template: cell}]", "spec.use[0]", 5, "template cell, line 8, spec.steps[0].run: ", "", "it is found in the template"},
		"Unreadable": {"[{template: old}]", "kind", 0, "must be one of", "", "an earlier version stored it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := workflow.Resolve(loaded(t, uses("w", "\n  use: "+tc.use+"\n  steps: [{run: x}]")), shelf)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Places) == 0 {
				t.Fatalf("err = %v: %s", err, tc.reason)
			}
			p := f.Places[0]
			if p.Field != tc.at || tc.line > 0 && p.Line != tc.line || !strings.Contains(p.Message, tc.says) || !strings.Contains(f.Hint, tc.hint) {
				t.Errorf("%+v, hint %q; want %q at %s, line %d: %s", p, f.Hint, tc.says, tc.at, tc.line, tc.reason)
			}
		})
	}
}

func TestBreaks(t *testing.T) {
	t.Parallel()
	user := loaded(t, uses("shop", "{use: [{template: base, with: {n: 1}}], steps: [{name: own, run: x}]}"))
	tests := map[string]struct {
		spec, at, says string
		reason         string
	}{
		"Fine":      {"{params: {n: {type: integer}}, container: {image: a}}", "", "", "it takes what it is given"},
		"Parameter": {"{container: {image: a}}", "spec", "workflow shop: line 4, spec.use[0].with.n", "the workflow gives what it no longer takes"},
		"Own":       {"{params: {n: {type: integer}}, container: {image: a}, steps: [{name: t, run: \"${{ matrix.x }}\"}]}", "spec.steps[0].run", "in workflow shop", "at the place in the template"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := template("base", tc.spec)
			places, err := workflow.Breaks(loaded(t, source), user, library(map[string]string{"base": source}))
			if err != nil || (len(places) == 0) != (tc.says == "") {
				t.Fatalf("%v, %v: %s", places, err, tc.reason)
			}
			if tc.says != "" && (places[0].Field != tc.at || places[0].Line != 4 || !strings.Contains(places[0].Message, tc.says)) {
				t.Errorf("%+v, want %q at %s: %s", places[0], tc.says, tc.at, tc.reason)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	sources := []workflow.Source{
		{Text: []byte(uses("a", "{use: [{template: outer}], steps: [{run: x}]}"))},
		{Text: []byte("nonsense")},
		{Text: []byte(template("outer", "{use: [{template: inner}]}"))},
		{Text: []byte(template("inner", "{}"))},
		{Text: []byte(template("round", "{use: [{template: trip}]}"))},
		{Text: []byte(template("trip", "{use: [{template: round}]}"))},
	}
	if got := workflow.Order(sources); !slices.Equal(got, []int{3, 2, 0, 1, 5, 4}) {
		t.Errorf("order %v: templates come before what uses them, each once", got)
	}
}
