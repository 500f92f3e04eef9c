// Package policy turns a ReadinessPolicy, as teams write it, into what a verdict asks for: the rules, and the cells that are required.
//
// It is pure. The language checks what a document says of itself; Check adds what only this package can: the conditions on releases
// and the selectors of workflows, which are CEL.
package policy
