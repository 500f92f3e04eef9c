package state

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// Watcher tells when the state has changed, whoever changed it.
type Watcher struct {
	notify *fsnotify.Watcher
	done   chan struct{}

	mu      sync.Mutex
	changed chan struct{}
	err     error
}

// Watch starts to watch; Close ends it.
func (d *Dir) Watch() (*Watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch shared state: %w", err)
	}
	if err := n.Add(d.path); err != nil {
		_ = n.Close()
		return nil, fmt.Errorf("watch shared state: %w", err)
	}
	w := &Watcher{notify: n, done: make(chan struct{}), changed: make(chan struct{})}
	go w.run()
	return w, nil
}

// Close stops watching and returns when it has.
func (w *Watcher) Close() error {
	err := w.notify.Close()
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

func (w *Watcher) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}
