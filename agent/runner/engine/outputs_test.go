package engine_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/runner/engine"
)

func TestParseOutputs(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b"}
	for name, tc := range map[string]struct {
		reason string
		text   string
		want   map[string]string
		notes  int
	}{
		"Empty":    {"nothing was written", "", map[string]string{}, 0},
		"Last":     {"a later line wins, and a value may hold the sign", "a=1\nb=x=y\na=2\n", map[string]string{"a": "2", "b": "x=y"}, 0},
		"Windows":  {"a tool may end its lines like this", "a=1\r\n\r\n", map[string]string{"a": "1"}, 0},
		"Unlisted": {"a name that outputs does not list", "c=1\na=1", map[string]string{"a": "1"}, 1},
		"NoSign":   {"a line that sets nothing", "hello\na=1", map[string]string{"a": "1"}, 1},
		"Binary":   {"no text at all", "a=\xff", map[string]string{}, 1},
		"TooLong":  {"more than a step may give", "a=" + strings.Repeat("x", 64<<10), map[string]string{}, 1},
		"ManyBad":  {"the notes are bounded", strings.Repeat("?\n", 1000), map[string]string{}, 11},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, notes := engine.ParseOutputs([]byte(tc.text), names)
			if !maps.Equal(got, tc.want) || len(notes) != tc.notes {
				t.Errorf("%s: %q with notes %q, want %q with %d", tc.reason, got, notes, tc.want, tc.notes)
			}
		})
	}
}

func FuzzParseOutputs(f *testing.F) {
	for _, seed := range []string{"", "a=1\n", "a=1\r\nb==\n", "=\n", "a", "a=\xff\n", "c=1\na=\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		names := []string{"a", "b"}
		values, notes := engine.ParseOutputs(text, names)
		if len(notes) > 11 {
			t.Fatalf("%d notes", len(notes))
		}
		for name, value := range values {
			if !slices.Contains(names, name) || !strings.Contains(string(text), name+"="+value) || strings.Contains(value, "\n") {
				t.Fatalf("%q=%q was not written", name, value)
			}
		}
	})
}
