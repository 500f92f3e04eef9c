package assess

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const maxReason = 2000 // bytes of why a waiver is asked for

// Waive asks for a waiver. It counts for nothing until enough others have approved it. The waivers of what the policy does not let
// anybody waive are refused at once.
func (s *Service) Waive(ctx context.Context, application, version string, a release.Ask) (verdict.Waiver, error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeRelease)
	if err != nil {
		return verdict.Waiver{}, err
	}
	r, err := s.store.Release(ctx, application, version)
	if err != nil {
		return verdict.Waiver{}, fmt.Errorf("get release %s %s: %w", application, version, err)
	}
	if err := check(a, r); err != nil {
		return verdict.Waiver{}, err
	}
	if err := within(viewer, a.Environment, a.Suite); err != nil {
		return verdict.Waiver{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return verdict.Waiver{}, fmt.Errorf("id of waiver: %w", err)
	}
	now := s.now()
	if a.For == 0 {
		a.For = time.Duration(r.Policy.Waivers.MaxAge)
	}
	asker := viewer.Person()
	if asker == "" && !r.Policy.Waivers.SelfApproval {
		return verdict.Waiver{}, fault.New(fault.Forbidden, "nobody knows who holds the token %q", viewer.Name).
			WithHint("Whoever asks must not approve: use a token that you have made, or the page of the release.")
	}
	w := verdict.Waiver{
		ID: id.String(), Application: application, Version: version, Rule: a.Rule, Environment: a.Environment, Suite: a.Suite, Test: a.Test,
		Variant: a.Variant, Fingerprint: a.Fingerprint, Reason: a.Reason, Requester: cmp.Or(asker, viewer.Name), CreatedAt: now, ExpiresAt: now.Add(a.For),
	}
	if err := s.store.SaveWaiver(ctx, r.ID, w); err != nil {
		return verdict.Waiver{}, fmt.Errorf("store waiver: %w", err)
	}
	s.log.InfoContext(ctx, "waiver asked for", "release", r.ID, "waiver", w.ID, "actor", viewer.Name)
	s.bus.Publish(ctx, execution.EvidenceTopic)
	return w, nil
}

// check refuses a waiver that could never count.
func check(a release.Ask, r release.Release) error {
	terms := r.Policy.Waivers
	i := slices.IndexFunc(r.Policy.Rules, func(rule verdict.Rule) bool { return rule.ID == a.Rule })
	switch {
	case i < 0:
		return fault.New(fault.Invalid, "the policy %s has no rule %q", r.Policy.Name, a.Rule).WithField("rule").
			WithHint("Its rules are %s.", rulesOf(r.Policy))
	case !r.Policy.Rules[i].Waivable || terms.MaxAge <= 0:
		return fault.New(fault.Invalid, "the policy %s lets nobody waive %s", r.Policy.Name, a.Rule).WithField("rule").
			WithHint("Bring the evidence, or change what is required by a new revision of the policy and a new release.")
	case a.Reason == "":
		return fault.New(fault.Invalid, "a waiver needs a reason").WithField("reason").WithHint("Say why it may ship in spite of this.")
	case len(a.Reason) > maxReason:
		return fault.New(fault.Invalid, "the reason is longer than %d bytes", maxReason).WithField("reason")
	case a.For < 0 || a.For > time.Duration(terms.MaxAge):
		return fault.New(fault.Invalid, "a waiver may hold for at most %s", time.Duration(terms.MaxAge)).WithField("for")
	case terms.BindTo != verdict.BindFingerprint && (a.Test == "" || a.Suite == ""):
		return fault.New(fault.Invalid, "the policy binds waivers to a test").WithField("test").
			WithHint("Give the suite and the key of the test; the page and `seatrial release status` show them.")
	case terms.BindTo == verdict.BindFingerprint && a.Fingerprint == "":
		return fault.New(fault.Invalid, "the policy binds waivers to a failure").WithField("fingerprint").
			WithHint("Give the fingerprint of the failure; the page and `seatrial release status` show it.")
	}
	return nil
}

func rulesOf(p verdict.Policy) []string {
	var ids []string
	for _, r := range p.Rules {
		ids = append(ids, r.ID)
	}
	return ids
}

