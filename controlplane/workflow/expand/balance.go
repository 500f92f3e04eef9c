package expand

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// Shares says which shard has which test. Tests that are not in it are known to no earlier execution: Of gives each of them to one
// shard too, so that every test runs exactly once.
type Shares struct {
	shard map[string]int64
	load  []time.Duration
}

// ByDuration shares tests out by how long they took: the longest first, each to the shard with the least to do. Of shards with as
// much to do the first is taken, of tests that took as long the one whose name is first.
func ByDuration(took map[string]time.Duration, shards int64) Shares {
	s := Shares{shard: make(map[string]int64, len(took)), load: make([]time.Duration, max(shards, 1))}
	names := slices.SortedFunc(maps.Keys(took), func(a, b string) int {
		return cmp.Or(cmp.Compare(took[b], took[a]), cmp.Compare(a, b))
	})
	for _, name := range names {
		least := 0
		for i, load := range s.load {
			if load < s.load[least] {
				least = i
			}
		}
		s.load[least] += max(took[name], time.Millisecond) // tests that take no time are spread too
		s.shard[name] = int64(least) + 1
	}
	return s
}

// ByCount shares tests out by number, in the order of their names: neighbours go to different shards.
func ByCount(names []string, shards int64) Shares {
	s := Shares{shard: make(map[string]int64, len(names)), load: make([]time.Duration, max(shards, 1))}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for i, name := range names {
		s.shard[name] = int64(i)%int64(len(s.load)) + 1
	}
	return s
}

// Of returns the shard of a test, from 1.
func (s Shares) Of(name string) int64 {
	if shard, ok := s.shard[name]; ok {
		return shard
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))                    // never fails
	return int64(h.Sum32()%uint32(len(s.load))) + 1 //nolint:gosec // at most 100 shards
}

// Tests returns the tests that are known for a shard, sorted.
func (s Shares) Tests(shard int64) []string {
	var names []string
	for name, of := range s.shard {
		if of == shard {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Load returns how long the known tests of a shard took.
func (s Shares) Load(shard int64) time.Duration { return s.load[shard-1] }
