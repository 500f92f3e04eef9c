// Package shard divides tests among shards so that all end at about the same time.
package shard

import (
	"cmp"
	"slices"
	"time"
)

// Item is something to run, with how long it usually takes; zero means that nobody knows.
type Item struct {
	Name string
	P50  time.Duration
}

// Balance gives the longest item first to the shard that has the least to do. What nobody knows is taken as the median of the rest.
// Where nothing is known it deals the items out in order of their names. The same input gives the same shards.
func Balance(items []Item, count int) [][]Item {
	shards := make([][]Item, max(1, count))
	sorted := slices.Clone(items)
	typical := median(items)
	weight := func(i Item) time.Duration {
		if i.P50 > 0 {
			return i.P50
		}
		return typical
	}
	slices.SortFunc(sorted, func(a, b Item) int {
		return cmp.Or(cmp.Compare(weight(b), weight(a)), cmp.Compare(a.Name, b.Name))
	})
	load := make([]time.Duration, len(shards))
	for n, item := range sorted {
		least := n % len(shards)
		if typical > 0 {
			least = slices.Index(load, slices.Min(load))
		}
		shards[least] = append(shards[least], item)
		load[least] += weight(item)
	}
	return shards
}

func median(items []Item) time.Duration {
	var known []time.Duration
	for _, i := range items {
		if i.P50 > 0 {
			known = append(known, i.P50)
		}
	}
	if len(known) == 0 {
		return 0
	}
	slices.Sort(known)
	return known[len(known)/2]
}
