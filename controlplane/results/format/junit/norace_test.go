//go:build !race

package junit_test

const racing = false
