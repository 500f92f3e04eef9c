// Package expr is the ${{ }} templates of the workflow language: text with CEL expressions in it.
//
// A template is resolved in two places. The control plane knows parameters and the execution and resolves what uses nothing
// else; the runner in the pod knows the environment, the steps that are over and the workspace, and resolves what uses those. In
// an expression for the runner the control plane replaces its own variables by their values.
//
// A literal "${{" is written "$${{".
package expr

import (
	"fmt"
	"strings"
)

// Limits keep an expression from costing more than it is worth. They are far above what a workflow needs.
const (
	MaxExpression = 4 << 10 // bytes of one expression
	MaxResult     = 1 << 20 // bytes of an expanded template
	maxDepth      = 32      // nesting of an expression
	maxNodes      = 1_000   // parts of an expression
	maxCost       = 200_000 // CEL cost units of one evaluation
)

// Error is what is wrong with a template. Faults holds at least one.
type Error struct{ Faults []Fault }

// Fault is one thing that is wrong with a template.
type Fault struct {
	Offset  int // in bytes, of the expression at fault
	Message string
}

// Error returns the messages of all faults.
func (e *Error) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.Message
	}
	return strings.Join(texts, "; ")
}

func fail(offset int, format string, args ...any) *Error {
	return &Error{Faults: []Fault{{Offset: offset, Message: fmt.Sprintf(format, args...)}}}
}

// join returns the text of parts without expressions.
func join(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
	}
	return b.String()
}
