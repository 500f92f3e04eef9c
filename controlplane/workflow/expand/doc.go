// Package expand turns an execution into its runs: environments × matrix × shards. It is pure: equal inputs give equal runs, in
// the same order and with the same names.
package expand
