package state

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// lookEvery is how often a watcher looks that is told nothing.
const lookEvery = 250 * time.Millisecond

// Watcher tells when the state has changed, whoever changed it.
type Watcher struct {
	notify *fsnotify.Watcher // nil when it looks
	blind  error
	stop   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	changed chan struct{}
	err     error
}

// Watch starts to watch; Close ends it. Where the system has no inotify left, which all pods of a node share when they run as the
// same user, it looks at intervals instead.
func (d *Dir) Watch() *Watcher {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return d.Look(fmt.Errorf("watch shared state: %w", err))
	}
	if err := n.Add(d.path); err != nil {
		_ = n.Close()
		return d.Look(fmt.Errorf("watch shared state: %w", err))
	}
	w := newWatcher()
	w.notify = n
	go w.run()
	return w
}

// Look is Watch without inotify, for a reason.
func (d *Dir) Look(why error) *Watcher {
	w := newWatcher()
	w.blind = why
	go w.look()
	return w
}

func newWatcher() *Watcher {
	return &Watcher{stop: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{})}
}

// Blind says why the watcher looks at intervals, nil when it is told.
func (w *Watcher) Blind() error { return w.blind }

// Close stops watching and returns when it has.
func (w *Watcher) Close() error {
	close(w.stop)
	var err error
	if w.notify != nil {
		err = w.notify.Close()
	}
	<-w.done
	if err != nil {
		return fmt.Errorf("stop watching shared state: %w", err)
	}
	return nil
}

// Changed returns a channel that is closed at the next change. Take it before you look, then wait on it.
func (w *Watcher) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// Wait returns nil once cond is true; it looks at the start and after every change.
func (w *Watcher) Wait(ctx context.Context, cond func() (bool, error)) error {
	for {
		changed := w.Changed()
		if ok, err := cond(); ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-w.done:
			return fmt.Errorf("watch shared state: %w", w.Err())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Done returns a channel that is closed when watching has ended.
func (w *Watcher) Done() <-chan struct{} { return w.done }

// Err says why watching has ended.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		return fsnotify.ErrClosed
	}
	return w.err
}

func (w *Watcher) run() {
	defer close(w.done)
	for {
		select {
		case e, ok := <-w.notify.Events:
			if !ok {
				return
			}
			if !strings.HasPrefix(filepath.Base(e.Name), ".") {
				w.wake()
			}
		case err, ok := <-w.notify.Errors:
			if !ok {
				return
			}
			w.mu.Lock()
			w.err = err
			w.mu.Unlock()
			w.wake() // an overflow of the queue may have swallowed a change
		}
	}
}

func (w *Watcher) look() {
	defer close(w.done)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.wake()
		case <-w.stop:
			return
		}
	}
}

func (w *Watcher) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}
