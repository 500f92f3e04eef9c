// Package summary writes what came of an execution for the pages of pipelines: as JUnit XML and as Markdown.
package summary

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Format is how a summary is written.
type Format string

// The formats.
const (
	JUnit    Format = "junit"
	Markdown Format = "markdown"
)

// Execution is what a summary is of.
type Execution struct {
	Record *apiv1.Execution
	Tests  []*apiv1.TestResult // all of them, the worst first
	URL    string              // of its page; empty when nobody knows
}

// Write writes a summary.
func Write(w io.Writer, f Format, e Execution) error {
	switch f {
	case JUnit:
		return junit(w, e)
	case Markdown:
		_, err := io.WriteString(w, markdown(e))
		return err //nolint:wrapcheck // of the caller's writer
	}
	return fmt.Errorf("%q is no format of a summary: write junit or markdown", f)
}

// bad reports whether an outcome speaks against the subject.
func bad(outcome string) bool {
	return outcome == "failed" || outcome == "errored" || outcome == "timed_out"
}

// counted are the results that count: those of attempts that were lost and tried anew do not.
func (e Execution) counted() (out []*apiv1.TestResult) {
	for _, r := range e.Tests {
		if !r.GetSuperseded() {
			out = append(out, r)
		}
	}
	return out
}

// run is a run of an execution with its last attempt.
type run struct {
	name    string // empty for a run alone
	status  apiv1.Status
	message string
	run     *apiv1.Run
}

// runs are those of an execution, by the ids of their attempts, and in order.
func (e Execution) runs() (order []run, of map[string]string) {
	of = map[string]string{}
	for _, r := range e.Record.GetRuns() {
		one := run{status: r.GetStatus(), run: r}
		if len(e.Record.GetRuns()) > 1 {
			one.name = cmp.Or(r.GetName(), r.GetEnvironment())
		}
		for _, a := range r.GetAttempts() {
			of[a.GetId()], one.message = one.name, a.GetMessage()
		}
		order = append(order, one)
	}
	return order, of
}

// unexplained are the runs that ended badly although none of their tests did: a script that failed, an image that does not exist.
// Where no run explains how the execution ended, or it has not, it stands for itself.
func (e Execution) unexplained() (out []run) {
	order, of := e.runs()
	explained := map[string]bool{}
	for _, r := range e.counted() {
		if bad(r.GetOutcome()) {
			explained[of[r.GetAttemptId()]] = true
		}
	}
	for _, r := range order {
		if sad(r.status) && !explained[r.name] {
			out = append(out, r)
		}
	}
	switch status := e.Record.GetStatus(); {
	case !over(status):
		out = append(out, run{status: status, message: "it is still running"})
	case sad(status) && len(out)+len(explained) == 0:
		out = append(out, run{status: status, message: e.Record.GetMessage()})
	}
	return out
}

// over reports whether a status is an end.
func over(s apiv1.Status) bool {
	return sad(s) || s == apiv1.Status_STATUS_PASSED || s == apiv1.Status_STATUS_SKIPPED
}

// sad reports whether a status is an end that is no success.
func sad(s apiv1.Status) bool {
	switch s {
	case apiv1.Status_STATUS_FAILED, apiv1.Status_STATUS_ERRORED, apiv1.Status_STATUS_TIMED_OUT, apiv1.Status_STATUS_CANCELLED:
		return true
	default:
		return false
	}
}

// why says how a run ended badly.
func (r run) why() string {
	if r.message != "" {
		return r.message
	}
	if n := len(r.run.GetAttempts()); n > 0 {
		for _, s := range r.run.GetAttempts()[n-1].GetSteps() {
			if sad(s.GetStatus()) {
				return strings.TrimSuffix("step "+s.GetName()+" "+word(s.GetStatus())+": "+s.GetReason(), ": ")
			}
		}
	}
	return "it " + word(r.status)
}

// word is a status as people say it.
func word(s apiv1.Status) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(s.String(), "STATUS_"), "_", " "))
}
