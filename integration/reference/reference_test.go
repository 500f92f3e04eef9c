// Package reference_test keeps what is written for people in line with the programs: the reference is generated from them, and no document
// names a command, flag, metric or value that there is not.
package reference_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/operator"
	"github.com/seatrial/seatrial/ui/cli/cmd"
)

var update = flag.Bool("update", false, "write the reference anew")

const root = "../.."

// generated is the note at the head of what is generated.
const generated = "This file is generated: `go test ./integration/reference -update` writes it anew.\n\n"

// TestReference compares the reference with the programs.
func TestReference(t *testing.T) {
	t.Parallel()
	for path, write := range map[string]func(*testing.T) string{
		"ui/cli/README.md":       cliReference,
		"controlplane/README.md": configReference,
		"charts/README.md":       chartsReference,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			want, file := write(t), filepath.Join(root, path)
			if *update {
				if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("%s is not what the programs say: write it anew with `go test ./integration/reference -update` and look at the difference", path)
			}
		})
	}
}

// cliReference describes every command of the program for people and pipelines.
func cliReference(*testing.T) string {
	var b strings.Builder
	tree := cmd.Tree()
	b.WriteString("# The command line\n\n" + generated)
	b.WriteString(tree.Long + "\n\nFlags of all commands:\n\n")
	flags(&b, tree.PersistentFlags())
	commands(&b, tree)
	return b.String()
}

func commands(b *strings.Builder, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Runnable() {
			fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```sh\n%s\n```\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."), c.UseLine())
			if c.Long != "" && c.Long != c.Short {
				b.WriteString("\n" + c.Long + "\n")
			}
			if c.Example != "" {
				b.WriteString("\n```sh\n" + c.Example + "\n```\n")
			}
			if c.LocalNonPersistentFlags().HasAvailableFlags() {
				b.WriteString("\n")
				flags(b, c.LocalNonPersistentFlags())
			}
		}
		commands(b, c)
	}
}

// flags writes a table.
func flags(b *strings.Builder, set *pflag.FlagSet) {
	b.WriteString("| flag | meaning | default |\n|--|--|--|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, cell(f.Usage), standard(f.DefValue))
	})
}

// standard is a default as a cell; what means nothing is left out.
func standard(value string) string {
	switch value {
	case "", "[]", "false", "0", "0s":
		return ""
	}
	return "`" + cell(value) + "`"
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}

// configReference describes the flags of the control plane and what all parts measure.
func configReference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# The control plane\n\n" + generated)
	b.WriteString("`seatrial-controlplane` works without any flag. Each can be given in the environment as well.\n\n## Configuration\n\n")
	b.WriteString("| flag | in the environment | meaning | default |\n|--|--|--|--|\n")
	_, set := config.Flags()
	set.VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s |\n", f.Name, config.EnvName(f.Name), cell(f.Usage), standard(f.DefValue))
	})
	b.WriteString("\n# Commands of the operator\n\nThey take the flags and variables above as well.\n")
	commands(&b, operator.Tree(operator.Options{Flags: set}))
	b.WriteString("\n# Metrics\n\nOf the control plane at `/metrics` of `--metrics-listen`, and of the agent at that of its health port.\n\n")
	b.WriteString("| metric | of | meaning |\n|--|--|--|\n")
	found := metrics(t)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, found[name].of, cell(found[name].help))
	}
	return b.String()
}

type metric struct{ of, help string }

// metrics reads what the programs measure from their sources: a metric that nothing has counted yet is not among those that are served.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	out := map[string]metric{}
	for _, of := range []string{"agent", "controlplane"} {
		err := filepath.WalkDir(filepath.Join(root, of), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.CompositeLit); ok {
					if name := field(lit, "Name"); strings.HasPrefix(name, "seatrial_") {
						out[name] = metric{of, field(lit, "Help")}
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// field returns the text of a field of a literal, put together from its parts.
func field(lit *ast.CompositeLit, name string) string {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := kv.Key.(*ast.Ident); ok && key.Name == name {
			return text(kv.Value)
		}
	}
	return ""
}

func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			return ""
		}
		return s
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	}
	return ""
}

// schema is what is read of the schema of a chart's values.
type schema struct {
	Type        any               `json:"type"`
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
	Enum        []any             `json:"enum"`
	Ref         string            `json:"$ref"`
}

// chartsReference describes the values of the charts by their schemas.
func chartsReference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# The charts\n\n" + generated)
	for _, name := range charts(t) {
		fmt.Fprintf(&b, "## charts/%s\n\n| value | type | meaning |\n|--|--|--|\n", name)
		values(&b, "", chartSchema(t, name))
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func charts(t *testing.T) (names []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "charts", "*", "values.schema.json"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no chart was found: %v", err)
	}
	for _, path := range found {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	return names
}

func chartSchema(t *testing.T, name string) schema {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "charts", name, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&s); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func values(b *strings.Builder, path string, s schema) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p, full := s.Properties[name], strings.TrimPrefix(path+"."+name, ".")
		if len(p.Properties) > 0 {
			if p.Description != "" {
				fmt.Fprintf(b, "| `%s` | | %s |\n", full, cell(p.Description))
			}
			values(b, full, p)
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", full, kind(p), cell(p.Description))
	}
}

func kind(s schema) string {
	switch {
	case len(s.Enum) > 0:
		var all []string
		for _, v := range s.Enum {
			all = append(all, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(all, ", ")
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/$defs/")
	case s.Type == nil:
		return ""
	default:
		return cell(strings.Trim(fmt.Sprint(s.Type), "[]"))
	}
}
