package chaos_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/integration/chaos"
)

// faultsOfTheMatrix is how many rows the fault matrix has.
const faultsOfTheMatrix = 26

// TestRows holds that each fault of the matrix is injected here or by a test elsewhere that exists.
func TestRows(t *testing.T) {
	t.Parallel()
	rows := chaos.Rows()
	if len(rows) != faultsOfTheMatrix+1 {
		t.Fatalf("%d rows, want F0 to F%d", len(rows), faultsOfTheMatrix)
	}
	known := map[string]map[string]bool{}
	for i, row := range rows {
		if row.ID != fmt.Sprintf("F%d", i) {
			t.Errorf("row %d is %s", i, row.ID)
		}
		if len(row.Ways)+len(row.Proofs) == 0 {
			t.Errorf("%s %s is injected by no test", row.ID, row.Name)
		}
		for _, p := range row.Proofs {
			if known[p.Package] == nil {
				known[p.Package] = tests(t, p.Package)
			}
			if !known[p.Package][p.Test] {
				t.Errorf("%s %s: there is no %s in %s", row.ID, row.Name, p.Test, p.Package)
			}
		}
	}
}

// tests returns the names of all tests, benchmarks and fuzz targets of a package.
func tests(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz") || strings.HasPrefix(f.Name.Name, "Benchmark")) {
				out[f.Name.Name] = true
			}
		}
	}
	return out
}
