package storetest

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/secretbox"
)

// Secrets returns a box with a key that everybody knows.
func Secrets(tb testing.TB) *secretbox.Box {
	tb.Helper()
	r, err := secretbox.Parse("test:" + strings.Repeat("A", 43) + "=")
	if err != nil {
		tb.Fatal(err)
	}
	return secretbox.New(r)
}
