package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// event is a server-sent event.
type event struct{ name, id, data string }

// reader reads the events of one connection.
type reader struct {
	lines *bufio.Scanner
	close context.CancelFunc
	code  int
}

// hang is how long a stream may live before a test takes it for hanging: no test needs a fraction of it, on a busy machine either.
const hang = 3 * time.Minute

// listen opens a stream as a browser does; last is the Last-Event-ID, empty on the first connection.
func listen(t *testing.T, address, last string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode == http.StatusOK && res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("content type %q", res.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 16<<20)
	return &reader{lines: lines, close: cancel, code: res.StatusCode}
}

// next returns the next event; ok is false at the end of the stream.
func (r *reader) next() (e event, ok bool) {
	for r.lines.Scan() {
		key, value, _ := strings.Cut(r.lines.Text(), ": ")
		switch key {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, true
			}
			e = event{} // after a comment or a retry
		}
	}
	return event{}, false
}

// await returns the next event of a name.
func (r *reader) await(t *testing.T, name string) event {
	t.Helper()
	for {
		e, ok := r.next()
		if !ok {
			t.Fatalf("the stream ended before an event %q", name)
		}
		if e.name == name {
			return e
		}
	}
}

// screen is what a browser shows of the events it got.
type screen struct {
	rows []string
	open bool
	last string
}

func (s *screen) take(t *testing.T, e event) {
	t.Helper()
	if e.id != "" {
		s.last = e.id
	}
	if e.name != "lines" {
		return
	}
	var data struct {
		Rows []any `json:"l"`
		Open bool  `json:"o"`
	}
	if err := json.Unmarshal([]byte(e.data), &data); err != nil {
		t.Fatal(err)
	}
	if s.open {
		s.rows = s.rows[:len(s.rows)-1]
	}
	for _, r := range data.Rows {
		s.rows = append(s.rows, fmt.Sprint(r))
	}
	s.open = data.Open
}

// follow reads until the log is complete and returns whether it was.
func (s *screen) follow(t *testing.T, r *reader) bool {
	t.Helper()
	for {
		e, ok := r.next()
		if !ok {
			return false
		}
		s.take(t, e)
		if e.name == "complete" {
			return true
		}
	}
}

// world returns an organization with one execution that runs and has no log yet.
func runningWorld() (*viewfake.World, execution.AttemptID) {
	w := viewfake.Sample()
	id := viewfake.ID("fresh attempt")
	w.Put(execution.Execution{
		ID: viewfake.ExecutionID("fresh"), Workflow: "fresh", Status: execution.Running, CreatedAt: viewfake.Now(), StartedAt: viewfake.Now(),
		Runs: []execution.Run{{Environment: "staging-eu", Status: execution.Running, Attempts: []execution.Attempt{{
			ID: id, Status: execution.Running, Steps: []execution.Step{{Index: 0, Name: "test", Status: execution.Running, StartedAt: viewfake.Now()}},
		}}}},
	})
	return w, id
}

