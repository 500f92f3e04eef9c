package assess

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

const (
	trialPage = 50
	// maxLooked is how many releases are looked at for those that a policy applies to.
	maxLooked = 500
)

// Try judges past releases by a policy that is not stored. Nothing is changed by it. Each release is judged twice on the same evidence
// and at the same time, when it became ready or its evidence was complete: by the policy that it is held to and by the new one. The new one is resolved against
// the catalog of today; where the release has frozen which tests a suite has, those are required.
func (s *Service) Try(ctx context.Context, t release.TrialRequest) (out release.Trials, err error) {
	doc, err := readPolicy(t)
	if err != nil {
		return out, err
	}
	if t.Last == 0 {
		t.Last = release.DefaultTrials
	}
	if t.Last < 0 || t.Last > release.MaxTrials {
		return out, fault.New(fault.Invalid, "%d releases cannot be judged at once", t.Last).WithField("last").WithHint("Give a number from 1 to %d.", release.MaxTrials)
	}
	if t.Application != "" && !policy.MatchApplication(doc, t.Application) {
		return out, fault.New(fault.Invalid, "the policy %s does not apply to %s", doc.Metadata.Name, t.Application).WithField("application").
			WithHint("It says in spec.appliesTo which releases it is for.")
	}
	select {
	case s.trials <- struct{}{}:
		defer func() { <-s.trials }()
	case <-ctx.Done():
		return out, ctx.Err() //nolint:wrapcheck // the end of the caller's own work
	}
	cells, err := s.cells(ctx, doc)
	if err != nil {
		return out, err
	}
	out.Policy = doc.Metadata.Name
	heads, passed, err := s.past(ctx, doc, t)
	if err != nil {
		return out, err
	}
	out.PassedOver = passed
	frozen := policy.FromDocument(doc)
	for _, head := range heads {
		trial, err := s.try(ctx, head, frozen, cells)
		if err != nil {
			return out, err
		}
		if trial.Problem == "" && trial.Before != trial.After {
			out.Changed++
		}
		out.List = append(out.List, trial)
	}
	return out, nil
}

