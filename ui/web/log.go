package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

const (
	// windowSize is how many lines the page of a log shows at most.
	windowSize = 2000
	// windowBytes is how much HTML they may be: a page has at most 200 KiB, and the lines are not all of it.
	windowBytes = 176 << 10
)

// place is a log of an execution as an address names it.
type place struct {
	execution execution.Execution
	attempt   execution.Attempt
	of        pages.Origin
	query     string // of the attempt; empty for the default one
}

// locate finds the step or service in the address, in the attempt that the query names or else in the newest one of the first run. The
// attempt must be the execution's own.
func (s *site) locate(r *http.Request) (place, error) {
	e, err := s.find(r)
	if err != nil {
		return place{}, err
	}
	p := place{execution: e, query: r.URL.Query().Get("attempt")}
	found := false
	if p.query == "" {
		if first := words.Attempts(e); len(first) > 0 {
			p.attempt, found = first[0], true
		}
	} else if id, err := uuid.Parse(p.query); err == nil {
		p.query = id.String()
		p.attempt, found = attempt(e, id)
	}
	if found {
		p.of, found = origin(p.attempt, streamIn(r))
	}
	if !found {
		return place{}, notFound()
	}
	return p, nil
}

// streamIn returns the name of the log in the address, which is empty for one that cannot be.
func streamIn(r *http.Request) string {
	if service := r.PathValue("service"); service != "" {
		return execution.ServiceStream(service)
	}
	index, err := strconv.Atoi(r.PathValue("step"))
	if err != nil {
		return ""
	}
	return execution.Stream(index)
}

// origin finds what wrote a log.
func origin(a execution.Attempt, stream string) (pages.Origin, bool) {
	all := pages.Origins(a)
	i := slices.IndexFunc(all, func(o pages.Origin) bool { return o.Stream == stream })
	if i < 0 {
		return pages.Origin{}, false
	}
	return all[i], true
}

func attempt(e execution.Execution, id execution.AttemptID) (execution.Attempt, bool) {
	for _, run := range e.Runs {
		for _, a := range run.Attempts {
			if a.ID == id {
				return a, true
			}
		}
	}
	return execution.Attempt{}, false
}

func (s *site) logPage(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	at, err := s.locate(r)
	if err != nil {
		return err
	}
	over := pages.Over(at.execution, s.Now())
	marked := lineRange(r.URL.Query().Get("l"))
	found, err := s.searchLog(r, at)
	if err != nil {
		return err
	}
	if hits := found.Found.Hits; marked.From == 0 && len(hits) > 0 {
		marked = parts.Marked{From: hits[0].Line + 1, To: hits[0].Line + 1}
	}
	window, err := readWindow(r.Context(), s.Logs, at, marked, over, windowBytes-found.Size())
	if err != nil {
		return err
	}
	f := s.frame(r, "Log of "+at.execution.Workflow+", "+at.of.Name, parts.Executions)
	// A window that ends before the end of the log does not follow it: the lines between would be missing.
	log := shownLog(f, at.execution, at.of, window, !over && window.Tail)
	log.Box.Marked, log.Box.Tall, log.Box.Base = marked, true, pages.OwnLines(log.Path)
	p := pages.LogPageProps{
		Frame: f, Execution: at.execution, Origins: pages.Origins(at.attempt), Query: at.query, Log: *log, Size: windowSize,
		Version: version(at.execution), Search: found,
	}
	if log.Box.Live {
		p.Events, p.Frame.Refresh = eventsPath(log), marked.From == 0 && !found.Asked()
	}
	status := http.StatusOK
	if found.Wrong.Message != "" {
		status = http.StatusUnprocessableEntity
	}
	return render(r.Context(), w, status, pages.Log, p)
}

// searchLog looks for what the address asks for. What cannot be searched for is said on the page.
func (s *site) searchLog(r *http.Request, at place) (out pages.LogSearch, err error) {
	q := r.URL.Query()
	out.Query = logview.Query{Text: q.Get("q"), Regexp: q.Get("re") == "1"}
	if out.Query.Text == "" {
		return out, nil
	}
	out.From = max(lineRange(q.Get("from")).From-1, 0)
	if out.Query, err = out.Query.Compile(); err == nil {
		out.Found, err = logview.Search(r.Context(), s.Logs, at.of.Source(), out.Query, out.From, s.Now)
	}
	if wrong, ok := correctable(err); ok && wrong.Field == "q" {
		out.Wrong = wrong
		return out, nil
	}
	return out, err
}

// readWindow returns the part of a log that its page shows, of at most so many bytes of HTML.
func readWindow(ctx context.Context, logs view.Logs, at place, marked parts.Marked, over bool, limit int) (logview.Window, error) {
	first := firstLine(marked, at.of, over)
	window, err := logview.Read(ctx, logs, at.of.Source(), first, windowSize)
	if err != nil {
		return logview.Window{}, err
	}
	about := first
	switch {
	case marked.From > 0:
		about = marked.From - 1
	case readFromEnd(at.of, over):
		about = window.NextLine
	}
	base := ""
	if at.query != "" {
		base = "?attempt=" + at.query
	}
	base = pages.OwnLines(base)
	digits := len(strconv.FormatInt(window.NextLine+1, 10))
	return window.Within(limit, about, func(r logview.Row) int { return parts.RowSize(base, digits, r) }), nil
}

// firstLine returns where a window begins, from 0: around the line that was asked for, at the end of a log that grows or explains
// a failure, else at the beginning.
func firstLine(marked parts.Marked, of pages.Origin, over bool) int64 {
	tail := of.Log.Lines - windowSize + windowSize/10
	switch {
	case marked.From > 0:
		return max(min(marked.From, of.Log.Lines)-windowSize/2, 0)
	case readFromEnd(of, over):
		return max(tail, 0)
	}
	return 0
}

// readFromEnd reports whether a log grows or explains a failure.
func readFromEnd(of pages.Origin, over bool) bool { return !over && !of.Log.Complete || of.Bad }

// lineRange parses a line or a range of lines, such as "12" or "12-16". Anything else is none.
func lineRange(s string) parts.Marked {
	first, last, isRange := strings.Cut(s, "-")
	from, err := strconv.ParseInt(first, 10, 48)
	if err != nil || from < 1 {
		return parts.Marked{}
	}
	to := from
	if isRange {
		if to, err = strconv.ParseInt(last, 10, 48); err != nil || to < from {
			return parts.Marked{}
		}
	}
	return parts.Marked{From: from, To: to}
}

// rawLog sends what is stored of a log, byte for byte; a gap is a line of its own.
func (s *site) rawLog(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	at, err := s.locate(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("Content-Disposition", `inline; filename="`+strings.ReplaceAll(at.of.Stream, "/", "-")+`.log"`)
	started := false
	for offset := int64(0); ; {
		p, err := s.Logs.ReadLog(r.Context(), at.of.Attempt, at.of.Stream, offset, logview.PieceSize)
		switch {
		case err != nil && !started:
			return err
		case err != nil:
			s.Log.ErrorContext(r.Context(), "raw log cut short", "attempt", at.of.Attempt, "stream", at.of.Stream, "offset", offset, "error", err)
			panic(http.ErrAbortHandler) //nolint:forbidigo // the server's own way to cut a connection: half a log must not look whole
		}
		started = true
		if p.Gap > 0 {
			p.Data = []byte("\n[" + parts.GapText(p.Gap) + "]\n")
		}
		if _, err := w.Write(p.Data); err != nil || p.Next == offset || p.Complete {
			return nil //nolint:nilerr // the browser went away
		}
		offset = p.Next
	}
}
