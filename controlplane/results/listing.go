package results

import (
	"errors"
	"fmt"
)

// Limits of a report. They are far above what tools write and keep a hostile file from hurting.
const (
	MaxDetail = 64 << 10  // bytes of Case.Detail
	MaxName   = 4 << 10   // bytes of every other text of a case
	MaxCases  = 1_000_000 // of a report: a few seconds of work
	MaxBytes  = 2 << 30   // of a report
	maxTries  = 100       // earlier tries kept of a case
	maxSuites = 1_000     // disagreeing suites, contradictions or losses that are kept
)

// ErrUnreadable means that the bytes are not a report of the format; the wrapping error says where and why.
var ErrUnreadable = errors.New("unreadable report")

// Listing counts the cases of a report and passes them on within the limits. Parsers fill one.
type Listing struct {
	emit func(Case) error
	sum  Summary
}

// NewListing returns a listing that passes each case to emit.
func NewListing(emit func(Case) error) *Listing { return &Listing{emit: emit} }

// Add takes one case.
func (l *Listing) Add(c Case) error {
	if c.Outcome == "" { // its report does not say how it ended, which is no pass
		c.Outcome = Errored
	}
	return l.AddCarrying(c, c.Outcome.Bad())
}

// AddCarrying takes one case that may carry a failure its outcome does not show: its tool counts it as one.
func (l *Listing) AddCarrying(c Case, bad bool) error {
	l.Count(bad)
	if l.sum.Observed.Add(c.Outcome); l.sum.Observed.Total > MaxCases {
		return fmt.Errorf("%w: more than %d test cases", ErrUnreadable, MaxCases)
	}
	c.Message = StripEscapes(c.Message)
	for _, s := range []*string{&c.Suite, &c.Class, &c.Name, &c.File, &c.Variant, &c.Params, &c.Message} {
		*s = Cut(*s, MaxName)
	}
	c.Detail = Cut(c.Detail, MaxDetail)
	c.Earlier = c.Earlier[:min(len(c.Earlier), maxTries)]
	return l.emit(c)
}

// Count takes a case that the tool counts and that is no case here, such as the parent of others.
func (l *Listing) Count(bad bool) {
	l.sum.Listed.Tests++
	if bad {
		l.sum.Listed.Bad++
	}
}

// Listed returns what was taken so far.
func (l *Listing) Listed() Counts { return l.sum.Listed }

// Declare states what a suite says of itself against what of it was listed.
func (l *Listing) Declare(s Suite) {
	l.sum.Declared.Tests += s.Declared.Tests
	l.sum.Declared.Bad += s.Declared.Bad
	if s.Declared != s.Listed && len(l.sum.Suites) < maxSuites {
		l.sum.Suites = append(l.sum.Suites, s)
	}
}

// DeclareAll states what the whole report says of itself, after its last case.
func (l *Listing) DeclareAll(d Counts) { l.Declare(Suite{Declared: d, Listed: l.sum.Listed}) }

// Contradict states that the report cannot be right.
func (l *Listing) Contradict(format string, args ...any) {
	l.sum.Contradictions = state(l.sum.Contradictions, format, args)
}

// Lose states that the report cannot be complete.
func (l *Listing) Lose(format string, args ...any) { l.sum.Losses = state(l.sum.Losses, format, args) }

func state(all []string, format string, args []any) []string {
	if len(all) >= maxSuites {
		return all
	}
	return append(all, Cut(fmt.Sprintf(format, args...), MaxName))
}

// Summary returns what is known so far.
func (l *Listing) Summary() Summary { return l.sum }
