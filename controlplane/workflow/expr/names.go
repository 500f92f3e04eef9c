package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// reference is a use of a variable in an expression, or a call of a function (call is set and root is its name).
type reference struct {
	root    string
	field   string // empty when the variable is used as a whole
	bracket bool   // root["field"]
	call    bool
}

// references lists what an expression uses, local variables of macros left out.
func references(e ast.Expr) []reference {
	w := walker{}
	w.visit(e, nil)
	return w.found
}

type walker struct{ found []reference }

func (w *walker) visit(e ast.Expr, local []string) {
	switch e.Kind() {
	case ast.IdentKind:
		if !slices.Contains(local, e.AsIdent()) {
			w.found = append(w.found, reference{root: e.AsIdent()})
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if !w.field(s.Operand(), s.FieldName(), false, local) {
			w.visit(s.Operand(), local)
		}
	case ast.CallKind:
		w.call(e.AsCall(), local)
	case ast.ListKind:
		w.all(e.AsList().Elements(), local)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.visit(entry.AsMapEntry().Key(), local)
			w.visit(entry.AsMapEntry().Value(), local)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			w.visit(field.AsStructField().Value(), local)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		w.visit(c.IterRange(), local)
		w.visit(c.AccuInit(), local)
		inner := append(slices.Clone(local), c.IterVar(), c.IterVar2(), c.AccuVar())
		w.all([]ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()}, inner)
	case ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

func (w *walker) all(es []ast.Expr, local []string) {
	for _, e := range es {
		w.visit(e, local)
	}
}

// call notes env["NAME"] and "NAME" in env as uses of the one variable; other calls are looked into.
func (w *walker) call(c ast.CallExpr, local []string) {
	args := c.Args()
	switch {
	case c.FunctionName() == operators.Index && len(args) == 2:
		if name, ok := literal(args[1]); ok && w.field(args[0], name, true, local) {
			return
		}
	case c.FunctionName() == operators.In && len(args) == 2:
		if name, ok := literal(args[0]); ok && w.field(args[1], name, true, local) {
			return
		}
	case !c.IsMemberFunction():
		w.found = append(w.found, reference{root: c.FunctionName(), call: true})
	}
	if c.IsMemberFunction() {
		w.visit(c.Target(), local)
	}
	w.all(args, local)
}

func (w *walker) field(operand ast.Expr, name string, bracket bool, local []string) bool {
	if operand.Kind() != ast.IdentKind || slices.Contains(local, operand.AsIdent()) {
		return false
	}
	w.found = append(w.found, reference{root: operand.AsIdent(), field: name, bracket: bracket})
	return true
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().Value().(string)
	return s, ok
}

// later are the names of the language that are not built yet.
func later(r reference) bool {
	if r.call {
		return slices.Contains([]string{
			"always", "failed", "passed", "cancelled", "file", "glob", "fromJSON", "toJSON", "hash",
		}, r.root)
	}
	return slices.Contains([]string{"matrix", "shard", "release", "trigger", "steps"}, r.root)
}

// checkNames finds variables that do not exist and those in the wrong place. It runs before the type check, whose messages on
// names say less.
func (c *Compiler) checkNames(offset int, refs []reference, where Where) []Fault {
	var faults []Fault
	add := func(unsupported bool, format string, args ...any) {
		faults = append(faults, Fault{Offset: offset, Message: fmt.Sprintf(format, args...), Unsupported: unsupported})
	}
	env, rest := false, ""
	for _, r := range refs {
		switch {
		case later(r) && r.call:
			add(true, "%s() is not supported yet", r.root)
		case later(r):
			add(true, "%s is not supported yet", r.root)
		case r.call:
		case r.root == "env":
			env = true
			c.checkEnv(r, where, add)
		default:
			if _, known := c.roots[r.root]; known {
				rest = r.root
			}
			c.checkField(r, where, add)
		}
	}
	if env && rest != "" && len(faults) == 0 {
		add(false, "an expression that uses env is resolved in the pod, where %s is not known; use an expression for each", rest)
	}
	return faults
}

func (c *Compiler) checkEnv(r reference, where Where, add func(bool, string, ...any)) {
	switch {
	case where != InPod:
		add(false, "env is known in the pod only: use it in run, command, args or the value of a step's env")
	case r.field == "":
		add(false, "env cannot be used as a whole; name the variable: env.NAME")
	}
}

func (c *Compiler) checkField(r reference, where Where, add func(bool, string, ...any)) {
	fields, known := c.roots[r.root]
	switch {
	case !known && r.field == "" && isTypeName(r.root):
	case len(c.roots) == 0:
		add(false, "%s is not known in the pod; only env is", r.root)
	case !known && r.root == "params":
		add(false, "there is no params.%s: the workflow declares no params", r.field)
	case !known:
		names := slices.Sorted(maps.Keys(c.roots))
		if where == InPod {
			names = append(names, "env")
		}
		add(false, "there is no variable %q here; there are %s", r.root, strings.Join(names, ", "))
	case r.field == "":
		add(false, "%s cannot be used as a whole; name one of %s", r.root, strings.Join(fields, ", "))
	case !slices.Contains(fields, r.field):
		add(false, "there is no %s.%s; there are %s", r.root, r.field, strings.Join(fields, ", "))
	case r.bracket:
		add(false, "write %s.%s instead of %s[%q]", r.root, r.field, r.root, r.field)
	}
}

// isTypeName reports whether an identifier is a type of CEL, as in type(params.x) == int.
func isTypeName(name string) bool {
	return slices.Contains([]string{"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"}, name)
}
