// Package jmeter reads the sample logs (JTL) of JMeter, in XML and in CSV.
package jmeter

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
)

const (
	maxLabels = 10_000 // that are told apart
	other     = "«other labels»"
)

// Parse reads a log and calls emit for every label, after the last sample: one of a million samples is no test case, what they
// measure is. A case fails if one of its samples did. An error wraps results.ErrUnreadable unless emit or r caused it.
func Parse(r io.Reader, emit func(results.Case) error) (results.Summary, error) {
	b := bufio.NewReaderSize(r, 32<<10)
	t := &tally{byName: map[label]*measured{}}
	read := t.csv
	if isXML(b) {
		read = t.xml
	}
	err := read(b)
	list := results.NewListing(emit)
	if emitted := t.emit(list); err == nil {
		err = emitted
	}
	return list.Summary(), err
}

// isXML looks at the first byte that is no white space or mark.
func isXML(b *bufio.Reader) bool {
	head, _ := b.Peek(1 << 10) // shorter at the end of the file
	for _, c := range head {
		switch c {
		case ' ', '\t', '\r', '\n', 0xef, 0xbb, 0xbf, 0xfe, 0xff, 0:
		default:
			return c == '<'
		}
	}
	return false
}

// label names what was sampled, and the transaction it was a part of.
type label struct{ parent, name string }

type measured struct {
	samples, failed int
	elapsed         time.Duration
	message         string
}

// tally counts samples by label in the order in which labels appear.
type tally struct {
	order  []label
	byName map[label]*measured
}

type sample struct {
	label
	ok      bool
	elapsed time.Duration
	message string
}

func (t *tally) add(s sample) {
	s.parent, s.name = results.Cut(s.parent, results.MaxName), results.Cut(s.name, results.MaxName)
	m := t.byName[s.label]
	if m == nil && len(t.order) >= maxLabels {
		s.label = label{name: other}
		m = t.byName[s.label]
	}
	if m == nil {
		m = &measured{}
		t.order = append(t.order, s.label)
		t.byName[s.label] = m
	}
	m.samples++
	m.elapsed += min(s.elapsed, time.Hour) // the sum of billions stays in range
	if !s.ok {
		if m.failed++; m.failed == 1 {
			m.message = results.Cut(s.message, 1<<10)
		}
	}
}

func (t *tally) emit(list *results.Listing) error {
	for _, l := range t.order {
		m := t.byName[l]
		c := results.Case{Suite: l.parent, Name: l.name, Outcome: results.Passed, Duration: m.elapsed / time.Duration(m.samples)}
		if m.failed > 0 {
			c.Outcome = results.Failed
			c.Message = fmt.Sprintf("%d of %d samples failed: %s", m.failed, m.samples, results.FirstLine(m.message, "no message"))
		}
		if err := list.Add(c); err != nil {
			return err
		}
	}
	return nil
}

func milliseconds(n float64) time.Duration {
	if !(n > 0) || n > float64(365*24*time.Hour/time.Millisecond) {
		return 0
	}
	return time.Duration(n * float64(time.Millisecond))
}
