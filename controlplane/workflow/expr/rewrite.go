package expr

import (
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"
)

// rewriter puts other expressions in the place of variables. It works on expressions whose macros are not expanded: those can be
// written out as text again.
type rewriter struct {
	env  *cel.Env
	make ast.ExprFactory
	with func(path []string) (ast.Expr, int) // what stands for a variable, and how many names of the path it takes
}

func plainEnv() (*cel.Env, error) {
	return cel.NewCustomEnv(cel.ClearMacros(), cel.ParserExpressionSizeLimit(2*MaxResult), cel.ParserRecursionLimit(2*maxDepth))
}

func newRewriter(env *cel.Env, with func([]string) (ast.Expr, int)) *rewriter {
	return &rewriter{env: env, make: ast.NewExprFactory(), with: with}
}

// tree parses an expression and replaces the variables.
func (r *rewriter) tree(text string) (*ast.AST, error) {
	parsed, issues := r.env.Parse(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("parse: %w", issues.Err())
	}
	tree := parsed.NativeRep()
	r.visit(tree.Expr())
	return tree, nil
}

// rewrite returns the text of an expression with the variables replaced.
func (r *rewriter) rewrite(text string) (string, error) {
	tree, err := r.tree(text)
	if err != nil {
		return "", err
	}
	out, err := parser.Unparse(tree.Expr(), tree.SourceInfo())
	if err != nil {
		return "", fmt.Errorf("write: %w", err)
	}
	return out, nil
}

func (r *rewriter) visit(e ast.Expr) {
	if r.replace(e) {
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		r.visit(e.AsSelect().Operand())
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			r.visit(e.AsCall().Target())
		}
		for _, arg := range e.AsCall().Args() {
			r.visit(arg)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.visit(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.visit(entry.AsMapEntry().Key())
			r.visit(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.visit(field.AsStructField().Value())
		}
	case ast.ComprehensionKind, ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

// replace puts what stands for a variable in the place of e when e names just that variable.
func (r *rewriter) replace(e ast.Expr) bool {
	w := &walker{known: func(string) bool { return false }, make: r.make}
	path := w.chain(e, nil)
	if path == nil {
		return false
	}
	other, taken := r.with(path)
	if other == nil || taken != len(path) {
		return false
	}
	e.SetKindCase(r.make.CopyExpr(other))
	return true
}

// constant returns a literal for a value, nil when it is none that a variable of ours can have.
func constant(value any) ast.Expr {
	f := ast.NewExprFactory()
	var v ref.Val
	switch value := value.(type) {
	case string:
		v = types.String(strings.ToValidUTF8(value, "\uFFFD"))
	case int64:
		if value == math.MinInt64 { // its digits alone are out of range
			return f.NewCall(0, "int", f.NewLiteral(0, types.String("-9223372036854775808")))
		}
		v = types.Int(value)
	case float64:
		v = types.Double(value)
	case bool:
		v = types.Bool(value)
	default:
		return nil
	}
	return f.NewLiteral(0, v)
}

// Substitute replaces variables in every expression of a template by other expressions, given as text by their full names. What
// is not named stays as it is; an expression of which only a value is left becomes its text.
func Substitute(template string, by map[string]string) (string, error) {
	parts, bad := split(template)
	if bad != nil {
		return "", bad
	}
	env, err := plainEnv()
	if err != nil {
		return "", fmt.Errorf("set up expressions: %w", err)
	}
	trees := map[string]ast.Expr{}
	for name, text := range by {
		parsed, issues := env.Parse(text)
		if issues.Err() != nil {
			return "", fmt.Errorf("%s: %w", name, issues.Err())
		}
		trees[name] = parsed.NativeRep().Expr()
	}
	changed, all := false, false
	r := newRewriter(env, func(path []string) (ast.Expr, int) {
		tree := trees[strings.Join(path, ".")]
		changed = changed || tree != nil
		return tree, len(path)
	})
	for i, p := range parts {
		if !p.expr {
			continue
		}
		changed = false
		tree, err := r.tree(p.text)
		if err == nil && changed {
			all = true
			parts[i], err = written(tree, p)
		}
		if err != nil {
			return "", fail(p.offset, "%v", err)
		}
	}
	if !all {
		return template, nil
	}
	return encode(joinTexts(parts)), nil
}

// Fill puts texts in the place of expressions of a template, those of which the function has one; the inside of an expression is what it
// gets.
func Fill(template string, with func(expression string) (text string, ok bool)) (string, error) {
	parts, bad := split(template)
	if bad != nil {
		return "", bad
	}
	for i, p := range parts {
		if !p.expr {
			continue
		}
		if text, ok := with(strings.TrimSpace(p.text)); ok {
			parts[i] = part{text: text, offset: p.offset}
		}
	}
	return encode(joinTexts(parts)), nil
}

// written returns the part for an expression, as text when it is but a value.
func written(tree *ast.AST, p part) (part, error) {
	if tree.Expr().Kind() == ast.LiteralKind {
		if text, err := Text(tree.Expr().AsLiteral().Value()); err == nil {
			return part{text: text, offset: p.offset}, nil
		}
	}
	text, err := parser.Unparse(tree.Expr(), tree.SourceInfo())
	if err != nil {
		return p, fmt.Errorf("write: %w", err)
	}
	return part{text: " " + text + " ", expr: true, offset: p.offset}, nil
}

// joinTexts makes neighbouring texts one part, as encode wants them.
func joinTexts(parts []part) []part {
	var out []part
	for _, p := range parts {
		if n := len(out); n > 0 && !p.expr && !out[n-1].expr {
			out[n-1].text += p.text
			continue
		}
		out = append(out, p)
	}
	return out
}

// Join returns one expression, without the braces, that has the text of a template.
func Join(template string) (string, error) {
	parts, bad := split(template)
	if bad != nil {
		return "", bad
	}
	if len(parts) == 1 && parts[0].expr {
		return strings.TrimSpace(parts[0].text), nil
	}
	terms := []string{}
	for _, p := range parts {
		term := "string(" + strings.TrimSpace(p.text) + ")"
		if !p.expr {
			var err error
			if term, err = Literal(p.text); err != nil {
				return "", err
			}
		}
		terms = append(terms, term)
	}
	if len(terms) == 0 {
		return `""`, nil
	}
	return strings.Join(terms, " + "), nil
}

// Literal returns the expression of a string, int64, float64 or bool.
func Literal(value any) (string, error) {
	e := constant(value)
	if e == nil {
		return "", errNotText
	}
	out, err := parser.Unparse(e, nil)
	if err != nil {
		return "", fmt.Errorf("write: %w", err)
	}
	return out, nil
}
