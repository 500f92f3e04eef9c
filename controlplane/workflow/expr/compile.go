package expr

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// Type is the type of a variable.
type Type string

// The types.
const (
	String  Type = "string"  // Go string
	Integer Type = "integer" // int64
	Number  Type = "number"  // float64
	Boolean Type = "boolean" // bool
	Any     Type = "any"     // one of those, known late
	Texts   Type = "texts"   // map[string]string
)

// Where says who resolves what of a template.
type Where int

// The places.
const (
	Here      Where = iota // everything in the control plane, for one run: env is an error
	InPod                  // what uses env, steps or files in the pod, the rest in the control plane
	AtTrigger              // everything in the control plane, before there are runs
	If                     // as InPod, and the functions that ask how the steps before ended
)

func (w Where) inPod() bool { return w == InPod || w == If }

// Compiler checks templates against a set of variables. It is safe for concurrent use.
type Compiler struct {
	env     *cel.Env
	plain   *cel.Env            // without macros, for rewriting
	types   map[string]Type     // by full name
	roots   map[string][]string // variable → its fields, sorted
	open    map[string]bool     // variables with fields that nobody knows yet
	steps   []string            // all steps of the document
	visible []string            // those that are over
	outputs map[string][]string // step → its outputs
}

// New returns a compiler that knows variables by their full names, such as "params.users".
func New(vars map[string]Type) (*Compiler, error) { return build(vars, nil) }

func build(vars map[string]Type, pod *Pod) (*Compiler, error) {
	limit := MaxExpression
	if pod != nil {
		limit = 2 * MaxResult // values of the control plane are written into expressions for the pod
	}
	opts := append(functions(pod),
		cel.Variable("env", cel.MapType(cel.StringType, cel.StringType)),
		cel.ParserExpressionSizeLimit(limit),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
	)
	roots := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		root, field, ok := strings.Cut(name, ".")
		if !ok || root == "env" {
			return nil, fmt.Errorf("variable %q has no name of the form group.name", name)
		}
		roots[root] = append(roots[root], field)
		opts = append(opts, cel.Variable(name, celType(vars[name])))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("set up expressions: %w", err)
	}
	plain, err := plainEnv()
	if err != nil {
		return nil, fmt.Errorf("set up expressions: %w", err)
	}
	return &Compiler{env: env, plain: plain, types: vars, roots: roots}, nil
}

// WithSteps returns a compiler for a place where some of the steps are over. Their variables must have been given to New.
func (c *Compiler) WithSteps(all, over []string, outputs map[string][]string) *Compiler {
	d := *c
	d.steps, d.visible, d.outputs = all, over, outputs
	return &d
}

// WithUnknown returns a compiler that lets pass what it does not know of some variables, because another document brings it.
func (c *Compiler) WithUnknown(roots ...string) *Compiler {
	d := *c
	d.open = map[string]bool{}
	for _, root := range roots {
		d.open[root] = true
	}
	return &d
}

func celType(t Type) *cel.Type {
	switch t {
	case Integer:
		return cel.IntType
	case Number:
		return cel.DoubleType
	case Boolean:
		return cel.BoolType
	case Any:
		return cel.DynType
	case Texts:
		return cel.MapType(cel.StringType, cel.StringType)
	case String:
	}
	return cel.StringType
}

// Template is a checked template.
type Template struct {
	where Where
	parts []compiled
	c     *Compiler
}

type compiled struct {
	part
	program cel.Program // nil for text, and for what cannot be known yet
	refs    []reference
	env     []string // names of the variables of the pod that it uses
	inPod   bool
}

// Compile checks a template: syntax, names, types. Every fault is reported at once, in an *Error.
func (c *Compiler) Compile(template string, where Where) (*Template, error) {
	parts, err := split(template)
	if err != nil {
		return nil, err
	}
	t := &Template{where: where, c: c}
	var faults []Fault
	for _, p := range parts {
		done := compiled{part: p}
		if p.expr {
			var found []Fault
			done, found = c.expression(p, where, Printable)
			faults = append(faults, found...)
		}
		t.parts = append(t.parts, done)
	}
	if len(faults) > 0 {
		return nil, &Error{Faults: faults}
	}
	return t, nil
}

