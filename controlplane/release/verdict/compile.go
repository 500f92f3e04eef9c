package verdict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	_ "time/tzdata" // so that a rule with a time zone says the same on a machine without any

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Limits of a rule. They are far above what one needs.
const (
	maxRules      = 100
	maxExpression = 4 << 10   // bytes
	maxDepth      = 32        // nesting
	maxNodes      = 1_000     // parts
	maxCost       = 1_000_000 // CEL cost units of one evaluation
)

// Compiled is a policy whose rules were checked. It is safe for concurrent use.
type Compiled struct {
	policy Policy
	rules  []compiledRule
}

// Policy returns what was compiled.
func (c Compiled) Policy() Policy {
	p := c.policy
	p.Rules = slices.Clone(p.Rules)
	return p
}

type compiledRule struct {
	Rule

	program cel.Program
	totals  []string // fields of cell that it reads
	reading reading  // of results
}

// Compile checks the rules of a policy. The error is a *fault.Error, Invalid, with every fault of every rule in Places: Field is
// "rules[0].expr", the message says what to do. A policy without rules is refused, since every release would be READY by it.
func Compile(p Policy) (Compiled, error) {
	env, err := environment()
	if err != nil {
		return Compiled{}, err
	}
	c := compiler{env: env, ids: map[string]int{}}
	out := Compiled{policy: p}
	out.policy.Rules = slices.Clone(p.Rules)
	if n := len(p.Rules); n == 0 || n > maxRules {
		c.fault("rules", "has %d rules: a policy needs 1 to %d", n, maxRules)
	} else {
		for i, r := range p.Rules {
			out.rules = append(out.rules, c.rule(i, r))
		}
	}
	if b := p.Waivers.BindTo; b != "" && b != BindFingerprint {
		c.fault("waivers.bindTo", "is %q: waivers are bound to %q, or to tests if it is empty", b, BindFingerprint)
	}
	if len(c.places) > 0 {
		first := c.places[0]
		message := fmt.Sprintf("the policy has %d faults; the first: %s %s", len(c.places), first.Field, first.Message)
		return Compiled{}, &fault.Error{Kind: fault.Invalid, Field: first.Field, Message: message, Places: c.places}
	}
	return out, nil
}

func environment() (*cel.Env, error) {
	cell := reflect.TypeFor[ruleCell]()
	env, err := cel.NewEnv(
		ext.NativeTypes(cell, reflect.TypeFor[ruleResult](), reflect.TypeFor[Release](), reflect.TypeFor[Image](), ext.ParseStructTags(true)),
		cel.Variable("cell", cel.ObjectType(cell.String())),
		cel.Variable("release", cel.ObjectType(reflect.TypeFor[Release]().String())),
		cel.Variable("now", cel.TimestampType),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(maxDepth), cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
	)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "set up the rules")
	}
	return env, nil
}

type compiler struct {
	env    *cel.Env
	places []fault.Place
	ids    map[string]int // rule → its index
}

func (c *compiler) fault(field, format string, args ...any) {
	c.places = append(c.places, fault.Place{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (c *compiler) rule(i int, r Rule) compiledRule {
	at := fmt.Sprintf("rules[%d]", i)
	if first, taken := c.ids[r.ID]; taken {
		c.fault(at+".id", "%q is the name of rules[%d] already: give it another", r.ID, first)
	} else if c.ids[r.ID] = i; r.ID == "" {
		c.fault(at+".id", "is missing: waivers name rules by it")
	}
	switch {
	case r.Kind != Missing && r.Kind != Negative:
		c.fault(at+".kind", "is %q: write %s for a rule on bad evidence, %s for one on missing evidence", r.Kind, Negative, Missing)
	case r.Kind == Missing && r.Waivable:
		c.fault(at+".waivable", "missing evidence cannot be waived: take waivable away")
	}
	out := compiledRule{Rule: r}
	c.compile(at+".expr", &out)
	return out
}

func (c *compiler) compile(at string, r *compiledRule) {
	if strings.TrimSpace(r.Expr) == "" {
		c.fault(at, "is missing: write a condition, such as cell.never_ran == 0")
		return
	}
	checked, issues := c.env.Compile(r.Expr)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			c.fault(at, "%s%s%s", line(r.Expr, e.Location.Line()), e.Message, advice(e.Message))
		}
		return
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		c.fault(at, "gives %s, not true or false: compare it with what it has to be", t)
		return
	}
	tree := checked.NativeRep()
	if unordered(tree) {
		c.fault(at, `goes through a mapping, which has no order: ask for one value by its name, as in cell.labels["tier"]`)
		return
	}
	r.totals, r.reading = totals(tree), readingOf(tree)
	var err error
	r.program, err = c.env.Program(checked, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		c.fault(at, "%v", err)
	}
}

// line says where in an expression of several lines.
func line(text string, n int) string {
	if !strings.Contains(strings.TrimSpace(text), "\n") {
		return ""
	}
	return fmt.Sprintf("in its line %d: ", n)
}

// advice says what there is when a name is not there.
func advice(message string) string {
	switch {
	case strings.HasPrefix(message, "undefined field"):
		return fmt.Sprintf("; cell has %s; a result of cell.results has %s; release has %s",
			fields(reflect.TypeFor[ruleCell]()), fields(reflect.TypeFor[ruleResult]()), fields(reflect.TypeFor[Release]()))
	case strings.HasPrefix(message, "undeclared reference"):
		return "; a rule knows cell, release and now"
	}
	return ""
}

func fields(t reflect.Type) string {
	names := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("cel"))
	}
	return strings.Join(names, ", ")
}

// unordered reports whether an expression may go through a mapping: what it gives could differ from one evaluation to the next.
func unordered(tree *ast.AST) bool {
	found := false
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			found = found || tree.GetType(e.AsComprehension().IterRange().ID()).Kind() != types.ListKind
		}
	}))
	return found
}

// totals lists the fields of cell that an expression reads, sorted.
func totals(tree *ast.AST) []string {
	var names []string
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.SelectKind {
			return
		}
		if of := e.AsSelect().Operand(); of.Kind() == ast.IdentKind && of.AsIdent() == "cell" {
			names = append(names, e.AsSelect().FieldName())
		}
	}))
	slices.Sort(names)
	return slices.Compact(names)
}
