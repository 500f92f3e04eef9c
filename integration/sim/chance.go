package sim

import (
	"hash/fnv"
	"sync"
	"time"
)

// chance draws from a seed. Each purpose has a sequence of its own, so that one more draw for one of them leaves the others as they were.
type chance struct {
	seed uint64

	mu    sync.Mutex
	drawn map[string]uint64
}

func newChance(seed uint64) *chance { return &chance{seed: seed, drawn: map[string]uint64{}} }

// bits returns the next draw for a purpose.
func (c *chance) bits(purpose string) uint64 {
	c.mu.Lock()
	n := c.drawn[purpose]
	c.drawn[purpose]++
	c.mu.Unlock()
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // never fails
	return mix(mix(c.seed^h.Sum64()) + n)
}

// mix is the finalizer of SplitMix64: neighbours become strangers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// happens is true with a probability.
func (c *chance) happens(purpose string, probability float64) bool {
	return float64(c.bits(purpose)>>11)/(1<<53) < probability
}

// among returns a number from 0 below n.
func (c *chance) among(purpose string, n int) int {
	return int(c.bits(purpose) % uint64(n))
}

// within returns a time between two bounds.
func (c *chance) within(purpose string, low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(c.bits(purpose)%uint64(high-low))
}