// Approve adds the viewer's consent to a waiver. Only a person can give it, and only one that the policy names.
func (s *Service) Approve(ctx context.Context, application, version, waiver string) error {
	viewer, r, err := s.person(ctx, application, version)
	if err != nil {
		return err
	}
	approvers, err := s.store.Approvers(ctx, r.Policy.Waivers.Approvers)
	if err != nil {
		return fmt.Errorf("read approvers: %w", err)
	}
	if !slices.Contains(approvers, viewer.Name) {
		return fault.New(fault.Forbidden, "%s may not approve waivers of this release", viewer.Name).
			WithHint("The policy %s lets %s approve.", r.Policy.Name, r.Policy.Waivers.Approvers)
	}
	now := s.now()
	err = s.store.ChangeWaiver(ctx, r.ID, waiver, viewer.Name, func(w *verdict.Waiver) error {
		switch {
		case w.Revoked:
			return fault.New(fault.Conflict, "the waiver was revoked").WithHint("Ask for a new one.")
		case !now.Before(w.ExpiresAt):
			return fault.New(fault.Conflict, "the waiver has expired").WithHint("Ask for a new one.")
		case w.Requester == viewer.Name && !r.Policy.Waivers.SelfApproval:
			return fault.New(fault.Forbidden, "nobody approves a waiver that they have asked for").WithHint("Ask somebody else.")
		case slices.ContainsFunc(w.Approvals, func(a verdict.Approval) bool { return a.By == viewer.Name }):
			return nil
		}
		w.Approvals = append(w.Approvals, verdict.Approval{By: viewer.Name, At: now})
		return nil
	})
	if err != nil {
		return fmt.Errorf("approve waiver: %w", err)
	}
	s.log.InfoContext(ctx, "waiver approved", "release", r.ID, "waiver", waiver, "actor", viewer.Name)
	s.bus.Publish(ctx, execution.EvidenceTopic)
	return nil
}

// Revoke ends a waiver.
func (s *Service) Revoke(ctx context.Context, application, version, waiver string) error {
	viewer, err := tenant.Require(ctx, tenant.ScopeRelease)
	if err != nil {
		return err
	}
	r, err := s.store.Release(ctx, application, version)
	if err != nil {
		return fmt.Errorf("get release %s %s: %w", application, version, err)
	}
	if err := s.store.ChangeWaiver(ctx, r.ID, waiver, viewer.Name, func(w *verdict.Waiver) error {
		if err := within(viewer, w.Environment, w.Suite); err != nil {
			return err
		}
		asked := w.Requester == viewer.Person() || w.Requester == viewer.Name
		approved := slices.ContainsFunc(w.Approvals, func(a verdict.Approval) bool { return a.By == viewer.Name })
		if !asked && !approved && !viewer.Acts(r.TeamID) {
			return fault.New(fault.Forbidden, "the release belongs to the team %s, which %s is not in", r.Team, viewer.Name).
				WithHint("Ask who has asked for the waiver, who has approved it, or the team %s.", r.Team)
		}
		w.Revoked = true
		return nil
	}); err != nil {
		return fmt.Errorf("revoke waiver: %w", err)
	}
	s.log.InfoContext(ctx, "waiver revoked", "release", r.ID, "waiver", waiver, "actor", viewer.Name)
	s.bus.Publish(ctx, execution.EvidenceTopic)
	return nil
}

// within returns fault.Forbidden when the viewer's token is not for what a waiver covers. One that covers everything is beyond it, too.
func within(v tenant.Viewer, environment, suite string) error {
	if err := v.Environment(environment); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	return v.Workflow(suite) //nolint:wrapcheck // a fault that speaks for itself
}

// person returns the viewer if it is a person who may have to do with a release.
func (s *Service) person(ctx context.Context, application, version string) (tenant.Viewer, release.Release, error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeRelease)
	if err != nil {
		return viewer, release.Release{}, err
	}
	if viewer.Kind != tenant.KindMember {
		return viewer, release.Release{}, fault.New(fault.Forbidden, "only a person can approve a waiver").
			WithHint("Sign in on the page of the release: a token says nothing of who holds it.")
	}
	r, err := s.store.Release(ctx, application, version)
	if err != nil {
		return viewer, r, fmt.Errorf("get release %s %s: %w", application, version, err)
	}
	return viewer, r, nil
}