// Uses names what the expressions use: variables such as "matrix", those of the environment such as "env.HOME", and functions such as
// "failed()", each once.
func (t *Template) Uses() []string {
	var names []string
	for _, p := range t.parts {
		names = append(names, p.uses()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p compiled) uses() []string {
	var names []string
	for _, r := range p.refs {
		name := r.path[0]
		switch {
		case r.call:
			name += "()"
		case name == "env" && len(r.path) > 1:
			name += "." + r.path[1]
		}
		names = append(names, name)
	}
	return names
}

func (c *Compiler) expression(p part, where Where, want Want) (compiled, []Fault) {
	done := compiled{part: p}
	if strings.TrimSpace(p.text) == "" {
		return done, fail(p.offset, "the expression is empty").Faults
	}
	parsed, issues := c.env.Parse(p.text)
	if issues.Err() != nil {
		return done, issueFaults(p.offset, issues)
	}
	done.refs = references(parsed.NativeRep().Expr(), func(root string) bool { return root == "env" || c.roots[root] != nil })
	if faults := c.checkNames(p.offset, done.refs, where); len(faults) > 0 {
		return done, faults
	}
	done.note()
	if slices.ContainsFunc(done.refs, c.unknown) {
		return done, nil
	}
	checked, issues := c.env.Check(parsed)
	if issues.Err() != nil {
		return done, issueFaults(p.offset, issues)
	}
	if wrong := want.check(checked.OutputType()); wrong != "" {
		return done, fail(p.offset, "%s", wrong).Faults
	}
	program, err := c.env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return done, fail(p.offset, "%v", err).Faults
	}
	done.program = program
	return done, nil
}

// note records what of the pod an expression uses.
func (p *compiled) note() {
	for _, r := range p.refs {
		switch {
		case r.call:
			p.inPod = p.inPod || isStatusFunction(r.path[0]) || isPodFunction(r.path[0])
		case r.path[0] == "env":
			p.inPod = true
			p.env = append(p.env, r.path[1])
		case r.path[0] == "steps":
			p.inPod = true
		}
	}
}

// unknown reports whether a reference is one that WithUnknown lets pass.
func (c *Compiler) unknown(r reference) bool {
	if r.call || !c.open[r.path[0]] {
		return false
	}
	for n := range r.path {
		if _, known := c.types[strings.Join(r.path[:n+1], ".")]; known {
			return false
		}
	}
	return true
}

func issueFaults(offset int, issues *cel.Issues) []Fault {
	var faults []Fault
	for _, e := range issues.Errors() {
		faults = append(faults, Fault{Offset: offset, Message: "expression: " + e.Message})
	}
	return faults
}

var errUnknown = errors.New("an expression uses what is not known here")

// Expand resolves what does not use the pod. The result of an InPod template is a template for the runner.
func (t *Template) Expand(values map[string]any) (string, error) {
	parts := make([]part, 0, len(t.parts))
	size := 0
	for _, p := range t.parts {
		out, err := t.c.expand(p, values)
		if err != nil {
			return "", err
		}
		if size += len(out.text); size > MaxResult {
			return "", fail(p.offset, "the result is longer than %d bytes", MaxResult)
		}
		if n := len(parts); n > 0 && !out.expr && !parts[n-1].expr {
			parts[n-1].text += out.text
			continue
		}
		parts = append(parts, out)
	}
	if t.where.inPod() {
		return encode(parts), nil
	}
	return join(parts), nil
}

func (c *Compiler) expand(p compiled, values map[string]any) (part, error) {
	switch {
	case !p.expr:
		return p.part, nil
	case !p.inPod:
		text, err := p.eval(values)
		return part{text: text, offset: p.offset}, err
	case !slices.ContainsFunc(p.refs, func(r reference) bool { return !r.call && r.path[0] != "env" && r.path[0] != "steps" }):
		return p.part, nil
	}
	text, err := c.forPod(p.text, values)
	if err != nil {
		return part{}, fail(p.offset, "expression %q: %v", strings.TrimSpace(p.text), err)
	}
	return part{text: " " + text + " ", expr: true, offset: p.offset}, nil
}

// forPod writes the values of the control plane's variables into an expression.
func (c *Compiler) forPod(text string, values map[string]any) (string, error) {
	r := newRewriter(c.plain, func(path []string) (ast.Expr, int) {
		name := strings.Join(path, ".")
		if t, known := c.types[name]; !known || t == Texts || path[0] == "steps" {
			return nil, 0
		}
		return constant(values[name]), len(path)
	})
	return r.rewrite(text)
}

// resolve is Expand with everything known: in the pod.
func (t *Template) resolve(values map[string]any, env func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		text := p.text
		if p.expr {
			all := map[string]any{"env": lookup(p.env, env)}
			maps.Copy(all, values)
			var err error
			if text, err = p.eval(all); err != nil {
				return "", err
			}
		}
		if b.Len()+len(text) > MaxResult {
			return "", fail(p.offset, "the result is longer than %d bytes", MaxResult)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func lookup(names []string, env func(string) (string, bool)) map[string]string {
	found := make(map[string]string, len(names))
	for _, name := range names {
		if value, ok := env(name); ok {
			found[name] = value
		}
	}
	return found
}

func (p compiled) eval(values map[string]any) (string, error) {
	out, err := p.value(values)
	if err != nil {
		return "", err
	}
	text, err := Text(out)
	if err != nil {
		return "", fail(p.offset, "expression %q: %v", strings.TrimSpace(p.text), err)
	}
	return text, nil
}

func (p compiled) value(values map[string]any) (any, error) {
	if p.program == nil {
		return nil, fail(p.offset, "expression %q: %v", strings.TrimSpace(p.text), errUnknown)
	}
	out, _, err := p.program.Eval(values)
	if err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "no such key: "); ok && slices.Contains(p.env, name) {
			return nil, fail(p.offset, "the environment variable %s is not set", name)
		}
		return nil, fail(p.offset, "expression %q: %v", strings.TrimSpace(p.text), err)
	}
	if list, ok := items(out); ok {
		return list, nil
	}
	return out.Value(), nil
}

var errNotText = errors.New("only strings, numbers and booleans can be put into text")

// Text returns the text of a value: a string as it is, numbers and booleans as people write them.
func Text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		if math.Abs(v) < 1e21 && (v == 0 || math.Abs(v) >= 1e-6) {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	return "", errNotText
}
