package lookout

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	// A call holds so many objects and so many bytes at most; the control plane takes 1 MiB.
	batchObjects = 100
	batchBytes   = 512 << 10
	// What is not acknowledged is kept in memory up to this many; then the oldest goes.
	maxSpool = 5000
)

// entry is something that has happened and is not acknowledged.
type entry struct {
	change *agentv1.ObjectChange
	due    time.Time
	view   *view // whose objects have pods to look at; nil for none
	looked bool
}

// spool keeps what has happened until it is acknowledged.
type spool struct {
	log  *slog.Logger
	wake func()

	mu      sync.Mutex
	entries []*entry
	lost    int
}

func newSpool(log *slog.Logger, wake func()) *spool { return &spool{log: log, wake: wake} }

// add takes something in. Updates of an object within a moment are one: the newest, when the first one is due.
func (s *spool) add(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	e.due = now
	e.change.ObservedAt = timestamppb.New(now)
	if e.change.GetEvent() == agentv1.ObjectEvent_OBJECT_EVENT_UPDATED {
		e.due = now.Add(settle)
		for i, other := range s.entries {
			if other.due.After(now) && other.change.GetEvent() == e.change.GetEvent() && other.change.GetObject().GetUid() == e.change.GetObject().GetUid() {
				e.due = other.due
				s.entries[i] = e
				return
			}
		}
	}
	if len(s.entries) >= maxSpool {
		s.entries = s.entries[1:]
		if s.lost++; s.lost == 1 || s.lost%1000 == 0 {
			s.log.Error("too much has happened while the control plane is away: the oldest is forgotten", "forgotten", s.lost)
		}
	}
	s.entries = append(s.entries, e)
	s.wake()
}

// take returns what is due, as much as a call holds, and when there is more.
func (s *spool) take(now time.Time) (batch []*entry, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes, wait := 0, time.Hour
	for _, e := range s.entries {
		if e.due.After(now) {
			wait = min(wait, e.due.Sub(now))
			continue
		}
		if bytes += proto.Size(e.change); len(batch) == batchObjects || bytes > batchBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, e)
	}
	return batch, wait
}

// fits returns how many objects of a list a call holds: one at least.
func fits(list []seen) int {
	bytes := 0
	for i, s := range list {
		if bytes += proto.Size(s.ObjectChange); i == batchObjects || bytes > batchBytes && i > 0 {
			return i
		}
	}
	return len(list)
}

// done forgets what was acknowledged.
func (s *spool) done(batch []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool { return slices.Contains(batch, e) })
}
