package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// dials are the ways to reach another server past controlplane/outbound, by package.
func dials() map[string][]string {
	return map[string][]string{
		"net/http": {"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
		"net":      {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "Dialer"},
		"net/smtp": {"Dial", "SendMail"},
	}
}

// mayDial are the places of the control plane that do so all the same, each with the reason.
func mayDial() map[string]string {
	return map[string]string{
		"controlplane/outbound": "it is the way",
		"controlplane/diagnose": "the operator's command asks the replica of its own machine, over a socket in the data folder",
	}
}

// TestOutbound proves that no part of the control plane makes requests of its own: only there are addresses judged that organizations give.
// A type may be named, for it is outbound's client that is handed around.
func TestOutbound(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, p := range list(t) {
		place := strings.TrimPrefix(p.ImportPath, module+"/")
		if !under(p.ImportPath, "controlplane") || mayDial()[place] != "" {
			continue
		}
		for _, name := range p.GoFiles {
			looked++
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range dialled(file) {
				t.Errorf("%s/%s: %s dials past controlplane/outbound, so nothing judges the address", place, set.Position(at.Pos()), at.Sel.Name)
			}
		}
	}
	if looked == 0 {
		t.Error("no file was looked at")
	}
}

// dialled finds what a file uses to reach others.
func dialled(file *ast.File) (found []*ast.SelectorExpr) {
	imported := map[string][]string{} // by the name that the file has for it
	for _, i := range file.Imports {
		of := strings.Trim(i.Path.Value, `"`)
		names, ok := dials()[of]
		if !ok {
			continue
		}
		local := of[strings.LastIndex(of, "/")+1:]
		if i.Name != nil {
			local = i.Name.Name
		}
		imported[local] = names
	}
	pointers := map[ast.Expr]bool{} // *http.Client is how to take one
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr:
			pointers[n.X] = true
		case *ast.SelectorExpr:
			of, ok := n.X.(*ast.Ident)
			if !ok || pointers[n] {
				return true
			}
			for _, name := range imported[of.Name] {
				if n.Sel.Name == name {
					found = append(found, n)
				}
			}
		}
		return true
	})
	return found
}

func TestOutbound_Finds(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]int{
		`import "net/http"; var _ = http.DefaultClient`:                 1,
		`import h "net/http"; var _ = &h.Client{}`:                      1,
		`import "net/http"; var _ http.Client`:                          1,
		`import "net/http"; func f() { http.Get("x") }`:                 1,
		`import "net"; var _ = (&net.Dialer{}).Dial`:                    1,
		`import "net/http"; func f(c *http.Client) { c.Get("x") }`:      0,
		`import "net/http"; var _ = http.StatusOK`:                      0,
		`import "net/http"; func f(h http.Handler, r *http.Request) {}`: 0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a; "+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := dialled(file); len(got) != want {
			t.Errorf("%s: %d found, want %d", source, len(got), want)
		}
	}
}
