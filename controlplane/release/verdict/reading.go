package verdict

import (
	"fmt"
	"reflect"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// reading is what an expression can tell one result from another by.
type reading struct {
	fields []string // of a result, sorted
	// whole: results are handled as wholes somewhere, in a comparison or a list of their own. Then any field may matter.
	whole bool
}

// readingOf looks where cells and results occur. As long as only fields of them are taken, and lists of results are only gone through,
// counted or asked for one, nothing but those fields can matter.
func readingOf(tree *ast.AST) reading {
	var r reading
	for _, e := range ast.MatchDescendants(ast.NavigateAST(tree), ast.AllMatcher()) {
		if !mentions(e.Type()) {
			continue
		}
		parent, _ := e.Parent()
		switch {
		case parent == nil:
			r.whole = true
		case parent.Kind() == ast.SelectKind:
			if e.Type().TypeName() == typeName[ruleResult]() {
				r.fields = append(r.fields, parent.AsSelect().FieldName())
			}
		case parent.Kind() == ast.ComprehensionKind && parent.AsComprehension().IterRange().ID() == e.ID():
		case parent.Kind() == ast.CallKind && slices.Contains([]string{"size", operators.Index}, parent.AsCall().FunctionName()):
		default:
			r.whole = true
		}
	}
	slices.Sort(r.fields)
	r.fields = slices.Compact(r.fields)
	return r
}

// mentions reports whether values of a type are or hold cells or results.
func mentions(t *types.Type) bool {
	return t.TypeName() == typeName[ruleCell]() || t.TypeName() == typeName[ruleResult]() || slices.ContainsFunc(t.Parameters(), mentions)
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }

// class names what a rule can tell of a cell with one result. Cells of one class are the same to it, so that it has to be asked about one
// of them only. What is counted always belongs to it; i tells results apart when the rule may do so by anything.
func (r reading) class(c *ruleCell, i int) string {
	if r.whole {
		return fmt.Sprint(i)
	}
	one := reflect.ValueOf(*c.Results[0])
	key := fmt.Append(nil, c.NeverRan, c.Running, c.Passed, c.Failed, c.Flaky, c.Skipped, c.Blocked, c.InfraError)
	for n := range one.NumField() {
		if slices.Contains(r.fields, one.Type().Field(n).Tag.Get("cel")) {
			key = fmt.Appendf(key, " %#v", one.Field(n).Interface())
		}
	}
	return string(key)
}
