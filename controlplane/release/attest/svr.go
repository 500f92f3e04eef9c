package attest

import (
	"net/url"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// SVR is in-toto's simple verification result: that a verifier found the subjects to have properties, for tools that know nothing
// of releases. What it rests on is in the Readiness statement.
type SVR struct {
	Verifier    Verifier  `json:"verifier"`
	TimeCreated time.Time `json:"timeCreated"`
	Properties  []string  `json:"properties"`
}

// Verifier is who verified, by which policies.
type Verifier struct {
	ID       string     `json:"id"` // a URI, with the version of what verifies
	Policies []Resource `json:"policies"`
}

// NewSVR returns the simple verification result of a readiness statement: with the same subject, policy and time. A release that is
// not ready has none: a Conflict. The verifier is an absolute URI.
func NewSVR(readiness Statement, verifier string) (Statement, error) {
	r, err := readiness.Readiness()
	if err != nil {
		return Statement{}, err
	}
	if u, err := url.Parse(verifier); err != nil || !u.IsAbs() {
		return Statement{}, fault.New(fault.Invalid, "the verifier is %.100q, not an absolute URI", verifier).WithField("verifier.id")
	}
	verdict, err := r.Verdict()
	if err != nil {
		return Statement{}, err
	}
	property, ok := property(verdict)
	if !ok {
		return Statement{}, fault.New(fault.Conflict, "%s %s is %s: there is nothing to attest", r.Release.Application, r.Release.Version, verdict)
	}
	return newStatement(readiness.Subject, SVRType, SVR{
		Verifier: Verifier{ID: verifier, Policies: []Resource{r.Policy}}, TimeCreated: r.TimeCreated, Properties: []string{property},
	})
}

// property returns what a verdict lets a verifier assert; an SVR lists what holds and has no word for what does not.
func property(v Verdict) (string, bool) {
	switch v {
	case Ready:
		return PropertyReady, true
	case ReadyWithWaivers:
		return PropertyReadyWithWaivers, true
	default:
		return "", false
	}
}

// SVR reads the predicate. It is Invalid when the statement is of another type.
func (s Statement) SVR() (SVR, error) {
	var p SVR
	if err := s.predicate(SVRType, &p); err != nil {
		return SVR{}, err
	}
	return p, nil
}
