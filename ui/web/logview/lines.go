// Package logview cuts a stored log into lines that can be shown.
package logview

import (
	"bytes"

	"github.com/seatrial/seatrial/ui/web/ansi"
	"github.com/seatrial/seatrial/ui/web/view"
)

// MaxLine is how many bytes of a line are shown; the raw log has them all.
const MaxLine = 16 << 10

// Row is a line, or a gap between two lines.
type Row struct {
	Runs []ansi.Run
	Cut  bool  // the line is longer than MaxLine
	Gap  int64 // bytes that are missing here; Runs is empty then

	after int64 // offset after it; 0 for one that has not ended
}

// Lines collects pieces of one log in order and returns their lines.
type Lines struct {
	decoder ansi.Decoder
	open    []byte // the line that has no line break yet, at most MaxLine bytes of it
	cut     bool   // open lacks bytes
	offset  int64  // of the first byte of open
	next    int64  // offset after the last piece
}

// From returns lines that begin at an offset, which is the first byte of a line.
func From(offset int64) *Lines { return &Lines{offset: offset, next: offset} }

// Add takes the next piece and returns the rows that it ended.
func (l *Lines) Add(p view.Piece) []Row {
	var rows []Row
	l.next = p.Offset
	if p.Gap > 0 {
		if len(l.open) > 0 {
			rows = append(rows, l.end())
			rows[0].after = l.next
		}
		l.next += p.Gap
		l.offset = l.next
		return append(rows, Row{Gap: p.Gap, after: l.next})
	}
	for rest := p.Data; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte{'\n'})
		l.keep(part)
		l.next += int64(len(part))
		if ended {
			l.next++
			rows = append(rows, l.end())
			l.offset = l.next
			rows[len(rows)-1].after = l.offset
		}
		rest = after
	}
	return rows
}

// keep adds to the open line. Of a progress bar that rewrites itself, the newest state is kept when there is no room for all.
func (l *Lines) keep(part []byte) {
	l.open = append(l.open, part...)
	if len(l.open) <= MaxLine {
		return
	}
	last := bytes.LastIndexByte(bytes.TrimRight(l.open, "\r"), '\r')
	if last >= 0 {
		l.open = append(l.open[:0], l.open[last+1:]...)
		l.cut = false
	}
	if len(l.open) > MaxLine {
		l.open, l.cut = l.open[:MaxLine], true
	}
}

// end closes the open line.
func (l *Lines) end() Row {
	row := Row{Runs: l.decoder.Line(l.open), Cut: l.cut}
	l.open, l.cut = l.open[:0], false
	return row
}

// Open returns the line that has begun and not ended; ok is false when there is none.
func (l *Lines) Open() (row Row, ok bool) {
	decoder := l.decoder // its style must not advance before the line has ended
	return Row{Runs: decoder.Line(l.open), Cut: l.cut}, len(l.open) > 0
}

// Offset returns where the open line begins: whoever goes on from there misses nothing.
func (l *Lines) Offset() int64 { return l.offset }

// Next returns the offset after everything that was added.
func (l *Lines) Next() int64 { return l.next }
