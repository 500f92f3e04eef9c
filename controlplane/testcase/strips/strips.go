// Package strips packs the strips of many tests into one text, a line for each in the order of keys. A report of a hundred thousand tests
// changes the strip of each: as rows of their own they would take as long as the results themselves.
package strips

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/testcase"
)

// Entry is what is known of a test in one environment.
type Entry struct {
	Key        string           // has neither blanks nor line breaks
	Letters    testcase.Letters // its latest outcomes; none: the test has no strip
	Last       time.Time        // when the newest came in, to the second
	Unreliable time.Time        // when the latest came in that does not speak for the test; zero: none did
}

// With returns the entry with newer outcomes before its own, of which testcase.MaxStrip stay.
func (e Entry) With(newer testcase.Letters, at time.Time) Entry {
	at = at.Truncate(time.Second)
	e.Letters = (newer + e.Letters).Latest(testcase.MaxStrip)
	e.Last = at
	if newer.Unreliable() {
		e.Unreliable = at
	}
	return e
}

// Prefix is what the keys of a block begin with: keys are digests in hexadecimal, so there are sixteen blocks.
func Prefix(key string) string { return key[:min(len(key), 1)] }

// Edit returns a block with the entries of some keys changed, and when that of its tests ran last that has not run for longest: the zero time
// for an empty block. The keys are in order, each once. An entry that is not there is handed to change with its key alone; one that change
// leaves without letters is taken out.
func Edit(block string, keys []string, change func(i int, old Entry) Entry) (edited string, oldest time.Time, err error) {
	w := writer{}
	w.text.Grow(len(block) + len(keys)*(keyLength+timesLength))
	next := 0
	for line := range lines(block) {
		key, rest, _ := strings.Cut(line, " ")
		for ; next < len(keys) && keys[next] < key; next++ {
			w.write(change(next, Entry{Key: keys[next]}))
		}
		e, err := parse(key, rest)
		if err != nil {
			return "", time.Time{}, err
		}
		if next < len(keys) && keys[next] == key {
			e = change(next, e)
			next++
		}
		w.write(e)
	}
	for ; next < len(keys); next++ {
		w.write(change(next, Entry{Key: keys[next]}))
	}
	return w.text.String(), w.oldest, nil
}

// All goes over the entries of a block in the order of their keys, until one cannot be read.
func All(block string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for line := range lines(block) {
			key, rest, _ := strings.Cut(line, " ")
			e, err := parse(key, rest)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Since returns a block without the tests that have not run since a time, how many those were, and when the one ran last that has not run for
// longest of those that stay.
func Since(block string, t time.Time) (left string, gone int, oldest time.Time, err error) {
	w := writer{}
	for e, err := range All(block) {
		if err != nil {
			return "", 0, time.Time{}, err
		}
		if e.Last.Before(t) {
			gone++
			continue
		}
		w.write(e)
	}
	return w.text.String(), gone, w.oldest, nil
}

// keyLength and timesLength are how much of a line is no letter.
const (
	keyLength   = 32
	timesLength = 20
)

// writer writes entries.
type writer struct {
	text   strings.Builder
	oldest time.Time
}

// write writes an entry: its key, both times in hexadecimal seconds, and its letters.
func (w *writer) write(e Entry) {
	if e.Letters == "" {
		return
	}
	if w.oldest.IsZero() || e.Last.Before(w.oldest) {
		w.oldest = e.Last
	}
	var times [timesLength * 2]byte
	b := append(strconv.AppendInt(append(times[:0], ' '), seconds(e.Last), 16), ' ')
	b = append(strconv.AppendInt(b, seconds(e.Unreliable), 16), ' ')
	w.text.WriteString(e.Key)
	w.text.Write(b)
	w.text.WriteString(string(e.Letters))
	w.text.WriteByte('\n')
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// lines goes over the lines of a block, each of which ends in a line break.
func lines(block string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for block != "" {
			var line string
			if line, block, _ = strings.Cut(block, "\n"); !yield(line) {
				return
			}
		}
	}
}

func parse(key, rest string) (Entry, error) {
	last, rest, _ := strings.Cut(rest, " ")
	unreliable, letters, ok := strings.Cut(rest, " ")
	e := Entry{Key: key, Letters: testcase.Letters(letters)}
	var err [2]error
	e.Last, err[0] = timeOf(last)
	e.Unreliable, err[1] = timeOf(unreliable)
	if !ok || key == "" || letters == "" || err[0] != nil || err[1] != nil || e.Last.IsZero() {
		return Entry{}, fmt.Errorf("the strip of the test %.64q cannot be read", key)
	}
	return e, nil
}

func timeOf(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 16, 64)
	if err != nil || n == 0 {
		return time.Time{}, err //nolint:wrapcheck // the caller says what it was about
	}
	return time.Unix(n, 0).UTC(), nil
}
