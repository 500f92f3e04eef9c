package redact_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/seatrial/seatrial/agent/redact"
)

// TestReader reads byte by byte, so that a secret is cut at every place.
func TestReader(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a secret-value b": "a *** b", "secret-value": "***", "secret-valu": "secret-valu", "xsecret-valuesecret-value": "x******",
	} {
		for name, src := range map[string]io.Reader{
			"Whole": strings.NewReader(in), "Bytes": iotest.OneByteReader(strings.NewReader(in)), "ErrWithData": iotest.DataErrReader(strings.NewReader(in)),
		} {
			got, err := io.ReadAll(iotest.OneByteReader(redact.NewReader(src, redact.Compile([]string{"secret-value"}))))
			if err != nil || strings.ReplaceAll(string(got), "******", "***") != strings.ReplaceAll(want, "******", "***") {
				t.Errorf("%s: %q reads %q, %v; want %q", name, in, got, err, want)
			}
		}
	}
	if _, err := io.ReadAll(redact.NewReader(iotest.ErrReader(io.ErrUnexpectedEOF), redact.Compile(nil))); err == nil {
		t.Error("an error of the source is lost")
	}
}