// readPolicy reads a document as it is read when it is applied.
func readPolicy(t release.TrialRequest) (*document.ReadinessPolicyDocument, error) {
	read := parse.Read([]byte(t.Source))
	doc, ok := read.Value.(*document.ReadinessPolicyDocument)
	if !ok && len(read.Faults) == 0 {
		return nil, fault.New(fault.Invalid, "%s is a %s, not a %s", named(t.File), read.Kind, document.ReadinessPolicyKind).WithField("source").
			WithHint("Give the document of a readiness policy.")
	}
	if faults := slices.Concat(read.Faults, policy.Check(read)); len(faults) > 0 {
		return nil, parse.Error(t.File, fault.Invalid, faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	if places := workflow.Unsupported(read); len(places) > 0 {
		return nil, parse.Error(t.File, fault.Unsupported, places) //nolint:wrapcheck // a fault that speaks for itself
	}
	if err := doc.Seal(); err != nil {
		return nil, fmt.Errorf("digest of policy %s: %w", doc.Metadata.Name, err)
	}
	return doc, nil
}

func named(file string) string {
	if file == "" {
		return "the document"
	}
	return file
}

// past returns the heads of the newest releases that a policy applies to, and how many others it has passed over.
func (s *Service) past(ctx context.Context, doc *document.ReadinessPolicyDocument, t release.TrialRequest) (out []release.Release, passed int, err error) {
	closer, err := s.closer(ctx, doc)
	if err != nil {
		return nil, 0, err
	}
	after := ""
	for looked := 0; looked < maxLooked; {
		list, next, err := s.store.Releases(ctx, t.Application, trialPage, after)
		if err != nil {
			return nil, 0, fmt.Errorf("list releases: %w", err)
		}
		for _, r := range list {
			if !policy.Match(doc, r.Application, r.Targets) || slices.ContainsFunc(closer, func(other *document.ReadinessPolicyDocument) bool {
				return policy.Match(other, r.Application, r.Targets)
			}) {
				passed++
				continue
			}
			if out = append(out, r); len(out) == t.Last {
				return out, passed, nil
			}
		}
		looked += len(list)
		if after = next; after == "" {
			break
		}
	}
	return out, passed, nil
}

// closer returns the stored policies for certain targets, which are preferred to one for all targets. One that this version cannot read
// is preferred to nothing.
func (s *Service) closer(ctx context.Context, doc *document.ReadinessPolicyDocument) (out []*document.ReadinessPolicyDocument, err error) {
	if len(doc.Spec.AppliesTo.Targets) > 0 {
		return nil, nil
	}
	records, err := s.store.Policies(ctx)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	for _, record := range records {
		if record.Name == doc.Metadata.Name {
			continue // the one in whose place this one would be
		}
		read := parse.Read([]byte(record.Source))
		other, ok := read.Value.(*document.ReadinessPolicyDocument)
		if ok && len(read.Faults) == 0 && len(other.Spec.AppliesTo.Targets) > 0 {
			out = append(out, other)
		}
	}
	return out, nil
}

// apart is by how much the clocks of two replicas may differ, of which one stores a result and the other decides on it.
const apart = time.Minute

// momentOf returns when a release is judged by a trial, with the attempts that had ended by then. It is not the last decision: a release
// is decided anew for weeks, until its evidence is too old for any policy.
func momentOf(r release.Release, attempts []release.Attempt) (at time.Time, ended []release.Attempt) {
	for _, c := range r.Changes {
		if c.After == verdict.Ready || c.After == verdict.ReadyWithWaivers {
			at = c.At
		}
	}
	if !at.IsZero() {
		return at, slices.DeleteFunc(slices.Clone(attempts), func(a release.Attempt) bool {
			return !a.Status.Terminal() || a.FinishedAt.After(at.Add(apart))
		})
	}
	for _, a := range attempts {
		last := a.FinishedAt
		if !a.Delivered && a.Status.Terminal() {
			last = last.Add(execution.Late) // until then it was waited for
		}
		if last.After(at) {
			at = last
		}
	}
	if at.IsZero() {
		at = r.Decided
	}
	return at, attempts
}

// try judges one release. One that has too much evidence to be judged does not keep the others from it.
func (s *Service) try(ctx context.Context, head release.Release, frozen verdict.Policy, cells []release.Cell) (t release.Trial, err error) {
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	r, err := s.store.ReleaseByID(ctx, head.ID)
	if err != nil {
		return t, fmt.Errorf("read release %s: %w", head.ID, err)
	}
	t = release.Trial{Release: head, At: r.Decided}
	attempts, err := s.store.Evidence(ctx, r.ID)
	switch {
	case fault.Is(err, fault.Exhausted):
		t.Problem = "The evidence cannot be judged: " + err.Error() + "."
		return t, nil
	case err != nil:
		return t, fmt.Errorf("read the evidence of release %s: %w", r.ID, err)
	}
	if t.At, attempts = momentOf(r, attempts); t.At.IsZero() {
		t.At = s.now()
	}
	inside, err := s.store.QuarantinesAt(ctx, t.At)
	if err != nil {
		return t, fmt.Errorf("read the quarantines: %w", err)
	}
	known := evidence{attempts: attempts, quarantined: quarantined(inside)}
	before, err := s.judgeBy(ctx, r, known, t)
	if err != nil {
		return t, err
	}
	other := r
	other.Policy = frozen
	other.Cells, t.Added, t.Removed = exchanged(r.Cells, cells)
	after, err := s.judgeBy(ctx, other, known, t)
	if err != nil {
		return t, err
	}
	t.Before, t.After, t.Rules = before.State, after.State, compare.Of(before, after).Rules
	return t, nil
}

func (s *Service) judgeBy(ctx context.Context, r release.Release, known evidence, t release.Trial) (out verdict.Output, err error) {
	if known.approvers, err = s.store.Approvers(ctx, r.Policy.Waivers.Approvers); err != nil {
		return out, fmt.Errorf("read the approvers of release %s: %w", r.ID, err)
	}
	if out, err = verdict.Judge(ctx, input(r, known, t.At)); err != nil {
		return out, fmt.Errorf("judge release %s: %w", r.ID, err)
	}
	return out, nil
}

// exchanged puts the cells that another policy requires in the place of those of a release. What a cell requires stays as it was frozen
// where both have it.
func exchanged(frozen, required []release.Cell) (cells []release.Cell, added, removed []string) {
	known := map[string]release.Cell{}
	for _, c := range frozen {
		known[placeOf(c)] = c
	}
	for _, c := range required {
		place := placeOf(c)
		if old, ok := known[place]; ok {
			c = old
			delete(known, place)
		} else {
			added = append(added, place)
		}
		cells = append(cells, c)
	}
	for _, c := range frozen {
		if _, gone := known[placeOf(c)]; gone {
			removed = append(removed, placeOf(c))
		}
	}
	return cells, added, removed
}

func placeOf(c release.Cell) string { return c.Environment + "/" + c.Suite }
