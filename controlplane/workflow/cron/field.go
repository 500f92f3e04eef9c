package cron

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// kind is what a field means.
type kind struct {
	name      string
	low, high int
	spread    int // highest hashed value: every month has 28 days
	names     []string
}

func kinds() []kind {
	return []kind{
		{"second", 0, 59, 59, nil},
		{"minute", 0, 59, 59, nil},
		{"hour", 0, 23, 23, nil},
		{"day of the month", 1, 31, 28, nil},
		{"month", 1, 12, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
		{"day of the week", 0, 7, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
	}
}

func parseField(text string, k kind, key string) (set, error) {
	var values set
	for item := range strings.SplitSeq(text, ",") {
		v, ok := parseItem(item, k, key)
		if !ok {
			return 0, fmt.Errorf("%q is not a %s (%d to %d)", shorten(text), k.name, k.low, k.high)
		}
		values |= v
	}
	return values, nil
}

// parseItem reads one value, range or hash with or without a step.
func parseItem(item string, k kind, key string) (values set, ok bool) {
	span, stepText, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		n, isNumber := number(stepText)
		if !isNumber || n < 1 || n > k.high {
			return 0, false
		}
		step = n
	}
	first, last := k.low, k.high
	switch {
	case span == "*", span == "?" && !stepped && (k.high == 31 || k.high == 7):
	case strings.HasPrefix(span, "H"):
		if first, last, ok = hashed(span, k); !ok {
			return 0, false
		}
		at := first + int(Hash(key, k.name)%uint64(last-first+1)) //nolint:gosec // at most 59
		if !stepped {
			return 1 << uint(at), true
		}
		first += (at - first) % step
	default:
		if first, last, ok = between(span, k); !ok {
			return 0, false
		}
		if stepped && !strings.Contains(span, "-") {
			last = k.high // "5/15" is from 5 on
		}
	}
	for v := first; v <= last; v += step {
		values |= 1 << uint(v)
	}
	return values, values != 0
}

// hashed reads H and H(a-b).
func hashed(span string, k kind) (first, last int, ok bool) {
	if span == "H" {
		return k.low, k.spread, true
	}
	within, opened := strings.CutPrefix(span, "H(")
	within, closed := strings.CutSuffix(within, ")")
	if !opened || !closed || !strings.Contains(within, "-") {
		return 0, 0, false
	}
	return between(within, k)
}

func between(span string, k kind) (first, last int, ok bool) {
	a, b, ranged := strings.Cut(span, "-")
	if first, ok = k.value(a); !ok {
		return 0, 0, false
	}
	if !ranged {
		return first, first, true
	}
	if last, ok = k.value(b); !ok || last < first {
		return 0, 0, false
	}
	return first, last, true
}

func (k kind) value(s string) (int, bool) {
	if i := slices.Index(k.names, strings.ToLower(s)); i >= 0 {
		return i + k.low, true
	}
	n, ok := number(s)
	return n, ok && n >= k.low && n <= k.high
}

// number reads digits alone: no sign.
func number(s string) (int, bool) {
	if s == "" || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// Hash spreads keys evenly: the same on every replica, for ever.
func Hash(parts ...string) uint64 {
	h := fnv.New64a()
	for _, part := range parts {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	// The low bits of FNV are alike for keys that are alike, and a remainder is taken of this.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
