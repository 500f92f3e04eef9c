package summary

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"time"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Time     string   `xml:"time,attr"`
	Suites   []*suite `xml:"testsuite"`
}

type suite struct {
	Name       string     `xml:"name,attr"`
	Tests      int        `xml:"tests,attr"`
	Failures   int        `xml:"failures,attr"`
	Errors     int        `xml:"errors,attr"`
	Skipped    int        `xml:"skipped,attr"`
	Time       string     `xml:"time,attr"`
	Timestamp  string     `xml:"timestamp,attr,omitempty"`
	Properties []property `xml:"properties>property,omitempty"`
	Cases      []testcase `xml:"testcase"`

	took time.Duration
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testcase struct {
	Class   string    `xml:"classname,attr"`
	Name    string    `xml:"name,attr"`
	File    string    `xml:"file,attr,omitempty"`
	Time    string    `xml:"time,attr"`
	Failure *problem  `xml:"failure"`
	Error   *problem  `xml:"error"`
	Skipped *problem  `xml:"skipped"`
	Flaky   []problem `xml:"flakyFailure"`
}

type problem struct {
	Message string `xml:"message,attr,omitempty"`
	Type    string `xml:"type,attr,omitempty"`
	Detail  string `xml:",chardata"`
}

// junit writes the dialect that pipelines read: suites are those of the tools, for each run of the execution. What ended badly without a test
// that did is a case of its own, since a page that shows only tests would be green.
func junit(w io.Writer, e Execution) error {
	out := suites{Name: e.Record.GetWorkflow()}
	_, of := e.runs()
	byName := map[string]*suite{}
	in := func(name, of string) *suite {
		if of != "" {
			name = of + " › " + name
		}
		if byName[name] == nil {
			byName[name] = &suite{Name: name, Properties: e.properties()}
			if at := e.Record.GetStartedAt(); at != nil {
				byName[name].Timestamp = at.AsTime().Format("2006-01-02T15:04:05")
			}
			out.Suites = append(out.Suites, byName[name])
		}
		return byName[name]
	}
	for _, r := range e.counted() {
		name := r.GetSuite()
		if name == "" {
			name = e.Record.GetWorkflow()
		}
		in(name, of[r.GetAttemptId()]).add(caseOf(r, name), r.GetDuration().AsDuration())
	}
	for _, r := range e.unexplained() {
		in(e.Record.GetWorkflow(), r.name).add(testcase{
			Class: e.Record.GetWorkflow(), Name: "execution", Error: &problem{Message: r.why(), Type: word(r.status)},
		}, 0)
	}
	if len(out.Suites) == 0 { // pages call a file without a test broken
		in(e.Record.GetWorkflow(), "").add(testcase{Class: e.Record.GetWorkflow(), Name: "execution"}, 0)
	}
	var took time.Duration
	for _, s := range out.Suites {
		s.Time = seconds(s.took)
		took += s.took
		out.Tests, out.Failures, out.Errors, out.Skipped = out.Tests+s.Tests, out.Failures+s.Failures, out.Errors+s.Errors, out.Skipped+s.Skipped
	}
	out.Time = seconds(took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err //nolint:wrapcheck // of the caller's writer
}

func (e Execution) properties() []property {
	out := []property{{"seatrial.execution", e.Record.GetId()}, {"seatrial.status", word(e.Record.GetStatus())}}
	if e.URL != "" {
		out = append(out, property{"seatrial.url", e.URL})
	}
	return out
}

func (s *suite) add(c testcase, took time.Duration) {
	c.Time = seconds(took)
	s.took += took
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func caseOf(r *apiv1.TestResult, class string) testcase {
	c := testcase{Class: class, Name: r.GetName(), File: r.GetFile()}
	if r.GetVariant() != "" {
		c.Name += " [" + r.GetVariant() + "]"
	}
	p := &problem{Message: r.GetMessage(), Type: r.GetOutcome(), Detail: r.GetDetail()}
	switch r.GetOutcome() {
	case "passed":
		for _, earlier := range r.GetEarlier() {
			if bad(earlier) {
				c.Flaky = append(c.Flaky, problem{Message: "an earlier try " + earlier, Type: earlier})
			}
		}
	case "failed":
		c.Failure = p
	case "errored", "timed_out", "infra_error":
		c.Error = p
	default: // skipped; blocked and cancelled, which are no evidence
		c.Skipped = p
	}
	return c
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
