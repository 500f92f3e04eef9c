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
)

// Type is the type of a variable.
type Type string

// The types.
const (
	String  Type = "string"  // Go string
	Integer Type = "integer" // int64
	Number  Type = "number"  // float64
	Boolean Type = "boolean" // bool
)

// Where says who resolves what of a template.
type Where int

// The places.
const (
	Here  Where = iota // everything in the control plane: env is an error
	InPod              // what uses env in the pod, the rest in the control plane
)

// Compiler checks templates against a set of variables. It is safe for concurrent use.
type Compiler struct {
	env   *cel.Env
	roots map[string][]string // variable → its fields, sorted
}

// New returns a compiler that knows variables by their full names, such as "params.users".
func New(vars map[string]Type) (*Compiler, error) {
	opts := []cel.EnvOption{
		cel.Variable("env", cel.MapType(cel.StringType, cel.StringType)),
		cel.ParserExpressionSizeLimit(MaxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
	}
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
	return &Compiler{env: env, roots: roots}, nil
}

func celType(t Type) *cel.Type {
	switch t {
	case Integer:
		return cel.IntType
	case Number:
		return cel.DoubleType
	case Boolean:
		return cel.BoolType
	case String:
	}
	return cel.StringType
}

// Template is a checked template.
type Template struct {
	where Where
	parts []compiled
}

type compiled struct {
	part
	program cel.Program // nil for text
	env     []string    // names of the variables of the pod that it uses
	inPod   bool
}

// Compile checks a template: syntax, names, types. Every fault is reported at once, in an *Error.
func (c *Compiler) Compile(template string, where Where) (*Template, error) {
	parts, err := split(template)
	if err != nil {
		return nil, err
	}
	t := &Template{where: where}
	var faults []Fault
	for _, p := range parts {
		done := compiled{part: p}
		if p.expr {
			var found []Fault
			done, found = c.expression(p, where)
			faults = append(faults, found...)
		}
		t.parts = append(t.parts, done)
	}
	if len(faults) > 0 {
		return nil, &Error{Faults: faults}
	}
	return t, nil
}

func (c *Compiler) expression(p part, where Where) (compiled, []Fault) {
	done := compiled{part: p}
	if strings.TrimSpace(p.text) == "" {
		return done, fail(p.offset, "the expression is empty").Faults
	}
	parsed, issues := c.env.Parse(p.text)
	if issues.Err() != nil {
		return done, issueFaults(p.offset, issues)
	}
	refs := references(parsed.NativeRep().Expr())
	if faults := c.checkNames(p.offset, refs, where); len(faults) > 0 {
		return done, faults
	}
	checked, issues := c.env.Check(parsed)
	if issues.Err() != nil {
		return done, issueFaults(p.offset, issues)
	}
	if !printable(checked.OutputType()) {
		return done, fail(p.offset, "the expression gives a %s; only strings, numbers and booleans can be put into text",
			checked.OutputType()).Faults
	}
	program, err := c.env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return done, fail(p.offset, "%v", err).Faults
	}
	done.program = program
	for _, r := range refs {
		if r.root == "env" {
			done.inPod = true
			done.env = append(done.env, r.field)
		}
	}
	return done, nil
}

func issueFaults(offset int, issues *cel.Issues) []Fault {
	var faults []Fault
	for _, e := range issues.Errors() {
		faults = append(faults, Fault{Offset: offset, Message: "expression: " + e.Message})
	}
	return faults
}

func printable(t *cel.Type) bool {
	return slices.ContainsFunc([]*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType, cel.BoolType, cel.DynType},
		t.IsExactType)
}

// Expand resolves what does not use env. The result of an InPod template is a template for ExpandEnv.
func (t *Template) Expand(values map[string]any) (string, error) {
	parts := make([]part, 0, len(t.parts))
	size := 0
	for _, p := range t.parts {
		out := p.part
		if p.expr && !p.inPod {
			text, err := p.eval(values)
			if err != nil {
				return "", err
			}
			out = part{text: text, offset: p.offset}
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
	if t.where == InPod {
		return encode(parts), nil
	}
	return join(parts), nil
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
	out, _, err := p.program.Eval(values)
	if err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "no such key: "); ok && p.inPod {
			return "", fail(p.offset, "the environment variable %s is not set", name)
		}
		return "", fail(p.offset, "expression %q: %v", strings.TrimSpace(p.text), err)
	}
	text, err := Text(out.Value())
	if err != nil {
		return "", fail(p.offset, "expression %q: %v", strings.TrimSpace(p.text), err)
	}
	return text, nil
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