func TestLogEvents(t *testing.T) {
	t.Parallel()
	w, id := runningWorld()
	s := setup(t, w)
	r := listen(t, s.serve(t)+at("fresh")+"/log/0/events", "")
	if e := r.await(t, "status"); !strings.Contains(e.data, `"status":"running"`) || !strings.Contains(e.data, "fresh is running") {
		t.Errorf("the state comes first: %+v", e)
	}
	w.Write(id, 0, "one\ntw", false)
	if diff := cmp.Diff(event{"lines", "4", `{"l":["one","tw"],"o":true}`}, r.await(t, "lines"), cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("the id is where the open line begins (-want +got):\n%s", diff)
	}
	w.Write(id, 0, "o\n\x1b[31mred\x1b[0m \n", false)
	if diff := cmp.Diff(event{"lines", "22", `{"l":["two",[["red","f2"]," "]]}`}, r.await(t, "lines"), cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.Lose(id, 0, 100)
	w.Write(id, 0, "after\n", true)
	if diff := cmp.Diff(`{"l":[{"g":"100 bytes of the log are missing here."}]}`, r.await(t, "lines").data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e := r.await(t, "lines"); e.data != `{"l":["after"]}` || e.id != "128" {
		t.Errorf("after the gap: %+v", e)
	}
	r.await(t, "complete")
	if _, ok := r.next(); ok {
		t.Error("the stream goes on after its end")
	}
}

// TestLogEvents_Resume cuts the connection after every event and goes on as a browser does: nothing is lost, nothing comes twice.
func TestLogEvents_Resume(t *testing.T) {
	t.Parallel()
	w, id := runningWorld()
	s := setup(t, w)
	base := s.serve(t) + at("fresh") + "/log/0/events"
	var want []string
	for i := range 40000 {
		want = append(want, "line "+strconv.Itoa(i))
	}
	text := strings.Join(want, "\n")
	half := len(text)/2 + 3 // within a line
	w.Write(id, 0, text[:half], false)
	var got screen
	for cuts := 0; ; cuts++ {
		r := listen(t, base, got.last)
		e := r.await(t, "lines")
		got.take(t, e)
		r.close()
		if cuts == 2 {
			w.Write(id, 0, text[half:], true)
		}
		if cuts > 5 {
			break
		}
	}
	if !got.follow(t, listen(t, base, got.last)) {
		t.Fatal("no event says that the log is complete")
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Errorf("(-want +got):\n%.2000s", diff)
	}
}

func TestLogEvents_From(t *testing.T) {
	t.Parallel()
	w, id := runningWorld()
	w.Write(id, 0, "one\ntwo\nthree\n", true)
	base := setup(t, w).serve(t) + at("fresh") + "/log/0/events?from=4"
	if e := listen(t, base, "").await(t, "lines"); e.data != `{"l":["two","three"]}` {
		t.Errorf("from the address: %+v", e)
	}
	if e := listen(t, base, "8").await(t, "lines"); e.data != `{"l":["three"]}` {
		t.Errorf("the last event wins over the address: %+v", e)
	}
	if e := listen(t, base, "-8").await(t, "lines"); e.data != `{"l":["two","three"]}` {
		t.Errorf("an id that is none says nothing: %+v", e)
	}
}

// TestLogEvents_Window proves that a reader who shows the newest lines only is not sent millions of others.
func TestLogEvents_Window(t *testing.T) {
	t.Parallel()
	w, id := runningWorld()
	long := strings.Repeat(".", 300)
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "this is line %d of the log%s\n", i, long)
	}
	w.Write(id, 0, text.String(), true)
	e, err := w.Execution(member(t, setup(t, w)), viewfake.ExecutionID("fresh"))
	if err != nil {
		t.Fatal(err)
	}
	e.Runs[0].Attempts[0].Steps[0].Log = execution.Log{Bytes: int64(text.Len()), Lines: 20000}
	base := setup(t, w).serve(t) + at("fresh") + "/log/0/events"
	var all screen
	if !all.follow(t, listen(t, base, "")) || len(all.rows) != 20000 {
		t.Errorf("without a window %d lines came", len(all.rows))
	}
	r := listen(t, base+"?window=1", "")
	skip := r.await(t, "skip")
	if skip.data != `{"line":19001}` {
		t.Errorf("skip says %+v", skip)
	}
	var rest screen
	if !rest.follow(t, r) || len(rest.rows) != 1000 || !strings.HasPrefix(rest.rows[0], "this is line 19000 of the log.") {
		t.Errorf("after the skip came %d lines, the first %.40q", len(rest.rows), rest.rows[:min(1, len(rest.rows))])
	}
}

