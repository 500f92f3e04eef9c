// Package share shares out test files among the shards of a run, so that all end at about the same time. Every shard does it for
// itself, and all come to the same.
package share

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"
)

// Mine returns the files of one shard, counted from 1, sorted. Took says how long the tests of a file usually take, by what reports
// call it: its path, an end of it, or one that goes on above the workspace.
func Mine(files []string, took map[string]time.Duration, shard, count int) []string {
	known := byBase(took)
	items := make([]Item, len(files))
	for i, f := range files {
		items[i] = Item{Name: f, Took: known.of(f)}
	}
	shards := Balance(items, count)
	if shard < 1 || shard > len(shards) {
		return nil
	}
	var mine []string
	for _, item := range shards[shard-1] {
		mine = append(mine, item.Name)
	}
	slices.Sort(mine)
	return mine
}

// durations are by the last element of the path, with the paths that have it.
type durations map[string][]Item

func byBase(took map[string]time.Duration) durations {
	d := durations{}
	for name, t := range took {
		d[path.Base(name)] = append(d[path.Base(name)], Item{name, t})
	}
	for _, items := range d { // the longest path is the best match
		slices.SortFunc(items, func(a, b Item) int { return cmp.Or(cmp.Compare(len(b.Name), len(a.Name)), cmp.Compare(a.Name, b.Name)) })
	}
	return d
}

func (d durations) of(file string) time.Duration {
	for _, item := range d[path.Base(file)] {
		if item.Name == file {
			return item.Took
		}
	}
	for _, item := range d[path.Base(file)] {
		if strings.HasSuffix(file, "/"+item.Name) || strings.HasSuffix(item.Name, "/"+file) {
			return item.Took
		}
	}
	return 0
}

// Item is something to run, with how long it usually takes; zero means that nobody knows.
type Item struct {
	Name string
	Took time.Duration
}

// Balance gives the longest item first to the shard that has the least to do. What nobody knows is taken as the median of the rest.
// Where nothing is known it deals the items out in order of their names. The same input gives the same shards.
func Balance(items []Item, count int) [][]Item {
	shards := make([][]Item, max(1, count))
	sorted := slices.Clone(items)
	typical := median(items)
	weight := func(i Item) time.Duration {
		if i.Took > 0 {
			return i.Took
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
		if i.Took > 0 {
			known = append(known, i.Took)
		}
	}
	if len(known) == 0 {
		return 0
	}
	slices.Sort(known)
	return known[len(known)/2]
}
