package expr

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// reference is a use of a variable with the fields named behind it, or a call of a function.
type reference struct {
	path  []string // "params", "users"; only the name of the function for a call
	call  bool
	local string // the variable of a macro that hides one of ours; the rest is empty
}

// walker lists what an expression uses, local variables of macros left out. It turns root["field"] into root.field, so that
// names that are no identifiers are found and typed like the others.
type walker struct {
	known func(root string) bool
	make  ast.ExprFactory
	found []reference
}

func references(e ast.Expr, known func(string) bool) []reference {
	w := &walker{known: known, make: ast.NewExprFactory()}
	w.visit(e, nil)
	return w.found
}

func (w *walker) visit(e ast.Expr, local []string) {
	if path := w.chain(e, local); path != nil {
		w.found = append(w.found, reference{path: path})
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		w.visit(e.AsSelect().Operand(), local)
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
		w.comprehension(e.AsComprehension(), local)
	case ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

// comprehension looks into a macro. Its variables must not hide ours: what stands for the pod is rewritten by name.
func (w *walker) comprehension(c ast.ComprehensionExpr, local []string) {
	for _, name := range []string{c.IterVar(), c.IterVar2()} {
		if w.known(name) {
			w.found = append(w.found, reference{local: name})
		}
	}
	w.visit(c.IterRange(), local)
	w.visit(c.AccuInit(), local)
	inner := append(slices.Clone(local), c.IterVar(), c.IterVar2(), c.AccuVar())
	w.all([]ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()}, inner)
}

func (w *walker) all(es []ast.Expr, local []string) {
	for _, e := range es {
		w.visit(e, local)
	}
}

// call notes "NAME" in env as a use of the one variable; other calls are looked into.
func (w *walker) call(c ast.CallExpr, local []string) {
	args := c.Args()
	if c.FunctionName() == operators.In && len(args) == 2 {
		if name, ok := literal(args[0]); ok && isIdent(args[1], "env", local) {
			w.found = append(w.found, reference{path: []string{"env", name}})
			return
		}
	}
	if c.IsMemberFunction() {
		w.visit(c.Target(), local)
	} else if name := c.FunctionName(); isLetter(name[0]) { // not an operator
		w.found = append(w.found, reference{path: []string{name}, call: true})
	}
	w.all(args, local)
}

// chain returns the path of a variable with its fields, nil when e is something else.
func (w *walker) chain(e ast.Expr, local []string) []string {
	switch e.Kind() {
	case ast.IdentKind:
		if !slices.Contains(local, e.AsIdent()) {
			return []string{e.AsIdent()}
		}
	case ast.SelectKind:
		if path := w.chain(e.AsSelect().Operand(), local); path != nil {
			return append(path, e.AsSelect().FieldName())
		}
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() != operators.Index || len(c.Args()) != 2 {
			return nil
		}
		name, ok := literal(c.Args()[1])
		if !ok {
			return nil
		}
		path := w.chain(c.Args()[0], local)
		if len(path) == 1 && path[0] != "env" && w.known(path[0]) {
			e.SetKindCase(w.make.NewSelect(e.ID(), c.Args()[0], name))
		}
		if path != nil {
			return append(path, name)
		}
	case ast.ListKind, ast.MapKind, ast.StructKind, ast.ComprehensionKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
	return nil
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isIdent(e ast.Expr, name string, local []string) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == name && !slices.Contains(local, name)
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().Value().(string)
	return s, ok
}

// checkNames finds variables that do not exist and those in the wrong place. It runs before the type check, whose messages on
// names say less.
func (c *Compiler) checkNames(offset int, refs []reference, where Where) []Fault {
	var faults []Fault
	add := func(format string, args ...any) {
		f := Fault{Offset: offset, Message: fmt.Sprintf(format, args...)}
		if !slices.Contains(faults, f) {
			faults = append(faults, f)
		}
	}
	for _, r := range refs {
		switch {
		case r.local != "":
			add("%s is the name of a variable; give what the macro goes through another name", r.local)
		case r.call:
			checkCall(r.path[0], where, add)
		case r.path[0] == "env":
			checkEnv(r.path, where, add)
		case r.path[0] == "steps" && (len(c.steps) > 0 || c.roots["steps"] == nil && len(c.roots) > 0):
			c.checkSteps(r.path, where, add)
		default:
			c.checkField(r.path, where, add)
		}
	}
	return faults
}

func checkCall(name string, where Where, add func(string, ...any)) {
	switch {
	case isStatusFunction(name) && where != If:
		add("%s() is known in if only", name)
	case isPodFunction(name) && !where.inPod():
		add("%s() reads the workspace, which is known in the pod only: use it in run, command, args, if or the value of a step's env", name)
	}
}

func checkEnv(path []string, where Where, add func(string, ...any)) {
	switch {
	case !where.inPod():
		add("env is known in the pod only: use it in run, command, args, if or the value of a step's env")
	case len(path) == 1:
		add("env cannot be used as a whole; name the variable: env.NAME")
	}
}

func (c *Compiler) checkSteps(path []string, where Where, add func(string, ...any)) {
	attributes := []string{"status", "exitCode", "outputs"}
	switch {
	case !where.inPod():
		add("steps are known in the pod only: use them in run, command, args, if or the value of a step's env")
	case c.open["steps"]:
	case len(c.visible) == 0:
		add("no step ends before this one, so that steps is empty here")
	case len(path) == 1:
		add("steps cannot be used as a whole; name one of %s", strings.Join(c.visible, ", "))
	case !slices.Contains(c.visible, path[1]) && slices.Contains(c.steps, path[1]):
		add("the step %s does not end before this one; those that do are %s", path[1], strings.Join(c.visible, ", "))
	case !slices.Contains(c.visible, path[1]):
		add("there is no step %q before this one; there are %s", path[1], strings.Join(c.visible, ", "))
	case len(path) == 2:
		add("a step cannot be used as a whole; name one of %s", strings.Join(attributes, ", "))
	case !slices.Contains(attributes, path[2]):
		add("there is no steps.%s.%s; a step has %s", path[1], path[2], strings.Join(attributes, ", "))
	case path[2] == "outputs" && len(path) > 3 && !slices.Contains(c.outputs[path[1]], path[3]):
		add("the step %s declares no output %s%s", path[1], path[3], list("; it declares ", c.outputs[path[1]]))
	}
}

func list(before string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return before + strings.Join(names, ", ")
}

func (c *Compiler) checkField(path []string, where Where, add func(string, ...any)) {
	root := path[0]
	fields, known := c.roots[root]
	switch {
	case c.open[root] && !known:
	case !known && len(path) == 1 && isTypeName(root):
	case len(c.roots) == 0:
		add("%s is not known in the pod; only env is", root)
	case !known && root == "params":
		add("there is no params.%s: the workflow declares no params", strings.Join(path[1:], "."))
	case !known && (root == "matrix" || root == "shard"):
		add("there is no %s: the workflow declares none", root)
	case !known:
		add("there is no variable %q here; there are %s", root, strings.Join(c.names(where), ", "))
	case where == AtTrigger && isLate(root):
		add("%s is not known yet when the runs are made; there are %s", root, strings.Join(c.names(where), ", "))
	case len(path) == 1:
		add("%s cannot be used as a whole; name one of %s", root, strings.Join(fields, ", "))
	case !slices.Contains(fields, path[1]) && !c.open[root]:
		add("there is no %s.%s; there are %s", root, path[1], strings.Join(fields, ", "))
	}
}

// names lists the variables of a place.
func (c *Compiler) names(where Where) []string {
	var names []string
	for root := range c.roots {
		if root != "steps" && (where != AtTrigger || !isLate(root)) {
			names = append(names, root)
		}
	}
	if where.inPod() {
		names = append(names, "env")
		if len(c.visible) > 0 {
			names = append(names, "steps")
		}
	}
	slices.Sort(names)
	return names
}

// isLate reports whether a variable has its value only once the runs of an execution are made.
func isLate(root string) bool {
	return slices.Contains([]string{"matrix", "shard", "environment", "cluster"}, root)
}

// isTypeName reports whether an identifier is a type of CEL, as in type(params.x) == int.
func isTypeName(name string) bool {
	return slices.Contains([]string{"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"}, name)
}
