package logview

import (
	"bytes"
	"context"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/view"
)

const (
	// PieceSize is how much is asked of the store at a time: one stored frame.
	PieceSize = 256 << 10
	// budget bounds what one window reads, so that a log of one endless line costs little.
	budget = 8 << 20
)

// Source names a log.
type Source struct {
	Attempt execution.AttemptID
	Stream  string
}

// Window is a range of lines of a log.
type Window struct {
	First    int64 // number of the first row's line, from 0
	Rows     []Row
	Open     bool  // the last row has not ended
	Next     int64 // where to go on: the offset after the last row, or of its first byte when it has not ended
	NextLine int64 // number of the line at Next
	Tail     bool  // nothing was stored after the last row
	Complete bool  // nothing follows, now or later
	Cut      bool  // it has fewer rows than were asked for, for their size
}

// Read returns at most size lines from a line (from 0).
func Read(ctx context.Context, logs view.Logs, of Source, line int64, size int) (Window, error) {
	line = max(line, 0)
	offset, at, err := logs.SeekLine(ctx, of.Attempt, of.Stream, line)
	if err != nil {
		return Window{}, err
	}
	w := Window{First: line, Next: offset, NextLine: at}
	lines := From(offset)
	for read := 0; read < budget; {
		p, err := logs.ReadLog(ctx, of.Attempt, of.Stream, lines.Next(), PieceSize)
		if err != nil {
			return Window{}, err
		}
		w.Complete = p.Complete
		if p.Next == lines.Next() {
			w.Tail = true
			break
		}
		read += len(p.Data) + 1
		if w.take(lines, p, line, size) {
			return w, nil
		}
	}
	w.tail(lines, size)
	return w, nil
}

// take adds the rows of a piece and reports whether the window is full.
func (w *Window) take(lines *Lines, p view.Piece, from int64, size int) bool {
	for len(p.Data) > 0 || p.Gap > 0 {
		// Line by line, so that the window ends at a known offset.
		one, rest := cutLine(p)
		for _, row := range lines.Add(one) {
			if w.NextLine >= from {
				w.Rows = append(w.Rows, row)
			}
			if row.Gap == 0 {
				w.NextLine++
			}
			w.Next = lines.Offset()
		}
		if len(w.Rows) >= size {
			w.Complete = w.Complete && len(rest.Data) == 0 && rest.Gap == 0
			return true
		}
		p = rest
	}
	return false
}

// cutLine splits a piece after its first line break.
func cutLine(p view.Piece) (one, rest view.Piece) {
	i := bytes.IndexByte(p.Data, '\n')
	if i < 0 || i+1 == len(p.Data) {
		return p, view.Piece{}
	}
	one, rest = p, p
	one.Data, one.Next = p.Data[:i+1], p.Offset+int64(i)+1
	rest.Data, rest.Offset = p.Data[i+1:], one.Next
	return one, rest
}

// tail adds the line that has begun when the window ends, at the end of what is stored or of the budget.
func (w *Window) tail(lines *Lines, size int) {
	row, ok := lines.Open()
	if ok && w.NextLine >= w.First && len(w.Rows) < size {
		w.Rows, w.Open = append(w.Rows, row), true
	}
}
