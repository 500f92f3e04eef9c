// Package expr is the ${{ }} templates of the workflow language: text with CEL expressions in it.
//
// A template is resolved in two places. The control plane knows parameters and the execution and resolves what uses them; the
// runner in the pod knows the environment and resolves what uses env. An expression uses either the one or the other.
//
// A literal "${{" is written "$${{".
package expr

import (
	"fmt"
	"slices"
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
	Offset      int // in bytes, of the expression at fault
	Message     string
	Unsupported bool // known to the language, not built yet
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

// ExpandEnv resolves a template in the pod: expressions may use env.NAME and env["NAME"] and nothing else. A variable that env
// does not report as set is an error, unless the expression asks for it first with has(env.NAME) or "NAME" in env.
//
// What the control plane hands to the runner (script, command and the literal values of a step's environment) must pass through
// ExpandEnv even when it looks plain: literal "${{" is escaped in it.
func ExpandEnv(template string, env func(string) (string, bool)) (string, error) {
	parts, bad := split(template)
	if bad != nil {
		return "", bad
	}
	if !slices.ContainsFunc(parts, func(p part) bool { return p.expr }) {
		return join(parts), nil // CEL costs memory: only steps that use it pay for it
	}
	c, err := New(nil)
	if err != nil {
		return "", err
	}
	t, err := c.Compile(template, InPod)
	if err != nil {
		return "", err
	}
	return t.resolve(nil, env)
}

// join returns the text of parts without expressions.
func join(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
	}
	return b.String()
}
