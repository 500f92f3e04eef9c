package results

import "fmt"

// Grade says how far a report can be trusted.
type Grade string

// The grades.
const (
	Consistent    Grade = "consistent"    // it agrees with itself and with the exit code
	Lossy         Grade = "lossy"         // it declares more tests than it lists
	Contradictory Grade = "contradictory" // it hides failures: it can never count as passed
	Unreadable    Grade = "unreadable"    // it is not a report of its format
)

// Verdict is a grade, the reasons for it, and cases that stand for what the report does not list.
type Verdict struct {
	Grade     Grade
	Reasons   []string // sentences for a person
	Synthetic []Case
}

// Judge compares what a report declares, what it lists and the exit code of the step that wrote it (nil when unknown).
//
// A report that lists fewer failures than it declares, or none although its tool failed, is contradictory: for each hidden
// failure there is a synthetic errored case, so that nothing that happened can look as if it had not.
//
// The exit code speaks of all reports of its step together. For one of several reports it must be nil unless the others list no
// failure either: one file per class is usual, and the failure is in one of them.
func Judge(s Summary, exit *int) Verdict {
	v := Verdict{Grade: Consistent}
	for _, suite := range s.Suites {
		v.hiddenFailures(suite)
		v.unlisted(suite)
	}
	if exit != nil && *exit != 0 && s.Listed.Bad == 0 {
		v.worsen(Contradictory, fmt.Sprintf("The step ended with exit code %d, but the report lists no failure.", *exit))
		if len(v.Synthetic) == 0 {
			v.Synthetic = append(v.Synthetic, Case{
				Name: "«runner exit code»", Outcome: Errored, Synthetic: true,
				Message: fmt.Sprintf("exit code %d without a failure in the report", *exit),
			})
		}
	}
	return v
}

func (v *Verdict) hiddenFailures(s Suite) {
	hidden := s.Declared.Bad - s.Listed.Bad
	if hidden <= 0 {
		return
	}
	message := fmt.Sprintf("declared %d failures, listed %d", s.Declared.Bad, s.Listed.Bad)
	c := Case{Suite: s.Name, Name: "«failures not listed»", Outcome: Errored, Message: message, Synthetic: true}
	if s.Errors > 0 && s.Listed.Tests == 0 {
		c.Name, c.Message, c.Detail = "«suite error»", firstLine(s.SystemErr, message), s.SystemErr
	}
	v.worsen(Contradictory, fmt.Sprintf("Suite %q %s.", s.Name, message))
	v.Synthetic = append(v.Synthetic, c)
}

func (v *Verdict) unlisted(s Suite) {
	if missing := s.Declared.Tests - s.Listed.Tests; missing > 0 {
		v.worsen(Lossy, fmt.Sprintf("Suite %q declares %d tests and lists %d: %d are not accounted for.",
			s.Name, s.Declared.Tests, s.Listed.Tests, missing))
	}
}

func (v *Verdict) worsen(g Grade, reason string) {
	if v.Grade != Contradictory {
		v.Grade = g
	}
	v.Reasons = append(v.Reasons, reason)
}

// Unread is the verdict on bytes that could not be read.
func Unread(err error) Verdict {
	return Verdict{Grade: Unreadable, Reasons: []string{err.Error()}}
}
