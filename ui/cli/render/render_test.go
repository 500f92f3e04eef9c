package render_test

import (
	"strings"
	"testing"
	"unicode"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func TestMessage_Stable(t *testing.T) {
	t.Parallel()
	m := &apiv1.TestCounts{Total: 2, Passed: 2}
	const want = "{\n  \"total\": 2,\n  \"passed\": 2,\n  \"failed\": 0,\n  \"errored\": 0,\n  \"skipped\": 0\n}\n"
	for range 20 {
		var b strings.Builder
		if err := render.Message(&b, render.JSON, m); err != nil || b.String() != want {
			t.Fatalf("%v, %q", err, b.String())
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	if got := render.Counts(nil); got != "no tests reported" {
		t.Errorf("of none: %q", got)
	}
}

// TestSheet holds that no spreadsheet computes what a test has named.
func TestSheet(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "@a": "'@a", "-2+3": "'-2+3", "\t=1": "'\t=1", "\r=1": "\"'\r=1\"", "a=1": "a=1", "1.5": "1.5", "": "",
	} {
		var b strings.Builder
		if err := render.Sheet(&b, []string{"x", "y"}, [][]string{{cell, "z"}}); err != nil || b.String() != "x,y\n"+want+",z\n" {
			t.Errorf("%q became %q, %v", cell, b.String(), err)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("")
	f.Add("a\x1b[2J\nb\u009b")
	f.Fuzz(func(t *testing.T, s string) {
		if got := render.Line(s); got == "" || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
