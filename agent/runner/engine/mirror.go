package engine

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	mirrorSize = 4 << 20
	// What is left to mirror at the end gets this long; the stored log has it anyway.
	mirrorFor = 2 * time.Second
)

// mirror copies the log to the container's own output, so that kubectl logs works. It never holds a step up: what the container
// runtime does not take in time is left out, and said.
type mirror struct {
	out  io.Writer
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	buf     []byte
	spare   []byte
	dropped int64
	closed  bool
}

func newMirror(out io.Writer) *mirror {
	m := &mirror{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go m.run()
	return m
}

// Offer takes a copy of p if there is room.
func (m *mirror) Offer(p []byte) {
	m.mu.Lock()
	if len(m.buf)+len(p) > mirrorSize {
		m.dropped += int64(len(p))
	} else {
		m.mark()
		m.buf = append(m.buf, p...)
	}
	m.mu.Unlock()
	m.signal()
}

// mark says in the output where bytes were left out. The caller holds the lock.
func (m *mirror) mark() {
	if m.dropped > 0 {
		m.buf = fmt.Appendf(m.buf, "\n[seatrial: %d bytes are not shown here; the log in Seatrial has them]\n", m.dropped)
		m.dropped = 0
	}
}

// Close returns when everything is written or the reader is too slow.
func (m *mirror) Close() {
	m.mu.Lock()
	m.mark()
	m.closed = true
	m.mu.Unlock()
	m.signal()
	timer := time.NewTimer(mirrorFor)
	defer timer.Stop()
	select {
	case <-m.done:
	case <-timer.C: // the goroutine hangs in a write that nobody takes; it ends with the process
	}
}

func (m *mirror) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mirror) run() {
	defer close(m.done)
	for {
		m.mu.Lock()
		batch, closed := m.buf, m.closed
		m.buf, m.spare = m.spare[:0], batch
		m.mu.Unlock()
		if len(batch) > 0 {
			_, _ = m.out.Write(batch) // nobody to tell
			continue
		}
		if closed {
			return
		}
		<-m.wake
	}
}
