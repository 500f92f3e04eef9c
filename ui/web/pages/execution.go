package pages

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// ExecutionProps are what the page of an execution shows.
type ExecutionProps struct {
	Frame     parts.Frame
	Execution execution.Execution
	Failure   *Failure
	Log       *ShownLog
	Tests     []execution.TestResult
	TestsNext string         // address of the next page of tests
	Alike     map[string]int // how many tests failed of late, by fingerprint
	Files     []execution.File
	Used      []Used // by steps
	UsedMore  int    // steps that are not among them
	Events    string // address of the events; empty when nothing changes any more
	Version   string // of the state that the page shows
	MaySteer  bool   // the viewer may cancel, resume and run again
	Key       string // of the form that runs it again: it starts nothing twice
}

// Failure is the first thing that went wrong: a test, or a step with the end of its log.
type Failure struct {
	Run     string // of a step; empty for a run alone
	Test    *execution.TestResult
	Step    execution.Step
	LogPath string
	Excerpt logview.Window
}

// Whole reports whether the excerpt is all of the log.
func (f Failure) Whole() bool {
	return len(f.Excerpt.Rows) > 0 && f.Excerpt.First == 0 && f.Excerpt.Tail
}

// ShownLog is the log that a page shows.
type ShownLog struct {
	Run  string // what sets it apart; empty for a run alone
	Of   Origin
	Key  string // changes when another log takes the place of this one
	Path string
	Box  parts.LogProps
}

// LogPageProps are what the page of a log shows.
type LogPageProps struct {
	Frame     parts.Frame
	Execution execution.Execution
	Origins   []Origin // all logs of the attempt
	Query     string   // of the attempt, in addresses; empty for the newest one
	Log       ShownLog
	Size      int // lines on a page
	Events    string
	Version   string
	Search    LogSearch
}

// Over reports whether nothing about an execution changes any more. What was not delivered some minutes after the end is not
// waited for.
func Over(e execution.Execution, now time.Time) bool {
	if !e.Status.Terminal() {
		return false
	}
	late := now.Sub(e.FinishedAt) > 10*time.Minute
	return late || !slices.ContainsFunc(words.Attempts(e), func(a execution.Attempt) bool { return !a.Delivered })
}

// LogPath is the address of a log. Attempts other than the default are named in the query.
func LogPath(f parts.Frame, e execution.Execution, at execution.AttemptID, stream string) string {
	p := streamPath(f, e.ID, stream)
	if first := words.Attempts(e); len(first) > 0 && first[0].ID != at {
		p += "?attempt=" + at.String()
	}
	return p
}

// streamPath is the address of a log of the default attempt.
func streamPath(f parts.Frame, id execution.ID, stream string) string {
	if service, ok := execution.StreamService(stream); ok {
		return executionPath(f, id) + "/service-log/" + service
	}
	index, _ := execution.StreamIndex(stream)
	return executionPath(f, id) + "/log/" + strconv.Itoa(index)
}

// LineBase is the address of a log up to the number of a line.
func LineBase(logPath string) string {
	if strings.Contains(logPath, "?") {
		return logPath + "&l="
	}
	return logPath + "?l="
}

// OwnLines is the same as seen from the page of the log itself, whose thousands of lines say it each.
func OwnLines(logPath string) string {
	_, query, found := strings.Cut(LineBase(logPath), "?")
	if !found {
		return LineBase(logPath)
	}
	return "?" + query
}

// linePath is the address of a line, from 1.
func linePath(logPath string, line int64) string {
	n := strconv.FormatInt(line, 10)
	return LineBase(logPath) + n + "#L" + n
}

// filePath is the address of a file; its name stands last, so that a download is called by it.
func filePath(f parts.Frame, e execution.Execution, file execution.File) string {
	name := path.Base(file.Path)
	if name == "." || name == ".." || name == "/" {
		name = "file"
	}
	return executionPath(f, e.ID) + "/files/" + file.ID.String() + "/" + url.PathEscape(name)
}

// stored says how large a compressed file is in the store.
func stored(f execution.File) templ.Attributes {
	if f.Encoding == "" {
		return nil
	}
	return templ.Attributes{"title": words.Size(f.StoredSize) + " in the store"}
}

// kindOf returns the files of a kind.
func kindOf(list []execution.File, k execution.FileKind) []execution.File {
	return slices.DeleteFunc(slices.Clone(list), func(f execution.File) bool { return f.Kind != k })
}

// pictures returns the artifacts that can be shown as they are.
func pictures(list []execution.File) []execution.File {
	return slices.DeleteFunc(kindOf(list, execution.FileArtifact), func(f execution.File) bool { return !Picture(f.ContentType) || f.Size > 8<<20 })
}

// Picture reports the types that a browser shows as a picture and never runs.
func Picture(contentType string) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, contentType)
}

// byOutcome parts the tests that passed from the others, and those that count no more from both; all keep their order.
func byOutcome(list []execution.TestResult) (bad, good, old []execution.TestResult) {
	for _, t := range list {
		switch {
		case t.Superseded:
			old = append(old, t)
		case t.Outcome == "passed":
			good = append(good, t)
		default:
			bad = append(bad, t)
		}
	}
	return bad, good, old
}

// logText says how much has been written and what is special about it.
func logText(o Origin) string {
	l := o.Log
	if l.Bytes == 0 && l.GapBytes == 0 {
		if l.Complete || o.Over {
			return "no output"
		}
		return "no output yet"
	}
	said := words.Count(l.Lines, "line") + ", " + words.Size(l.Bytes)
	if l.GapBytes > 0 {
		said += ", " + words.Size(l.GapBytes) + " missing"
	}
	return said
}

// exit returns an exit code as text.
func exit(s execution.Step) string {
	if s.ExitCode == nil {
		return "–"
	}
	return strconv.Itoa(*s.ExitCode)
}

// span is a bar on a time line of 1000 units.
type span struct{ x, width string }

// lineUp places a step on the time line of its attempt; ok is false when it has not begun.
func lineUp(a execution.Attempt, s execution.Step, now time.Time) (span, bool) {
	if s.StartedAt.IsZero() {
		return span{}, false
	}
	from, to := s.StartedAt, end(a.FinishedAt, now)
	for _, o := range a.Steps {
		if !o.StartedAt.IsZero() && o.StartedAt.Before(from) {
			from = o.StartedAt
		}
	}
	whole := max(to.Sub(from), time.Millisecond)
	x := int(s.StartedAt.Sub(from) * 1000 / whole)
	width := int(end(s.FinishedAt, now).Sub(s.StartedAt) * 1000 / whole)
	x = min(max(x, 0), 994)
	return span{strconv.Itoa(x), strconv.Itoa(min(max(width, 6), 1000-x))}, true
}

func end(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t
}

func logKey(l *ShownLog) string {
	if l == nil {
		return ""
	}
	return l.Key
}

// or returns s, or what stands for nothing.
func or(s, nothing string) string {
	if s == "" {
		return nothing
	}
	return s
}

// counts says the results of an execution.
func counts(c execution.Counts) string {
	said := []string{words.Count(int64(c.Total), "test")}
	for _, p := range []struct {
		n    int
		word string
	}{{c.Failed, "failed"}, {c.Errored, "errored"}, {c.Skipped, "skipped"}, {c.Passed, "passed"}} {
		if p.n > 0 {
			said = append(said, words.Number(int64(p.n))+" "+p.word)
		}
	}
	return strings.Join(said, " · ")
}
