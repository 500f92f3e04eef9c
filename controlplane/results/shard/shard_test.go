package shard_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results/shard"
)

func names(shards [][]shard.Item) (all []string) {
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
	item := func(name string, seconds int) shard.Item {
		return shard.Item{Name: name, P50: time.Duration(seconds) * time.Second}
	}
	tests := map[string]struct {
		items  []shard.Item
		count  int
		want   []string
		reason string
	}{
		"Two":     {[]shard.Item{item("f", 1), item("a", 10), item("e", 2), item("b", 9), item("d", 2), item("c", 3)}, 2, []string{"ade", "bcf"}, "14 and 13"},
		"Unknown": {[]shard.Item{item("a", 1), item("b", 5), item("c", 9), item("x", 0)}, 2, []string{"ca", "bx"}, "taken as the median"},
		"Nothing": {[]shard.Item{item("d", 0), item("b", 0), item("c", 0), item("a", 0)}, 2, []string{"ac", "bd"}, "dealt out by name"},
		"More":    {[]shard.Item{item("a", 1)}, 3, []string{"a", "", ""}, "empty shards are no error"},
		"None":    {nil, 0, []string{""}, "one shard at least"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, names(shard.Balance(tc.items, tc.count))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
