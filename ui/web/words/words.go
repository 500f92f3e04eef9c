// Package words says numbers, times and states the way people do.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Took returns how long something lasted: at most two units, never more precise than a person needs.
func Took(d time.Duration) string {
	switch {
	case d < 0:
		return "–"
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// Between returns how long something lasted; one that has not ended is measured until now, one that has not begun took nothing.
func Between(from, to, now time.Time) string {
	switch {
	case from.IsZero():
		return "–"
	case to.IsZero():
		return Took(now.Sub(from)) + " so far"
	}
	return Took(to.Sub(from))
}

// Ago returns how long before now an instant was, in one unit.
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < -time.Minute:
		return "in " + unit(-d)
	case d < 10*time.Second:
		return "just now"
	}
	return unit(d) + " ago"
}

func unit(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return Count(int64(d.Hours())/24, "day")
}

// Instant returns an absolute time.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Machine returns an absolute time for the datetime attribute.
func Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Size returns a number of bytes.
func Size(n int64) string {
	if n < 1024 {
		return Count(n, "byte")
	}
	f := float64(n)
	for _, u := range []string{"KiB", "MiB", "GiB"} {
		if f /= 1024; f < 1024 || u == "GiB" {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + u
		}
	}
	return ""
}

// Count returns a number of things, with the plural of regular nouns.
func Count(n int64, noun string) string {
	return Number(n) + " " + Plural(n, noun)
}

// Plural returns the noun for a number of things.
func Plural(n int64, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// Number groups the digits of large numbers by thin spaces.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	if n < 10000 {
		return s
	}
	var groups []string
	for len(s) > 3 {
		groups = append([]string{s[len(s)-3:]}, groups...)
		s = s[:len(s)-3]
	}
	return strings.Join(append([]string{s}, groups...), "\u202f")
}

// Short returns the beginning of a digest.
func Short(digest string) string { return digest[:min(12, len(digest))] }

// Join lists names: "a", "a and b", "a, b and c".
func Join(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
