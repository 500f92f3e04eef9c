package verdict_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

func TestRecompute_Golden(t *testing.T) {
	t.Parallel()
	in, err := os.ReadFile("testdata/input.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	out, err := verdict.Recompute(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, out, "", "  "); err != nil {
		t.Fatal(err)
	}
	goldenFile(t, "testdata/output.golden.json", pretty.String()+"\n")
	if again, err := verdict.Recompute(t.Context(), in); err != nil || !bytes.Equal(out, again) {
		t.Errorf("%s, %v: another time it is other bytes", again, err)
	}
}

func TestRecompute_Err(t *testing.T) {
	t.Parallel()
	good := asJSON(t, input(cell("eu", "a", attempts("a:passed"))))
	tests := map[string]struct {
		text   string
		says   string
		reason string
	}{
		"Text":    {"READY", "cannot be read", "no JSON"},
		"Cut":     {good[:len(good)/2], "cannot be read", "a part of one"},
		"Twice":   {good + good, "something follows", "which one?"},
		"Later":   {strings.Replace(good, `"now"`, `"mood": "good", "now"`, 1), `unknown field "mood"`, "a later version may judge by it"},
		"NoRules": {`{"now":"2026-10-20T12:00:00Z"}`, "0 rules", "every release would be ready"},
		"NoTime":  {strings.Replace(good, `"2026-10-20T12:00:00Z"`, `"0001-01-01T00:00:00Z"`, 1), "", "fresh since when?"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := verdict.Recompute(t.Context(), []byte(tc.text))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s, %v, want Invalid that says %q: %s", out, err, tc.says, tc.reason)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := verdict.Recompute(ended, []byte(good)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v: it was given up", err)
	}
}

func FuzzRecompute(f *testing.F) {
	for _, tc := range golden() {
		text, err := json.Marshal(tc.in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := verdict.Recompute(t.Context(), text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v is not classified", err)
			}
			return
		}
		if again, err := verdict.Recompute(t.Context(), text); err != nil || !bytes.Equal(out, again) {
			t.Errorf("%s becomes %s, %v", out, again, err)
		}
	})
}
