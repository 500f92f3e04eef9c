package identity_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
	"github.com/seatrial/seatrial/controlplane/results/identity"
)

func TestSum_Golden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		parts  []string
		want   string
		reason string
	}{
		"Test":  {[]string{"org:acme", "wf:shop-e2e", "playwright", "chromium", "a.spec.js", "cart @smoke", "flaky"}, "cabb5cb8e533d67d51bddc901d2a79ed", "keys are stored and must never change"},
		"Slash": {[]string{"a", "b/c"}, "44daa45dc75f48b5b1b60df162b23a43", "lengths keep parts apart"},
		"Other": {[]string{"a/b", "c"}, "f38a2f525241a49baea3f4ac4c643146", "lengths keep parts apart"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := identity.Sum(tc.parts...).String(); got != tc.want {
				t.Errorf("%s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	scope := identity.Scope{Root: "/home/ci/shop"}
	tests := map[string]struct {
		in     results.Case
		want   identity.Test
		reason string
	}{
		"Blanks":   {results.Case{Name: "  adds \t an\u00a0item\n"}, identity.Test{Case: "adds an item"}, "white space is one blank"},
		"Unicode":  {results.Case{Name: "u\u0308ber"}, identity.Test{Case: "über"}, "one form of a character"},
		"Colours":  {results.Case{Name: "\x1b[31mred\x1b[0m"}, identity.Test{Case: "red"}, "colours are no name"},
		"Absolute": {results.Case{Name: "n", File: "/home/ci/shop/j/../a.test.js"}, identity.Test{File: "a.test.js", Case: "n"}, "relative to the root"},
		"InName":   {results.Case{Name: "loads /home/ci/shop/x.json"}, identity.Test{Case: "loads x.json"}, "the root in a name"},
		"Windows":  {results.Case{Name: "n", File: `src\CartTests.cs`}, identity.Test{File: "src/CartTests.cs", Case: "n"}, "slashes"},
		"Suites":   {results.Case{Name: "n", Suite: "a › b"}, identity.Test{Suites: []string{"a", "b"}, Case: "n"}, "one part each"},
		"Class":    {results.Case{Name: "n", Class: "py.test_a", Suite: "pytest"}, identity.Test{Suites: []string{"pytest", "py.test_a"}, Case: "n"}, "a class tells"},
		"Mocha":    {results.Case{Name: "Cart adds item", Class: "adds item", Suite: "Cart"}, identity.Test{Suites: []string{"Cart"}, Case: "Cart adds item"}, "the title stands in the class"},
		"Jest":     {results.Case{Name: "Cart fails", Class: "Cart fails", Suite: "Cart"}, identity.Test{Suites: []string{"Cart"}, Case: "Cart fails"}, "the full title stands in both"},
		"Node":     {results.Case{Name: "sub ok", Class: "test", Suite: "top"}, identity.Test{Suites: []string{"top"}, Case: "sub ok"}, "every class is test"},
		"Newman":   {results.Case{Name: "status", Class: "GetOk", Suite: "GET ok"}, identity.Test{Suites: []string{"GET ok"}, Case: "status"}, "the class is the request"},
		"Variant":  {results.Case{Name: "n", Variant: "chromium", Params: "iteration 1"}, identity.Test{Case: "n", Params: "iteration 1"}, "a browser is no part of it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, identity.Of(scope, tc.in)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTest_KeyKeepsPartsApart(t *testing.T) {
	t.Parallel()
	a := identity.Test{Suites: []string{"a"}, Case: "b"}
	b := identity.Test{Case: "a", Params: "b"}
	if a.Key() == b.Key() {
		t.Error("a suite with a case is not a case with params")
	}
}

func TestVariant_Hash(t *testing.T) {
	t.Parallel()
	a := identity.Variant{"browser": "chromium", "environment": "eu", "cluster": ""}
	if a.Hash() != (identity.Variant{"environment": "eu", "browser": "chromium"}).Hash() {
		t.Error("order and empty values say nothing")
	}
	if a.Hash() == (identity.Variant{"environment": "chromium", "browser": "eu"}).Hash() {
		t.Error("which is which matters")
	}
}

// TestNamer_RealReports counts the pairs that would be one test if variants were not told apart.
func TestNamer_RealReports(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		duplicates int
		reason     string
	}{
		"../format/junit/testdata/pw-default.xml":        {0, "two projects are two variants"},
		"../format/testdata/real/pw.json":                {0, "two projects are two variants"},
		"../format/testdata/real/mocha.json":             {1, "two tests of the same title"},
		"../format/testdata/real/newman-n3.json":         {3, "one name asserted twice in each iteration"},
		"../format/junit/testdata/pytest-rerun.xml":      {2, "a test, its failed tear-down and a repetition"},
		"../format/testdata/real/gotest.json":            {0, "Go numbers its own"},
		"../format/testdata/real/robot-output.xml":       {0, "names differ"},
		"../format/junit/testdata/mocha.xml":             {1, "two tests of the same title"},
		"../format/testdata/made/k6-handle-summary.json": {0, "a check and a threshold differ"},
	}
	for file, tc := range tests {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			n, duplicates, keys := identity.NewNamer(), 0, map[string]bool{}
			_, _, err = format.Parse(format.Auto, f, func(c results.Case) error {
				variant := identity.Variant{"browser": c.Variant}.Hash()
				_, key, duplicate := n.Name(identity.Of(identity.Scope{}, c), variant)
				if duplicate {
					duplicates++
				}
				keys[key.String()+fmt.Sprint(variant)] = true
				return nil
			})
			if err != nil || duplicates != tc.duplicates {
				t.Errorf("%d duplicates, want %d, %v: %s", duplicates, tc.duplicates, err, tc.reason)
			}
		})
	}
}

func TestUnstableSuites(t *testing.T) {
	t.Parallel()
	var unseen []identity.Test
	for i := range 201 {
		unseen = append(unseen, identity.Test{File: "a.js", Suites: []string{"random"}, Case: fmt.Sprint(i)})
	}
	for i := range 200 {
		unseen = append(unseen, identity.Test{File: "a.js", Suites: []string{"many"}, Case: fmt.Sprint(i)})
	}
	if got := identity.UnstableSuites(unseen); !slices.Equal(got, []string{"a.js › random"}) {
		t.Errorf("%q", got)
	}
}

func TestRenames(t *testing.T) {
	t.Parallel()
	of := func(file, name string) identity.Test { return identity.Test{File: file, Case: name} }
	got := identity.Renames(
		[]identity.Test{of("a.js", "old"), of("b.js", "gone"), of("c.js", "x"), of("c.js", "y"), of("", "p")},
		[]identity.Test{of("a.js", "new"), of("c.js", "z"), of("", "q")},
	)
	if diff := cmp.Diff([]identity.Rename{{From: of("a.js", "old"), To: of("a.js", "new")}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