func TestExecutionEvents(t *testing.T) {
	t.Parallel()
	w, _ := runningWorld()
	s := setup(t, w)
	r := listen(t, s.serve(t)+at("fresh")+"/events", "")
	first := r.await(t, "status")
	e, err := w.Execution(member(t, s), viewfake.ExecutionID("fresh"))
	if err != nil {
		t.Fatal(err)
	}
	page := s.get(t, at("fresh"))
	var state struct{ Version string }
	if err := json.Unmarshal([]byte(first.data), &state); err != nil || !strings.Contains(page.body, `data-version="`+state.Version+`"`) {
		t.Errorf("the page must know the version %q that the event tells", state.Version)
	}
	e.Status, e.FinishedAt = execution.Failed, viewfake.Now()
	w.Put(e)
	if got := r.await(t, "status"); !strings.Contains(got.data, `"status":"failed"`) || got.data == first.data {
		t.Errorf("after the change: %+v", got)
	}
	a := e.Runs[0].Attempts[0]
	a.Delivered = true
	e.Runs = []execution.Run{{Environment: "staging-eu", Attempts: []execution.Attempt{a}}}
	w.Put(e)
	r.await(t, "complete")
}

// TestEvents_LogOfADeadStep proves that a log that never completes ends with its execution.
func TestEvents_LogOfADeadStep(t *testing.T) {
	t.Parallel()
	w, id := runningWorld()
	w.Write(id, 0, "last words", false)
	s := setup(t, w)
	e, err := w.Execution(member(t, s), viewfake.ExecutionID("fresh"))
	if err != nil {
		t.Fatal(err)
	}
	e.Status, e.FinishedAt = execution.Errored, viewfake.Now().Add(-time.Hour)
	w.Put(e)
	var got screen
	if !got.follow(t, listen(t, s.serve(t)+at("fresh")+"/log/0/events", "")) || len(got.rows) != 1 || got.rows[0] != "last words" {
		t.Errorf("got %q", got.rows)
	}
}

func TestEvents_End(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"Log": "/log/0/events", "Execution": "/events"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := runningWorld()
			s := setup(t, w)
			base := s.serve(t) + at("fresh") + path
			gone := listen(t, base, "")
			gone.await(t, "status")
			gone.close()
			r := listen(t, base, "")
			r.await(t, "status")
			s.stop()
			if e, ok := r.next(); ok {
				t.Errorf("after the program began to stop came %+v", e)
			}
			s.server.Close() // waits until both streams have ended
			if n := w.Listeners(); n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
		})
	}
}

// deaf is a world whose hints get lost.
type deaf struct{}

func (deaf) Subscribe(context.Context, ...string) (<-chan struct{}, func()) {
	return make(chan struct{}), func() {}
}

// TestLogEvents_LostHint proves that a stream looks by itself: a hint may be lost.
func TestLogEvents_LostHint(t *testing.T) {
	t.Parallel()
	w, id := runningWorld()
	o := options(w, "")
	o.Events, o.Safety, o.Lifetime = deaf{}, 10*time.Millisecond, 20*time.Second
	handler, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := setup(t, w)
	s.handler = handler
	r := listen(t, s.serve(t)+at("fresh")+"/log/0/events", "")
	r.await(t, "status")
	w.Write(id, 0, "one\n", false)
	if e, ok := r.next(); !ok || e.name != "lines" {
		t.Errorf("%+v, %t: the state has not changed, so it is not sent again", e, ok)
	}
	w.Put(execution.Execution{
		ID: viewfake.ExecutionID("fresh"), Workflow: "fresh", Status: execution.Paused, CreatedAt: viewfake.Now(), StartedAt: viewfake.Now(),
	})
	if got := r.await(t, "status"); !strings.Contains(got.data, "paused") {
		t.Errorf("%+v", got)
	}
}

// TestEvents_Heartbeat proves that a silent stream says that it lives.
func TestEvents_Heartbeat(t *testing.T) {
	t.Parallel()
	w, _ := runningWorld()
	r := listen(t, setup(t, w).serve(t)+at("fresh")+"/events", "")
	for range 3 {
		for r.lines.Scan() && r.lines.Text() != ": here" {
		}
	}
	if r.lines.Err() != nil {
		t.Error(r.lines.Err())
	}
}
