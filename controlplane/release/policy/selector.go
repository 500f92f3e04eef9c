package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Limits of a selector.
const (
	maxSelector = 4 << 10 // bytes
	maxDepth    = 32
	maxNodes    = 1_000
	maxCost     = 10_000 // CEL cost units for one workflow
)

// selector is a condition on the labels of a workflow.
type selector struct {
	labels  []string // that it reads
	program cel.Program
}

// newSelector checks a selector. The error is fault.Invalid; its message has all faults.
func newSelector(text string) (*selector, error) {
	env, err := cel.NewEnv(
		cel.ParserExpressionSizeLimit(maxSelector), cel.ParserRecursionLimit(maxDepth), cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
	)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "set up selectors")
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, invalid(issues)
	}
	s := &selector{labels: names(parsed.NativeRep().Expr())}
	vars := make([]cel.EnvOption, len(s.labels))
	for i, name := range s.labels {
		vars[i] = cel.Variable(name, cel.StringType)
	}
	if env, err = env.Extend(vars...); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the names of its labels cannot be used")
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, invalid(issues)
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		return nil, fault.New(fault.Invalid, `gives %s, not true or false: compare labels with values, as in tier == "critical"`, t)
	}
	if len(s.labels) == 0 {
		return nil, fault.New(fault.Invalid, `names no label, so that it selects all workflows or none: compare one, as in tier == "critical"`)
	}
	if s.program, err = env.Program(checked, cel.CostLimit(maxCost)); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot be evaluated")
	}
	return s, nil
}

func invalid(issues *cel.Issues) error {
	messages := make([]string, 0, len(issues.Errors()))
	for _, e := range issues.Errors() {
		messages = append(messages, e.Message)
	}
	return fault.New(fault.Invalid, "%s", strings.Join(messages, "; ")).
		WithHint(`A selector compares labels by their names, as in tier == "critical" && team != "search".`)
}

// names lists the names that an expression leaves open: each is a label. Those that macros bring are no names that people can write.
func names(e ast.Expr) []string {
	var all, own []string
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() { //nolint:exhaustive // other kinds bring no names
		case ast.IdentKind:
			all = append(all, e.AsIdent())
		case ast.ComprehensionKind:
			own = append(own, e.AsComprehension().AccuVar(), e.AsComprehension().IterVar(), e.AsComprehension().IterVar2())
		}
	}))
	all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(own, name) })
	slices.Sort(all)
	return slices.Compact(all)
}

// selects reports whether the condition holds for labels; one that is not there is "".
func (s *selector) selects(labels map[string]string) (bool, error) {
	values := make(map[string]any, len(s.labels))
	for _, name := range s.labels {
		values[name] = labels[name]
	}
	out, _, err := s.program.Eval(values)
	if err != nil {
		return false, fault.Wrap(fault.Invalid, err, "cannot be evaluated")
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fault.New(fault.Invalid, "gives neither true nor false")
	}
	return holds, nil
}
