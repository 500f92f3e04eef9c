package e2e_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// elsewhere names where each part of the language that no scenario uses is tested. A name stands for what is below it, too.
func elsewhere() map[string]string {
	formats := "controlplane/results/format: how a report is read does not depend on the cluster; others are collected by scenarios"
	return map[string]string{
		"${{ release }}":                         "TestRelease",
		"spec.source.git":                        "TestWorkflows/GitSource; depth and secretRef in agent/source/clone",
		"spec.source.http":                       "TestWorkflows/OtherSources",
		"spec.source.oci":                        "TestWorkflows/OtherSources",
		"spec.source.configMap":                  "TestWorkflows/OtherSources",
		"spec.services.NAME.ready.exec":          "TestServices/Database",
		"spec.environments.select":               "TestWorkflows/Measured",
		"spec.steps[].artifacts.compress":        "TestWorkflows/Measured",
		"spec.steps[].metrics":                   "TestWorkflows/Measured",
		"spec.steps[].pause":                     "TestPause",
		"spec.triggers[].kubernetes":             "TestTriggers_Rollout",
		"spec.triggers":                          "controlplane/app: what starts an execution does not depend on the cluster; schedules by three replicas, messages as each forge signs them",
		"spec.steps[].reports[].format=ctrf":     formats,
		"spec.steps[].reports[].format=cucumber": formats,
		"spec.steps[].reports[].format=k6":       formats,
		"spec.steps[].reports[].format=newman":   "TestScenarios/newman, whose report tells its format by itself",
		"spec.steps[].reports[].format=nunit":    formats,
		"spec.steps[].reports[].format=robot":    formats,
		"spec.steps[].reports[].format=trx":      formats,
		"spec.steps[].reports[].format=xunit":    formats,
	}
}

var named = regexp.MustCompile(`^spec\.(services|params|matrix)\.(\w+)`)

// environment is a variable in an expression, whose name is the author's.
var environment = regexp.MustCompile(`^\$\{\{ env\..* \}\}$`)

// used adds the fields, values and names of expressions that a document uses.
func used(t *testing.T, path string, into map[string]bool) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for part := range bytes.SplitSeq(src, []byte("\n---\n")) {
		read := parse.Read(part)
		if len(read.Faults) > 0 {
			t.Fatalf("%s: %v", path, read.Faults)
		}
		var not []string
		for _, place := range workflow.Unsupported(read) {
			not = append(not, place.Field)
		}
		for _, use := range read.Uses {
			if slices.ContainsFunc(not, func(field string) bool { return within(use.Place.Field, field) }) {
				continue
			}
			what := strings.NewReplacer("spec.teardown[].", "spec.steps[].", ".parallel[].", ".").Replace(use.What)
			if name := named.FindStringSubmatch(what); name != nil && name[2] != "exclude" && name[2] != "include" {
				what = named.ReplaceAllString(what, "spec.$1.NAME")
			}
			into[environment.ReplaceAllString(what, "$${{ env }}")] = true
		}
	}
}

// within tells a path that is another one or below it.
func within(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[="))
}

// declared returns the tests of this package by name, with the names that their tables give what is below them.
func declared(t *testing.T) map[string]map[string]bool {
	t.Helper()
	out := map[string]map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			below := map[string]bool{}
			ast.Inspect(f, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					below[strings.Trim(literal.Value, `"`)] = true
				}
				return true
			})
			out[f.Name.Name] = below
		}
	}
	for name := range scenarios() {
		out["TestScenarios"][name] = true
	}
	return out
}

// TestLanguage_Elsewhere holds that the tests are there which stand for what no scenario uses.
func TestLanguage_Elsewhere(t *testing.T) {
	t.Parallel()
	tests := declared(t)
	for what, where := range elsewhere() {
		name, _, _ := strings.Cut(where, ",")
		name, _, _ = strings.Cut(name, ";")
		test, below, nested := strings.Cut(name, "/")
		if folder, _, ok := strings.Cut(where, ":"); ok { // the tests of a package
			if found, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go")); err != nil || len(found) == 0 {
				t.Errorf("%s: there are no tests in %s, %v", what, folder, err)
			}
			continue
		}
		if known, ok := tests[test]; !ok || nested && !known[below] {
			t.Errorf("%s: there is no test %s", what, name)
		}
	}
}

// TestLanguage holds that every field of the language, every value that a field may have and every name of expressions is run on
// the cluster by a scenario or by a test that is named here.
func TestLanguage(t *testing.T) {
	t.Parallel()
	all, run := map[string]bool{}, map[string]bool{}
	used(t, filepath.Join("..", "..", "controlplane", "workflow", "testdata", "language", "everything.yaml"), all)
	files, err := filepath.Glob(workflowFile("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		used(t, file, run)
	}
	needed := map[string]bool{}
	for what := range all {
		for path := range elsewhere() {
			if within(what, path) {
				run[what], needed[path] = true, true
			}
		}
		if !run[what] {
			t.Errorf("no test on the cluster uses %s", what)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(elsewhere())) {
		if !needed[path] {
			t.Errorf("the language has no %s", path)
		}
	}
}
