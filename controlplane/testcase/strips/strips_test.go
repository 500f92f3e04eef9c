package strips_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/strips"
)

var (
	old   = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	newer = old.Add(time.Hour)
)

// block writes entries that passed long ago, but for those that failed.
func block(t *testing.T, keys ...string) string {
	t.Helper()
	b, _, err := strips.Edit("", keys, func(_ int, e strips.Entry) strips.Entry { return e.With("p", old) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, block string) (all []strips.Entry) {
	t.Helper()
	for e, err := range strips.All(block) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestEdit(t *testing.T) {
	t.Parallel()
	passed := func(key string) strips.Entry { return strips.Entry{Key: key, Letters: "p", Last: old} }
	add := func(letters testcase.Letters) func(int, strips.Entry) strips.Entry {
		return func(_ int, e strips.Entry) strips.Entry { return e.With(letters, newer.Add(400*time.Millisecond)) }
	}
	for why, test := range map[string]struct {
		has, keys []string
		change    func(int, strips.Entry) strips.Entry
		want      []strips.Entry
		oldest    time.Time
	}{
		"a new test is put where its key belongs": {
			[]string{"a", "c"},
			[]string{"b"},
			add("s"),
			[]strips.Entry{passed("a"), {Key: "b", Letters: "s", Last: newer}, passed("c")},
			old,
		},
		"the first and the last are no other than those between": {
			[]string{"b"},
			[]string{"a", "c"},
			add("p"),
			[]strips.Entry{{Key: "a", Letters: "p", Last: newer}, passed("b"), {Key: "c", Letters: "p", Last: newer}},
			old,
		},
		"newer outcomes come first, and a failure is dated": {
			[]string{"a"},
			[]string{"a"},
			add("fP"),
			[]strips.Entry{{Key: "a", Letters: "fPp", Last: newer, Unreliable: newer}},
			newer,
		},
		"what has no letters is taken out": {
			[]string{"a", "b"},
			[]string{"a"},
			func(int, strips.Entry) strips.Entry { return strips.Entry{Key: "a"} },
			[]strips.Entry{passed("b")},
			old,
		},
		"a key that begins another is another": {
			[]string{"ab"},
			[]string{"a"},
			add("p"),
			[]strips.Entry{{Key: "a", Letters: "p", Last: newer}, passed("ab")},
			old,
		},
		"no letters are kept beyond the longest strip": {
			[]string{"a"},
			[]string{"a"},
			add(testcase.Letters(strings.Repeat("f", testcase.MaxStrip))),
			[]strips.Entry{{Key: "a", Letters: testcase.Letters(strings.Repeat("f", testcase.MaxStrip)), Last: newer, Unreliable: newer}},
			newer,
		},
		"nothing in an empty block is nothing": {nil, []string{"a"}, func(_ int, e strips.Entry) strips.Entry { return e }, nil, time.Time{}},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			edited, oldest, err := strips.Edit(block(t, test.has...), test.keys, test.change)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, edited); !slices.Equal(got, test.want) {
				t.Errorf("entries %+v, want %+v", got, test.want)
			}
			if !oldest.Truncate(time.Second).Equal(test.oldest) {
				t.Errorf("oldest %s, want %s", oldest, test.oldest)
			}
		})
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	b, _, err := strips.Edit(block(t, "a", "b", "c"), []string{"b"}, func(_ int, e strips.Entry) strips.Entry { return e.With("f", newer) })
	if err != nil {
		t.Fatal(err)
	}
	left, gone, oldest, err := strips.Since(b, newer)
	if err != nil || gone != 2 || !oldest.Equal(newer) || len(read(t, left)) != 1 || read(t, left)[0].Letters != "fp" {
		t.Errorf("left %q without %d, the oldest of %s, %v", left, gone, oldest, err)
	}
	if left, gone, oldest, err = strips.Since(b, newer.Add(time.Second)); err != nil || left != "" || gone != 3 || !oldest.IsZero() {
		t.Errorf("left %q without %d, the oldest of %s, %v", left, gone, oldest, err)
	}
}

func TestBroken(t *testing.T) {
	t.Parallel()
	whole := strings.TrimSuffix(block(t, "a"), "\n")
	for _, line := range []string{"a", "a 1", "a 1 0", "a 1 0 ", "a x 0 p", "a 1 x p", "a 0 0 p", " 1 0 p", whole + "\n\n"} {
		if _, _, err := strips.Edit(line, nil, nil); err == nil || !strings.Contains(err.Error(), "the strip of the test") {
			t.Errorf("%q: %v", line, err)
		}
		if _, _, _, err := strips.Since(line, old); err == nil {
			t.Errorf("%q is read", line)
		}
	}
}

// FuzzEdit proves that a block either is refused or stays what it is but for the test that is changed.
func FuzzEdit(f *testing.F) {
	f.Add("a 69a41a20 0 p\nb 69a41a20 69a41a20 fp\n", "ab")
	f.Add("", "a")
	f.Add("a 1 0 p", "a")
	f.Fuzz(func(t *testing.T, text, key string) {
		if key == "" || strings.ContainsAny(key, " \n") {
			t.Skip("no key has these")
		}
		before := 0
		for e, err := range strips.All(text) {
			if err != nil {
				if _, _, err := strips.Edit(text, []string{key}, func(_ int, e strips.Entry) strips.Entry { return e }); err == nil {
					t.Fatal("read only in part, and written")
				}
				return
			}
			if e.Key != key {
				before++
			}
		}
		edited, _, err := strips.Edit(text, []string{key}, func(_ int, e strips.Entry) strips.Entry { return e.With("f", newer) })
		if err != nil {
			t.Fatal(err)
		}
		others, found := 0, 0
		for _, e := range read(t, edited) {
			if e.Key != key {
				others++
			} else if e.Letters[0] == 'f' {
				found++
			}
		}
		if others != before || found == 0 {
			t.Errorf("%d others of %d, found %d times in %q", others, before, found, edited)
		}
	})
}

// BenchmarkEdit adds an outcome to each of a hundred thousand tests in sixteen blocks, as a report of all of them does.
func BenchmarkEdit(b *testing.B) {
	keys := make([]string, 100_000/16)
	for i := range keys {
		keys[i] = fmt.Sprintf("a%031x", i)
	}
	text, _, err := strips.Edit("", keys, func(_ int, e strips.Entry) strips.Entry {
		return e.With(testcase.Letters(strings.Repeat("p", testcase.MaxStrip)), old)
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for range 16 {
			if _, _, err := strips.Edit(text, keys, func(_ int, e strips.Entry) strips.Entry { return e.With("p", newer) }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
