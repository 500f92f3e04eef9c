package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"connectrpc.com/connect"
)

// Far more containers than a pod of ours has.
const maxSessions = 64

var (
	errReplaced = errors.New("the container has connected anew")
	errCrowded  = errors.New("too many connections of one attempt")
)

// hub knows the sessions of each attempt, one for each container.
type hub struct {
	mu       sync.Mutex
	attempts map[string]map[string]*session
}

func newHub() *hub { return &hub{attempts: map[string]map[string]*session{}} }

// enter adds a session. The container's last one, half open perhaps, is ended first: two would mix their chunks.
func (h *hub) enter(ctx context.Context, x *session) error {
	for {
		h.mu.Lock()
		all := h.attempts[x.attempt]
		if all == nil {
			all = map[string]*session{}
			h.attempts[x.attempt] = all
		}
		old := all[x.container]
		if old == nil && len(all) >= maxSessions {
			h.mu.Unlock()
			return connect.NewError(connect.CodeResourceExhausted, errCrowded)
		}
		if old == nil {
			all[x.container] = x
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		old.end(errReplaced)
		select {
		case <-old.gone:
		case <-ctx.Done():
			return connect.NewError(connect.CodeUnavailable, fmt.Errorf("wait for the last connection to end: %w", context.Cause(ctx)))
		}
	}
}

// leave removes a session that takes nothing in any more.
func (h *hub) leave(x *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.attempts[x.attempt], x.container)
	if len(h.attempts[x.attempt]) == 0 {
		delete(h.attempts, x.attempt)
	}
	close(x.gone)
}

// of returns the sessions of an attempt.
func (h *hub) of(attempt string) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*session, 0, len(h.attempts[attempt]))
	for _, x := range h.attempts[attempt] {
		out = append(out, x)
	}
	return out
}

// Uploads under way at the same time, each of which holds some hundred KiB.
const (
	maxUploads           = 16
	maxUploadsPerAttempt = 4
)

// slots bounds uploads, so that no attempt takes the place of all others.
type slots struct {
	mu      sync.Mutex
	total   int
	each    map[string]int
	changed chan struct{} // closed and replaced when a slot gets free
}

func newSlots() *slots { return &slots{each: map[string]int{}, changed: make(chan struct{})} }

// take waits for a slot and returns what gives it back.
func (s *slots) take(ctx context.Context, attempt string) (release func(), err error) {
	for {
		s.mu.Lock()
		if s.total < maxUploads && s.each[attempt] < maxUploadsPerAttempt {
			s.total++
			s.each[attempt]++
			s.mu.Unlock()
			return func() { s.free(attempt) }, nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a turn to upload: %w", context.Cause(ctx))
		}
	}
}

func (s *slots) free(attempt string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.each[attempt]--; s.each[attempt] == 0 {
		delete(s.each, attempt)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}
