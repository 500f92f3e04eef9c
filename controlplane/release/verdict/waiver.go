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

// covers reports whether an active waiver excuses a result in a cell. It excuses bad and flaky ones only, and of a result with several
// failures none when it is bound to one of them: the others would hide behind it.
func (s standing) covers(c cell, r result) bool {
	fits := func(want, have string) bool { return want == "" || want == have }
	if s.why != "" || !r.bad() || !fits(s.Environment, c.environment) || !fits(s.Suite, c.suite) ||
		!fits(s.Test, r.Test) || !fits(s.Variant, r.Variant) {
		return false
	}
	return s.Fingerprint == "" || !r.unnamed && len(r.Fingerprints) == 1 && r.Fingerprints[0] == s.Fingerprint
}

// of reports whether the waiver is about a rule.
func (s standing) of(r Rule) bool { return r.Waivable && (s.Rule == "" || s.Rule == r.ID) }
