package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// standing is a waiver and whether it holds.
type standing struct {
	Waiver

	why  string // it is not active; "" when it is
	used bool
}

// judge says which waivers are active, by ID. The error is fault.Invalid when two have the same.
func judge(p Policy, in Input) ([]standing, error) {
	j := judging{policy: p, in: in, approvers: map[string]bool{}}
	for _, a := range in.Approvers {
		j.approvers[a] = a != ""
	}
	all := make([]standing, len(in.Waivers))
	for i, w := range in.Waivers {
		all[i] = standing{Waiver: w, why: j.why(w)}
	}
	slices.SortFunc(all, func(a, b standing) int { return cmp.Compare(a.ID, b.ID) })
	for i, w := range all {
		if w.ID == "" || i > 0 && w.ID == all[i-1].ID {
			return nil, fault.New(fault.Invalid, "the waiver %q is listed twice, or has no ID", w.ID).WithField("waivers")
		}
	}
	return all, nil
}

type judging struct {
	policy    Policy
	in        Input
	approvers map[string]bool
}

// why returns the first reason for which a waiver is not active.
func (j judging) why(w Waiver) string {
	terms, now := j.policy.Waivers, j.in.Now
	switch {
	case w.Revoked:
		return "It was revoked."
	case w.Application != j.in.Release.Application || w.Version != j.in.Release.Version:
		return fmt.Sprintf("It is for %s %s, which is another release.", w.Application, w.Version)
	case terms.BindTo == BindFingerprint && w.Fingerprint == "":
		return "It names no failure, and the policy binds waivers to one."
	case w.CreatedAt.After(now):
		return "It was not there yet."
	case !now.Before(w.ExpiresAt):
		return "It has expired."
	case w.ExpiresAt.After(w.CreatedAt.Add(time.Duration(terms.MaxAge))):
		return "It would hold longer than the policy allows."
	case terms.BindTo != BindFingerprint && (w.Test == "" || w.Suite == ""):
		return "It does not name a suite and a test, and the policy binds waivers to one test of a suite."
	}
	return cmp.Or(j.rule(w), j.approval(w))
}

// rule says why a waiver fits no rule.
func (j judging) rule(w Waiver) string {
	known := false
	for _, r := range j.policy.Rules {
		if w.Rule != "" && w.Rule != r.ID {
			continue
		}
		if known = true; r.Waivable && r.Kind != Missing {
			return ""
		}
	}
	switch {
	case w.Rule == "":
		return "The policy has no rule that can be waived."
	case !known:
		return fmt.Sprintf("The policy has no rule %q.", w.Rule)
	}
	return fmt.Sprintf("The rule %q cannot be waived.", w.Rule)
}

// approval says what a waiver lacks in approvals. That of a person counts once, and that of the requester only where it may.
func (j judging) approval(w Waiver) string {
	terms := j.policy.Waivers
	if w.Requester == "" && !terms.SelfApproval {
		return "It does not say who asked for it, so nobody else can be told from them."
	}
	by := map[string]bool{}
	for _, a := range w.Approvals {
		if j.approvers[a.By] && !a.At.After(j.in.Now) && (terms.SelfApproval || a.By != w.Requester) {
			by[a.By] = true
		}
	}
	if need := max(1, terms.MinApprovers); len(by) < need {
		return fmt.Sprintf("It has %d of %d approvals.", len(by), need)
	}
	return ""
}

// fits reports whether an active waiver has to do with a result in a cell: with all of it, or with one of its failures when it is bound
// to that. Only bad and flaky results need one.
func (s standing) fits(c cell, r result) bool {
	in := func(want, have string) bool { return want == "" || want == have }
	if s.why != "" || !r.bad() || !in(s.Environment, c.environment) || !in(s.Suite, c.suite) || !in(s.Test, r.Test) || !in(s.Variant, r.Variant) {
		return false
	}
	return s.Fingerprint == "" || slices.Contains(r.Fingerprints, s.Fingerprint)
}

// of reports whether the waiver is about a rule.
func (s standing) of(r Rule) bool { return r.Waivable && (s.Rule == "" || s.Rule == r.ID) }

// excuse returns the waivers that together cover a result when a rule asks, as indexes of d.waivers; none unless all of its failures are
// covered. Each has to be named by one of them, or the failure that nobody waived would hide behind those that somebody did. A failure
// without a fingerprint is named by none: only a waiver of the whole result covers it.
func (d *decision) excuse(rule Rule, r result) []int {
	var by []int
	whole, named := false, map[string]bool{}
	for _, i := range r.waivers {
		if w := d.waivers[i]; w.of(rule) {
			by, whole, named[w.Fingerprint] = append(by, i), whole || w.Fingerprint == "", true
		}
	}
	open := func(fingerprint string) bool { return !named[fingerprint] }
	if whole || len(by) > 0 && !r.unnamed && !slices.ContainsFunc(r.Fingerprints, open) {
		return by
	}
	return nil
}
