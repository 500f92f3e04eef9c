// Package dispatch accepts executions: it resolves workflow, environment and parameters, and stores the assignment
// together with the command that starts it.
package dispatch
