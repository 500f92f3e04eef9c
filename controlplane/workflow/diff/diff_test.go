package diff_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow/diff"
)

func TestLines(t *testing.T) {
	t.Parallel()
	old := "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n"
	for name, tc := range map[string]struct{ before, after, want, reason string }{
		"Same":     {old, old, "", "nothing has changed"},
		"Ending":   {"a\n", "a", "", "a missing end of line means nothing"},
		"Changed":  {old, strings.Replace(old, "e\n", "E\n", 1), "--- 1\n+++ 2\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n", "one line with three around it"},
		"TwoHunks": {old, strings.Replace(strings.Replace(old, "a\n", "", 1), "l\n", "l\nm\n", 1), "--- 1\n+++ 2\n@@ -1,4 +1,3 @@\n-a\n b\n c\n d\n@@ -10,3 +9,4 @@\n j\n k\n l\n+m\n", "far from each other"},
		"New":      {"", "a\n", "--- 1\n+++ 2\n@@ -0,0 +1,1 @@\n+a\n", "all of it is new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hunks, err := diff.Lines(tc.before, tc.after)
			if err != nil {
				t.Fatal(err)
			}
			if got := diff.Unified("1", "2", hunks); got != tc.want {
				t.Errorf("%s: got\n%s", tc.reason, got)
			}
		})
	}
}
