package engine

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seatrial/seatrial/agent/redact"
	"github.com/seatrial/seatrial/agent/runner/spool"
)

const (
	pipeSize = 1 << 20
	readSize = 256 << 10
	// When every process of a step is gone and its pipe still open, nobody is left who could write.
	drainFor = 5 * time.Second
	lastLook = 200 * time.Millisecond
)

// output carries what a step writes from one pipe, which keeps the order of stdout and stderr, through redaction to the spool.
type output struct {
	read, write *os.File
	spool       *spool.Spool
	mirror      *mirror
	hide        *hider
	redact      *redact.Redactor
	done        chan struct{}
}

func newOutput(sp *spool.Spool, m *mirror, h *hider) (*output, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	_, _ = unix.FcntlInt(write.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a smaller pipe is only slower
	o := &output{read: read, write: write, spool: sp, mirror: m, hide: h, redact: h.stream(), done: make(chan struct{})}
	go o.run()
	return o, nil
}

// started is called once the step holds the pipe.
func (o *output) started() { _ = o.write.Close() }

// wait returns when everything written is in the spool.
func (o *output) wait() {
	_ = o.write.Close()
	_ = o.read.SetReadDeadline(time.Now().Add(drainFor))
	<-o.done
	_ = o.read.Close()
}

func (o *output) run() {
	defer close(o.done)
	buf, out := make([]byte, readSize), make([]byte, 0, readSize)
	late := false
	for {
		n, err := o.read.Read(buf)
		if n > 0 {
			o.redact.Use(o.hide.current()) // a secret may have changed before this was written
			out = o.redact.Append(out[:0], buf[:n])
			o.keep(out)
			late = false
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && !late {
			// The spool may have held us back past the deadline with bytes still in the pipe.
			late = true
			_ = o.read.SetReadDeadline(time.Now().Add(lastLook))
			continue
		}
		if err != nil {
			o.keep(o.redact.Flush(out[:0]))
			return
		}
	}
}

func (o *output) keep(p []byte) {
	if len(p) > 0 {
		o.spool.Write(p)
		o.mirror.Offer(p)
	}
}
