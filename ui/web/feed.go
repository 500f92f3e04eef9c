package web

import (
	"context"

	"github.com/seatrial/seatrial/ui/web/logview"
)

const (
	// feedSize is how much of a log one event carries: small enough to be shown at once.
	feedSize = 64 << 10
	// turn is how many events are sent before other news get a chance.
	turn = 32
	// patience is how many bytes a reader that shows a window is sent before it is asked whether it is far behind.
	patience = 2 << 20
	// behind is how far from the end a reader that shows a window need not be sent what lies between.
	behind = 1 << 20
	// kept is how many lines such a reader gets after a skip.
	kept = 1000
)

// logFeed sends a log from an offset on.
type logFeed struct {
	site   *site
	stream *stream
	place  place
	lines  *logview.Lines
	window bool  // the reader shows the newest lines only
	sent   int64 // bytes since the reader was last at the end
}

func newLogFeed(s *site, st *stream, at place, offset int64, window bool) *logFeed {
	return &logFeed{site: s, stream: st, place: at, lines: logview.From(offset), window: window}
}

// progress is what came of sending.
type progress int

const (
	allSent     progress = iota // everything that is stored was sent
	moreToSend                  // there is more to send
	logComplete                 // nothing follows, now or later
	feedBroken                  // the reader or the store has gone
)

// drain sends some of what is stored.
func (l *logFeed) drain(ctx context.Context) progress {
	of := l.place.of
	for range turn {
		p, err := l.site.Logs.ReadLog(ctx, of.Attempt, of.Stream, l.lines.Next(), feedSize)
		if err != nil {
			if ctx.Err() == nil {
				l.site.Log.ErrorContext(ctx, "log stream cut short", "attempt", of.Attempt, "stream", of.Stream, "error", err)
			}
			return feedBroken
		}
		nothing := p.Next == l.lines.Next()
		if !nothing && l.send(l.lines.Add(p)) != nil {
			return feedBroken
		}
		switch {
		case p.Complete:
			return logComplete
		case nothing:
			l.sent = 0
			return allSent
		}
		if l.sent += int64(len(p.Data)); l.window && l.sent > patience && l.skip(ctx) != nil {
			return feedBroken
		}
	}
	return moreToSend
}

// finish sends the rest of a log to which nothing will be added, and reports whether all of it went out.
func (l *logFeed) finish(ctx context.Context) bool {
	for {
		switch l.drain(ctx) {
		case moreToSend:
		case feedBroken:
			return false
		case allSent, logComplete:
			return true
		}
	}
}

// send writes one event. Its id is the offset where the next one begins, so that a reader who is cut off goes on without loss;
// a row that has not ended goes along and is sent again by the next event, longer.
func (l *logFeed) send(rows []logview.Row) error {
	event := linesEvent{Rows: make([]any, 0, len(rows)+1)}
	for _, r := range rows {
		event.Rows = append(event.Rows, wireRow(r))
	}
	if row, ok := l.lines.Open(); ok {
		event.Rows, event.Open = append(event.Rows, wireRow(row)), true
	}
	return l.stream.send("lines", l.lines.Offset(), event)
}

// skip goes on near the end when the reader is far from it.
func (l *logFeed) skip(ctx context.Context) error {
	l.sent = 0
	e, err := l.site.History.Execution(ctx, l.place.execution.ID)
	if err != nil {
		return err
	}
	a, ok := attempt(e, l.place.attempt.ID)
	if !ok {
		return nil
	}
	of, ok := origin(a, l.place.of.Stream)
	if !ok || of.Log.Bytes+of.Log.GapBytes-l.lines.Next() < behind {
		return nil
	}
	offset, at, err := l.site.Logs.SeekLine(ctx, of.Attempt, of.Stream, of.Log.Lines-kept)
	if err != nil || offset <= l.lines.Next() {
		return err
	}
	l.lines = logview.From(offset)
	return l.stream.send("skip", offset, map[string]int64{"line": at + 1})
}
