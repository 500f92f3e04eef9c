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

// Circumstances are what is known of a report besides its bytes.
type Circumstances struct {
	// Exit is the exit code of the step that wrote the report, nil when unknown. It speaks of all reports of its step together: for
	// one of several it must be nil unless the others list no failure either. One file per class is usual, and the failure is in one
	// of them.
	Exit *int
	// Before says that the step produced a report with cases in an earlier execution.
	Before bool
}

// Judge is JudgeIn when nothing but the exit code is known.
func Judge(s Summary, exit *int) Verdict { return JudgeIn(s, Circumstances{Exit: exit}) }

// JudgeIn compares what a report declares, what it lists and what is known of its step.
//
// A report that lists fewer failures than it declares, or none although its tool failed, is contradictory: for each hidden
// failure there is a synthetic errored case, so that nothing that happened can look as if it had not.
func JudgeIn(s Summary, in Circumstances) Verdict {
	v := Verdict{Grade: Consistent}
	for _, suite := range s.Suites {
		v.hiddenFailures(suite)
		v.unlisted(suite)
	}
	for _, c := range s.Contradictions {
		v.contradict("«contradiction»", c, c)
	}
	for _, l := range s.Losses {
		v.worsen(Lossy, l)
	}
	if in.Before && s.Observed.Total == 0 {
		v.contradict("«empty report»", "The report is empty, but the step produced one with tests before.", "empty report")
	}
	if in.Exit != nil && *in.Exit != 0 && s.Listed.Bad == 0 {
		v.worsen(Contradictory, fmt.Sprintf("The step ended with exit code %d, but the report lists no failure.", *in.Exit))
		if len(v.Synthetic) == 0 {
			v.Synthetic = append(v.Synthetic, Case{Name: exitCase, Outcome: Errored, Synthetic: true, Message: hiddenByExit(*in.Exit)})
		}
	}
	return v
}

// JudgeExit compares the exit code of a step, nil when unknown, with all its reports together. Bad is the number of failures that they
// account for: those that they list, and the cases that stand for what they do not list. Without any, each of them is contradictory,
// and one case stands for the failure: nobody can tell which of them should have listed it.
func JudgeExit(exit *int, bad int64) Verdict {
	v := Verdict{Grade: Consistent}
	if exit == nil || *exit == 0 || bad > 0 {
		return v
	}
	v.contradict(exitCase, fmt.Sprintf("The step ended with exit code %d, but no report of it lists a failure.", *exit), hiddenByExit(*exit))
	return v
}

const exitCase = "«runner exit code»"

func hiddenByExit(code int) string {
	return fmt.Sprintf("exit code %d without a failure in the report", code)
}

// JudgeShards compares how many reports the shards of a run should have written with how many arrived. The tests of a missing shard
// are blocked, as its catalog says.
func JudgeShards(expected, arrived int) Verdict {
	v := Verdict{Grade: Consistent}
	if arrived < expected {
		v.worsen(Lossy, fmt.Sprintf("%d of %d shards reported.", arrived, expected))
	}
	return v
}

func (v *Verdict) contradict(name, reason, message string) {
	v.worsen(Contradictory, reason)
	v.Synthetic = append(v.Synthetic, Case{Name: name, Outcome: Errored, Synthetic: true, Message: message})
}

func (s Suite) title() string {
	if s.Name == "" {
		return "The report"
	}
	return fmt.Sprintf("Suite %q", s.Name)
}

func (v *Verdict) hiddenFailures(s Suite) {
	hidden := s.Declared.Bad - s.Listed.Bad
	if hidden <= 0 {
		return
	}
	message := fmt.Sprintf("declared %d failures, listed %d", s.Declared.Bad, s.Listed.Bad)
	c := Case{Suite: s.Name, Name: "«failures not listed»", Outcome: Errored, Message: message, Synthetic: true}
	if s.Errors > 0 && s.Listed.Tests == 0 {
		c.Name, c.Message, c.Detail = "«suite error»", FirstLine(s.SystemErr, message), s.SystemErr
	}
	v.worsen(Contradictory, fmt.Sprintf("%s %s.", s.title(), message))
	v.Synthetic = append(v.Synthetic, c)
}

func (v *Verdict) unlisted(s Suite) {
	if missing := s.Declared.Tests - s.Listed.Tests; missing > 0 {
		v.worsen(Lossy, fmt.Sprintf("%s declares %d tests and lists %d: %d are not accounted for.",
			s.title(), s.Declared.Tests, s.Listed.Tests, missing))
	}
}

func (v *Verdict) worsen(g Grade, reason string) {
	if v.Grade != Contradictory { // the worst one stays
		v.Grade = g
	}
	v.Reasons = append(v.Reasons, reason)
}

// Unread is the verdict on bytes that could not be read.
func Unread(err error) Verdict {
	return Verdict{Grade: Unreadable, Reasons: []string{err.Error()}}
}

// UnreadIn is the verdict on bytes that could not be read where more is known: a step that produced a report before contradicts
// itself when it produces something else now.
func UnreadIn(err error, in Circumstances) Verdict {
	v := Unread(err)
	if in.Before {
		v.Grade = Contradictory
	}
	v.Synthetic = append(v.Synthetic, Case{Name: "«unreadable report»", Outcome: Errored, Message: err.Error(), Synthetic: true})
	return v
}
