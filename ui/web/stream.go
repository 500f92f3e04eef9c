package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/ui/web/ansi"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/parts"
)

const (
	eventStream = "text/event-stream"
	// slowest is how long one write may take before the reader counts as gone.
	slowest = 30 * time.Second
)

// stream writes server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

// startStream sends the head of an event stream.
func (s *site) startStream(w http.ResponseWriter) (*stream, error) {
	h := w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no") // proxies must not hold events back
	st := &stream{w: w, control: http.NewResponseController(w), now: s.Now}
	return st, st.write("retry: 2000\n\n")
}

// send writes one event. An id of less than zero is none.
func (st *stream) send(event string, id int64, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	text := "event: " + event + "\n"
	if id >= 0 {
		text += "id: " + strconv.FormatInt(id, 10) + "\n"
	}
	return st.write(text + "data: " + string(raw) + "\n\n")
}

// beat tells proxies and the browser that the connection lives.
func (st *stream) beat() error { return st.write(": here\n\n") }

func (st *stream) write(text string) error {
	// Not every writer knows deadlines; one that does not needs none.
	_ = st.control.SetWriteDeadline(time.Now().Add(slowest))
	if _, err := st.w.Write([]byte(text)); err != nil {
		return err
	}
	return st.control.Flush()
}

// linesEvent is what a lines event carries. Each row is a text, a list of runs, or an object for what is neither.
type linesEvent struct {
	Rows []any `json:"l"`
	Open bool  `json:"o,omitempty"` // the last row will be sent again, longer
}

type specialRow struct {
	Runs []any  `json:"r,omitempty"`
	Cut  string `json:"c,omitempty"`
	Gap  string `json:"g,omitempty"`
}

// wireRow encodes a row as text and classes. No markup is sent: the browser makes none of what it gets.
func wireRow(r logview.Row) any {
	switch {
	case r.Gap > 0:
		return specialRow{Gap: parts.GapText(r.Gap)}
	case r.Cut:
		return specialRow{Runs: wireRuns(r.Runs), Cut: parts.CutText}
	case len(r.Runs) == 0:
		return ""
	case len(r.Runs) == 1 && r.Runs[0].Class == "" && r.Runs[0].Link == "":
		return r.Runs[0].Text
	}
	return wireRuns(r.Runs)
}

func wireRuns(runs []ansi.Run) []any {
	out := make([]any, 0, len(runs))
	for _, r := range runs {
		switch {
		case r.Link != "":
			out = append(out, []string{r.Text, r.Class, r.Link})
		case r.Class != "":
			out = append(out, []string{r.Text, r.Class})
		default:
			out = append(out, r.Text)
		}
	}
	return out
}
