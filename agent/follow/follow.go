// Package follow delivers the logs of services, which have no runner: it reads them from the kubelet while they are written, and goes
// on where the control plane has come to, whatever happened in between.
package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	firstPause = time.Second
	lastPause  = 15 * time.Second
	// When the log of a process that runs comes to an end, the process has ended, or the kubelet has closed the log. One that closes it
	// again and again, for want of inotify for instance, is asked less and less often.
	reopenAfter = 200 * time.Millisecond
	reopenLast  = 2 * time.Second
	// A service that has ended is started again, later every time.
	restartAfter = 2 * time.Second
	// A service is told to end when the steps have. What it writes later than this is not waited for.
	endAfter = 5 * time.Second
)

// errLate means that a service goes on although the steps have ended.
var errLate = errors.New("the service does not end")

// Uplink is where the chunks go. Implemented by link.
type Uplink interface {
	Append(ctx context.Context, attemptID string, chunk *runnerv1.LogChunk, done func(*runnerv1.LogAck, error)) error
	Streams(ctx context.Context, attemptID string) (*agentv1.StreamStateResponse, error)
}

// Source gives what the cluster shows of a service.
type Source interface {
	// Process returns how the process of a service stands.
	Process(ctx context.Context, pod work.PodIdentity, service string) (Process, error)
	// Open opens a log with the time before each line. A log that is not there any more is empty.
	Open(ctx context.Context, pod work.PodIdentity, service string, o Opening) (io.ReadCloser, error)
}

// Opening says which log is opened: that of the process that runs or ran last, or of the one before it.
type Opening struct {
	Before bool
	Follow bool      // goes on until the process ends
	Since  time.Time // leaves out what is older, to the second; zero for nothing
}

// Process is how the process of a service stands.
type Process struct {
	Gone     bool // the pod does not exist any more
	Running  bool
	Started  time.Time
	Restarts int32 // how often the service was started again
	Over     bool  // it is not started again
}

// Follower implements outbox.Follower.
type Follower struct {
	Log    *slog.Logger
	Uplink Uplink
	Source Source
}

// Follow delivers the log of a service until it is complete, or for a moment after over is closed.
func (f *Follower) Follow(ctx context.Context, attemptID string, pod work.PodIdentity, service string, over <-chan struct{}) ([]string, error) {
	w := &writer{uplink: f.Uplink, attempt: attemptID, stream: "service/" + service}
	reading, stop := bounded(ctx, over)
	defer stop()
	ending := false
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		advanced, err := f.once(ctx, reading, w, pod, service)
		if err == nil || ctx.Err() != nil || errors.Is(err, work.ErrRefused) {
			return w.notes, err
		}
		if advanced || late(reading) && !ending {
			pause, ending = firstPause, late(reading)
		}
		f.Log.DebugContext(ctx, "log of a service interrupted, trying again", "attempt", attemptID, "service", service, "error", err)
		if err := sleep(ctx, pause); err != nil {
			return w.notes, err
		}
	}
}

func late(reading context.Context) bool { return errors.Is(context.Cause(reading), errLate) }

// bounded returns a context that ends some time after over is closed.
func bounded(ctx context.Context, over <-chan struct{}) (reading context.Context, stop func()) {
	reading, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-over:
			if sleep(reading, endAfter) == nil {
				cancel(errLate)
			}
		case <-reading.Done():
		}
	}()
	return reading, func() {
		cancel(nil)
		<-done
	}
}

// once goes on where the control plane has come to, until the log is complete or something breaks. It reads while reading lasts, and
// then says that nothing follows.
func (f *Follower) once(ctx, reading context.Context, w *writer, pod work.PodIdentity, service string) (advanced bool, err error) {
	state, err := f.Uplink.Streams(ctx, w.attempt)
	if err != nil {
		return false, fmt.Errorf("ask what the control plane has: %w", err)
	}
	if slices.Contains(state.GetFinal(), w.stream) {
		return false, nil
	}
	w.resume(state.GetCommitted()[w.stream], state.GetCursors()[w.stream])
	if late(reading) {
		return false, f.rest(ctx, w, pod, service)
	}
	return f.follow(reading, w, pod, service)
}

// rest delivers what there is now of a service that is not waited for any more. It may have ended while the control plane was away:
// then this is all of it.
func (f *Follower) rest(ctx context.Context, w *writer, pod work.PodIdentity, service string) error {
	p, err := f.Source.Process(ctx, pod, service)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	if p.Gone {
		return f.gone(ctx, w, service)
	}
	if err := f.current(ctx, w, pod, service, Process{Started: p.Started}); err != nil {
		return err
	}
	if p.Running {
		w.note(fmt.Sprintf("Service %s did not end within %s of the steps: what it wrote later is not kept.", service, endAfter))
	}
	return w.finish(ctx)
}

// gone ends a log whose pod was taken away before it had been read to its end.
func (f *Follower) gone(ctx context.Context, w *writer, service string) error {
	w.note(fmt.Sprintf("The log of service %s may lack its last lines: its pod was gone before they had been read.", service))
	return w.finish(ctx)
}

// follow reads one process after another.
func (f *Follower) follow(ctx context.Context, w *writer, pod work.PodIdentity, service string) (advanced bool, err error) {
	from := w.at
	reopen := reopenAfter
	for before := int32(0); ; {
		p, err := f.Source.Process(ctx, pod, service)
		if err != nil {
			return w.at > from, err //nolint:wrapcheck // says what it is
		}
		if p.Gone {
			return w.at > from, f.gone(ctx, w, service)
		}
		if p.Restarts > before {
			before = p.Restarts
			if err := f.read(ctx, w, pod, service, Opening{Before: true}); err != nil {
				return w.at > from, err
			}
		}
		if err := f.current(ctx, w, pod, service, p); err != nil {
			return w.at > from, err
		}
		if p.Over && !p.Running {
			return w.at > from, w.finish(ctx)
		}
		if w.fresh > 0 {
			reopen = reopenAfter
		}
		pause := reopen
		if !p.Running {
			pause = restartAfter
		}
		reopen = min(2*reopen, reopenLast)
		if err := sleep(ctx, pause); err != nil {
			return w.at > from, err
		}
	}
}

// current sends the log of the process that runs or ran last.
func (f *Follower) current(ctx context.Context, w *writer, pod work.PodIdentity, service string, p Process) error {
	goesOn := w.resumed && w.cursor.After(p.Started)
	w.resumed = false
	if err := f.read(ctx, w, pod, service, Opening{Follow: p.Running}); err != nil {
		return err
	}
	if goesOn && w.fresh > 0 && !w.met {
		w.note(fmt.Sprintf("The log of service %s may lack lines: the node had dropped the place where it was to go on.", service))
	}
	return nil
}

// read sends what a log has beyond what is committed.
func (f *Follower) read(ctx context.Context, w *writer, pod work.PodIdentity, service string, o Opening) error {
	o.Since = w.cursor.Truncate(time.Second)
	log, err := f.Source.Open(ctx, pod, service, o)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	// A line without an end is whole only when nobody writes on.
	if err := w.copy(ctx, log, !o.Follow); err != nil {
		return fmt.Errorf("deliver the log of service %s: %w", service, err)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for a service: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
