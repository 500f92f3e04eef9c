// Package e2e goes the whole way on a real cluster: the programs as they ship, the agent installed by its chart, tests in pods.
package e2e
