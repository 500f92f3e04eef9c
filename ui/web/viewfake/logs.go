package viewfake

import (
	"bytes"
	"context"
	"slices"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/view"
)

// stored is one log. gap is where bytes are missing and how many.
type stored struct {
	data     []byte
	complete bool
	gapAt    int64
	gap      int64
}

// Write appends to the log of a step and tells those who listen.
func (w *World) Write(id execution.AttemptID, step int, text string, complete bool) {
	w.WriteTo(id, execution.Stream(step), text, complete)
}

// WriteTo appends to a log and tells those who listen.
func (w *World) WriteTo(id execution.AttemptID, stream, text string, complete bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.log(id, stream)
	l.data, l.complete = append(l.data, text...), complete
	w.wake(execution.LogTopic(w.Member.Viewer.Organization, id, stream))
}

// Lose leaves out bytes at the end of what is written; at most once for each log.
func (w *World) Lose(id execution.AttemptID, step int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.log(id, execution.Stream(step))
	l.gapAt, l.gap = int64(len(l.data)), bytes
}

func (w *World) log(id execution.AttemptID, stream string) *stored {
	key := execution.LogTopic(w.Member.Viewer.Organization, id, stream)
	if w.logs[key] == nil {
		w.logs[key] = &stored{}
	}
	return w.logs[key]
}

// ReadLog reads from an offset. Offsets after the gap count its bytes.
func (w *World) ReadLog(ctx context.Context, id execution.AttemptID, stream string, offset int64, limit int) (view.Piece, error) {
	if err := w.allowed(ctx); err != nil {
		return view.Piece{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readsLeft == 0 {
		return view.Piece{}, fault.New(fault.Unavailable, "the store of logs is away")
	}
	w.readsLeft--
	l := w.log(id, stream)
	end := int64(len(l.data)) + l.gap
	p := view.Piece{Offset: offset, Next: offset}
	switch {
	case l.gap > 0 && offset == l.gapAt:
		p.Gap, p.Next = l.gap, offset+l.gap
	case l.gap > 0 && offset > l.gapAt:
		p.Data = cut(l.data, offset-l.gap, limit)
		p.Next += int64(len(p.Data))
	default:
		if l.gap > 0 {
			limit = min(limit, int(l.gapAt-offset))
		}
		p.Data = cut(l.data, offset, limit)
		p.Next += int64(len(p.Data))
	}
	p.Complete = l.complete && p.Next >= end
	return p, nil
}

func cut(data []byte, from int64, limit int) []byte {
	from = min(max(from, 0), int64(len(data)))
	return bytes.Clone(data[from:min(from+int64(limit), int64(len(data)))])
}

// FailAfter makes reads of logs fail after some that succeed.
func (w *World) FailAfter(reads int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readsLeft = reads
}

// SeekLine answers as an index would: with the start of a block of 100 lines.
func (w *World) SeekLine(ctx context.Context, id execution.AttemptID, stream string, line int64) (offset, at int64, err error) {
	if err := w.allowed(ctx); err != nil {
		return 0, 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.log(id, stream)
	n := int64(0)
	for i, c := range l.data {
		if c != '\n' {
			continue
		}
		if n++; n%100 == 0 && n <= line {
			offset, at = int64(i)+1, n
		}
	}
	if offset > l.gapAt {
		offset += l.gap
	}
	return offset, at, nil
}

// Subscribe hears of changes.
func (w *World) Subscribe(_ context.Context, topics ...string) (<-chan struct{}, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wake := make(chan struct{}, 1)
	for _, t := range topics {
		w.listeners[t] = append(w.listeners[t], wake)
	}
	return wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, t := range topics {
			w.listeners[t] = slices.DeleteFunc(w.listeners[t], func(c chan struct{}) bool { return c == wake })
		}
	}
}

// Listeners returns how many subscriptions there are.
func (w *World) Listeners() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, l := range w.listeners {
		n += len(l)
	}
	return n
}

func (w *World) wake(topic string) {
	for _, c := range w.listeners[topic] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
