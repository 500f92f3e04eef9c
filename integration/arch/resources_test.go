package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
)

// wordsOf returns the words of all string literals in a function, sorted.
func wordsOf(t *testing.T, file, function string) (out []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != function {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					out = append(out, strings.Fields(text)...)
				}
			}
			return true
		})
	}
	if len(out) == 0 {
		t.Fatalf("%s has no function %s with names", file, function)
	}
	slices.Sort(out)
	return out
}

// TestBuiltInResources: the agent, the language and the agent's chart know the same resources without their groups, though none of them may
// import another: a trigger that the language takes is one that the agent can watch, and is let to by its role.
func TestBuiltInResources(t *testing.T) {
	t.Parallel()
	names := wordsOf(t, "../../controlplane/workflow/rule/more.go", "builtIn")
	groups := map[string]bool{"": true}
	for _, name := range names {
		plural, group, ok := kube.Split(name)
		if groups[group] = true; !ok || plural != name {
			t.Errorf("the agent does not know %s", name)
		}
		if wrong := rule.Of("resource")(name); wrong != "" {
			t.Errorf("the language refuses %s: %s", name, wrong)
		}
		if group != "" && trigger.Plain(name+"."+group) != name {
			t.Errorf("%s.%s is another resource than %s to a trigger", name, group, name)
		}
	}
	for _, word := range wordsOf(t, "../../agent/kube/objects.go", "builtIn") {
		if !slices.Contains(names, word) && !groups[word] {
			t.Errorf("the language does not know %s, which the agent does", word)
		}
	}
	text, err := os.ReadFile("../../charts/agent/templates/_helpers.tpl")
	if err != nil {
		t.Fatal(err)
	}
	chart := map[string]string{}
	_, helper, _ := strings.Cut(string(text), `define "agent.group"`)
	helper, _, _ = strings.Cut(helper, "}}\n{{- if contains")
	for _, pair := range regexp.MustCompile(`"([a-z]+)" "([a-z0-9.]+)"`).FindAllStringSubmatch(helper, -1) {
		chart[pair[1]] = pair[2]
	}
	for _, name := range names {
		if _, group, _ := kube.Split(name); chart[name] != group {
			t.Errorf("the group of %s is %q to the agent and %q to its chart", name, group, chart[name])
		}
	}
	for name := range chart {
		if !slices.Contains(names, name) {
			t.Errorf("the language does not know %s, which the chart does", name)
		}
	}
}
