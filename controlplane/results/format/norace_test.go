//go:build !race

package format_test

const racing = false
