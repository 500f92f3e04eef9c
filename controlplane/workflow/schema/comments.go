package schema

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// comments returns what the sources of the types say: by type ("Step") and by field ("Step.Run").
func comments() (map[string]string, error) {
	entries, err := document.Sources.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("read the sources: %w", err)
	}
	said := map[string]string{}
	for _, e := range entries {
		src, err := document.Sources.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Name(), err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", e.Name(), err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				ofTypes(g, said)
			}
		}
	}
	return said, nil
}

func ofTypes(g *ast.GenDecl, said map[string]string) {
	for _, spec := range g.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		said[t.Name.Name] = line(g.Doc)
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range s.Fields.List {
			for _, name := range f.Names {
				said[t.Name.Name+"."+name.Name] = line(f.Doc)
			}
		}
	}
}

func line(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
