package origin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/origin"
)

// TestTips_Look walks through the looks at a repository, one after the other.
func TestTips_Look(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const main, tag = "refs/heads/main", "refs/tags/v1"
	var known origin.Tips
	for _, tc := range []struct {
		after time.Duration
		has   map[string]string
		want  []origin.Change
		keep  bool // nobody could be told
		why   string
	}{
		{0, map[string]string{main: "a", "refs/pull/7/head": "x"}, nil, false, "the first look compares with nothing"},
		{time.Minute, map[string]string{main: "a"}, nil, false, "nothing has changed"},
		{2 * time.Minute, map[string]string{main: "b"}, nil, false, "the forge may be about to tell of it"},
		{3 * time.Minute, map[string]string{main: "b"}, nil, false, "still"},
		{4 * time.Minute, map[string]string{main: "b"}, []origin.Change{{Ref: main, Before: "a", Commit: "b", At: begin.Add(2 * time.Minute)}}, true, "it had its time"},
		{5 * time.Minute, map[string]string{main: "b"}, []origin.Change{{Ref: main, Before: "a", Commit: "b", At: begin.Add(2 * time.Minute)}}, false, "until everybody knows"},
		{6 * time.Minute, map[string]string{main: "b", tag: "b"}, nil, false, "a new tag"},
		{8 * time.Minute, map[string]string{main: "c", tag: "b"}, []origin.Change{{Ref: tag, Commit: "b", At: begin.Add(6 * time.Minute)}}, false, "it is told with nothing before it"},
		{9 * time.Minute, map[string]string{main: "b", tag: "b"}, nil, false, "back where it was told of"},
		{99 * time.Minute, map[string]string{main: "b"}, nil, false, "a tag that is gone is none"},
		{100 * time.Minute, map[string]string{main: "b", tag: "b"}, nil, false, "and may come again"},
		{200 * time.Minute, map[string]string{main: "b", tag: "b"}, []origin.Change{{Ref: tag, Commit: "b", At: begin.Add(100 * time.Minute)}}, false, "as a new one"},
	} {
		next, got := known.Look(tc.has, begin.Add(tc.after))
		if !cmp.Equal(got, tc.want) {
			t.Errorf("after %s: %+v, want %+v: %s", tc.after, got, tc.want, tc.why)
		}
		if known = next; !tc.keep {
			known.Told(got)
		}
	}
	many := map[string]string{main: "a"}
	for i := range origin.MaxTips {
		many[fmt.Sprintf("refs/tags/%d", i)] = "a"
	}
	if next, _ := known.Look(many, begin); len(next) != origin.MaxTips || next[main].Told == "" {
		t.Errorf("%d are followed", len(next))
	}
}
