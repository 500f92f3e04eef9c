//go:build race

package junit_test

// racing says that the race detector looks on: it takes ten times as long and needs memory of its own, so that nothing is measured.
const racing = true
