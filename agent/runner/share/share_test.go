package share_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seatrial/seatrial/agent/runner/share"
)

func names(shards [][]share.Item) (all []string) {
	for _, s := range shards {
		line := ""
		for _, i := range s {
			line += i.Name
		}
		all = append(all, line)
	}
	return all
}

func TestBalance_Golden(t *testing.T) {
	t.Parallel()
	item := func(name string, seconds int) share.Item {
		return share.Item{Name: name, Took: time.Duration(seconds) * time.Second}
	}
	tests := map[string]struct {
		items  []share.Item
		count  int
		want   []string
		reason string
	}{
		"Two":     {[]share.Item{item("f", 1), item("a", 10), item("e", 2), item("b", 9), item("d", 2), item("c", 3)}, 2, []string{"ade", "bcf"}, "14 and 13"},
		"Unknown": {[]share.Item{item("a", 1), item("b", 5), item("c", 9), item("x", 0)}, 2, []string{"ca", "bx"}, "taken as the median"},
		"Nothing": {[]share.Item{item("d", 0), item("b", 0), item("c", 0), item("a", 0)}, 2, []string{"ac", "bd"}, "dealt out by name"},
		"More":    {[]share.Item{item("a", 1)}, 3, []string{"a", "", ""}, "empty shards are no error"},
		"None":    {nil, 0, []string{""}, "one shard at least"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, names(share.Balance(tc.items, tc.count))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestBalance_Property holds for any items that each is in exactly one shard, that no shard has more to do than the bound of the greedy
// rule (R. L. Graham, Bounds on multiprocessing timing anomalies, 1969), and that the order of the input does not matter.
func TestBalance_Property(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		took := rapid.MapOf(rapid.StringN(1, 5, -1), rapid.IntRange(1, 100_000)).Draw(t, "took")
		count := rapid.IntRange(1, 20).Draw(t, "count")
		var items []share.Item
		var total, longest time.Duration
		for name, ms := range took {
			d := time.Duration(ms) * time.Millisecond
			items = append(items, share.Item{Name: name, Took: d})
			total, longest = total+d, max(longest, d)
		}
		shards := share.Balance(items, count)
		seen := map[string]bool{}
		for _, s := range shards {
			var load time.Duration
			for _, i := range s {
				if seen[i.Name] {
					t.Fatalf("%q is in two shards", i.Name)
				}
				seen[i.Name] = true
				load += i.Took
			}
			if load > total/time.Duration(count)+longest {
				t.Fatalf("a shard has %s of %s to do, in %d shards", load, total, count)
			}
		}
		if len(shards) != count || len(seen) != len(items) {
			t.Fatalf("%d of %d items are in %d of %d shards", len(seen), len(items), len(shards), count)
		}
		slices.Reverse(items)
		if diff := cmp.Diff(shards, share.Balance(items, count)); diff != "" {
			t.Fatalf("the order of the items matters:\n%s", diff)
		}
	})
}

func TestMine(t *testing.T) {
	t.Parallel()
	files := []string{"e2e/a.spec.ts", "e2e/b.spec.ts", "e2e/c.spec.ts", "e2e/deep/a.spec.ts"}
	second := time.Second
	for name, tc := range map[string]struct {
		reason string
		took   map[string]time.Duration
		want   [2][]string
	}{
		"Paths":   {"as the workspace has them", map[string]time.Duration{"e2e/a.spec.ts": 9 * second, "e2e/b.spec.ts": 3 * second, "e2e/c.spec.ts": 3 * second, "e2e/deep/a.spec.ts": 3 * second}, [2][]string{{"e2e/a.spec.ts"}, {"e2e/b.spec.ts", "e2e/c.spec.ts", "e2e/deep/a.spec.ts"}}},
		"Ends":    {"Playwright names files below its folder of tests", map[string]time.Duration{"a.spec.ts": 1 * second, "deep/a.spec.ts": 9 * second, "b.spec.ts": 2 * second, "c.spec.ts": 2 * second}, [2][]string{{"e2e/deep/a.spec.ts"}, {"e2e/a.spec.ts", "e2e/b.spec.ts", "e2e/c.spec.ts"}}},
		"Above":   {"Jest names them from the root", map[string]time.Duration{"/src/e2e/c.spec.ts": 9 * second, "/src/e2e/a.spec.ts": 1 * second, "/src/e2e/b.spec.ts": 1 * second, "/src/e2e/deep/a.spec.ts": 1 * second}, [2][]string{{"e2e/c.spec.ts"}, {"e2e/a.spec.ts", "e2e/b.spec.ts", "e2e/deep/a.spec.ts"}}},
		"Nothing": {"the first time", nil, [2][]string{{"e2e/a.spec.ts", "e2e/c.spec.ts"}, {"e2e/b.spec.ts", "e2e/deep/a.spec.ts"}}},
		"Others":  {"what is gone does not count", map[string]time.Duration{"old.spec.ts": 99 * second}, [2][]string{{"e2e/a.spec.ts", "e2e/c.spec.ts"}, {"e2e/b.spec.ts", "e2e/deep/a.spec.ts"}}},
	} {
		for shard := 1; shard <= 2; shard++ {
			if diff := cmp.Diff(tc.want[shard-1], share.Mine(files, tc.took, shard, 2)); diff != "" {
				t.Errorf("%s: %s: shard %d (-want +got):\n%s", name, tc.reason, shard, diff)
			}
		}
	}
	if got := share.Mine(files[:1], nil, 2, 2); got != nil {
		t.Errorf("more shards than files: %v", got)
	}
}
