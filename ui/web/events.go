package web

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

// stateEvent is what a status event carries.
type stateEvent struct {
	Status   string `json:"status"`
	Sentence string `json:"sentence"`
	Version  string `json:"version"` // differs when anything that the page shows does
}

// version identifies the state of an execution or a release.
func version(state any) string {
	raw, err := json.Marshal(state)
	if err != nil {
		return ""
	}
	h := fnv.New64a()
	_, _ = h.Write(raw)
	return strconv.FormatUint(h.Sum64(), 36)
}

// eventsPath is the address of the events of a log, from where its window ends.
func eventsPath(l *pages.ShownLog) string {
	path, query, _ := strings.Cut(l.Path, "?")
	if query != "" {
		query += "&"
	}
	return path + "/events?" + query + "window=1&from=" + strconv.FormatInt(l.Box.Window.Next, 10)
}

// executionEvents tells of every change of an execution until nothing changes any more.
func (s *site) executionEvents(w http.ResponseWriter, r *http.Request, m view.Member) error {
	e, err := s.find(r)
	if err != nil {
		return err
	}
	wake, cancel := s.Events.Subscribe(r.Context(), execution.Topic(m.Viewer.Organization, e.ID))
	defer cancel()
	st, err := s.startStream(w)
	if err != nil {
		return nil // the browser went away
	}
	f := &follower{site: s, stream: st, see: s.lookAt(e.ID)}
	f.follow(r.Context(), wake, nil)
	return nil
}

// lookAt returns how to see an execution as it is now.
func (s *site) lookAt(id execution.ID) looking {
	return func(ctx context.Context) (now stateEvent, over bool, err error) {
		e, err := s.History.Execution(ctx, id)
		if err != nil {
			return now, true, err
		}
		return stateEvent{Status: string(e.Status), Sentence: words.Verdict(e), Version: version(e)}, pages.Over(e, s.Now()), nil
	}
}

// releaseEvents tells of every change of a release. It has no end: a waiver may expire, and evidence grow old, at any time.
func (s *site) releaseEvents(w http.ResponseWriter, r *http.Request, m view.Member) error {
	found, err := s.findRelease(r)
	if err != nil {
		return err
	}
	wake, cancel := s.Events.Subscribe(r.Context(), release.Topic(m.Viewer.Organization, found.ID))
	defer cancel()
	st, err := s.startStream(w)
	if err != nil {
		return nil // the browser went away
	}
	look := func(ctx context.Context) (now stateEvent, over bool, err error) {
		found, err := s.Releases.Get(ctx, found.Application, found.Version)
		return stateEvent{Status: string(found.State), Sentence: words.Release(found), Version: releaseVersion(found)}, false, err
	}
	f := &follower{site: s, stream: st, see: look}
	f.follow(r.Context(), wake, nil)
	return nil
}

// logEvents sends a log as it grows, from the offset that the browser has reached, and changes of the execution's state.
func (s *site) logEvents(w http.ResponseWriter, r *http.Request, m view.Member) error {
	at, err := s.locate(r)
	if err != nil {
		return err
	}
	changes, stopChanges := s.Events.Subscribe(r.Context(), execution.Topic(m.Viewer.Organization, at.execution.ID))
	defer stopChanges()
	growth, stopGrowth := s.Events.Subscribe(r.Context(), execution.LogTopic(m.Viewer.Organization, at.of.Attempt, at.of.Stream))
	defer stopGrowth()
	st, err := s.startStream(w)
	if err != nil {
		return nil // the browser went away
	}
	l := newLogFeed(s, st, at, offset(r), r.URL.Query().Has("window"))
	f := &follower{site: s, stream: st, see: s.lookAt(at.execution.ID), log: l}
	f.follow(r.Context(), changes, growth)
	return nil
}

// offset returns where the browser stands: the id of the last event it has seen, else what the address says.
func offset(r *http.Request) int64 {
	for _, s := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("from")} {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return 0
}

// looking sees the state that is followed, and whether it changes no more.
type looking func(ctx context.Context) (now stateEvent, over bool, err error)

// follower sends events until there is nothing more to tell, the reader has gone, or the program stops.
type follower struct {
	*site
	stream *stream
	see    looking
	log    *logFeed // nil when only the state is followed
	told   string   // version of the state that was sent last
}

// settle is the least time between two looks at a log: many small chunks become one event.
const settle = 100 * time.Millisecond

// follow runs the stream. Its life is bounded, so that a session that was revoked ends its streams too.
func (f *follower) follow(ctx context.Context, changes, growth <-chan struct{}) {
	beat := time.NewTicker(f.Heartbeat)
	defer beat.Stop()
	end := time.NewTimer(f.Lifetime)
	defer end.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	armed := f.log != nil
	if !armed {
		due.Stop()
	}
	safety := time.NewTicker(f.Safety)
	defer safety.Stop()
	var looked time.Time // at the log
	look := func() {
		if f.log != nil && !armed {
			armed = true
			due.Reset(settle - time.Since(looked)) // at once, unless the last look was just now
		}
	}
	over := f.change(ctx)
	for !over {
		select {
		case <-ctx.Done():
			return
		case <-f.Draining:
			return
		case <-end.C:
			return
		case <-beat.C:
			over = f.stream.beat() != nil
		case _, ok := <-changes:
			over = !ok || f.change(ctx)
		case _, ok := <-growth:
			over = !ok
			look()
		case <-safety.C:
			over = f.change(ctx)
			look()
		case <-due.C:
			armed, looked = false, time.Now()
			switch f.log.drain(ctx) {
			case moreToSend:
				armed = true
				due.Reset(0)
			case logComplete:
				_ = f.stream.send("complete", f.log.lines.Offset(), struct{}{})
				return
			case feedBroken:
				return
			case allSent:
			}
		}
	}
}

// change sends the state and reports whether the stream is over.
func (f *follower) change(ctx context.Context) bool {
	now, ended, err := f.see(ctx)
	if err != nil {
		return true // the browser connects again and sees the error as a page
	}
	if now.Version == "" || now.Version != f.told {
		if err := f.stream.send("status", -1, now); err != nil {
			return true
		}
		f.told = now.Version
	}
	if !ended {
		return false
	}
	if f.log != nil && !f.log.finish(ctx) {
		return true
	}
	_ = f.stream.send("complete", -1, struct{}{})
	return true
}
