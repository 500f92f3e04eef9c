package assess

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// candidate is a policy that has a say about a release.
type candidate struct {
	doc    *document.ReadinessPolicyDocument
	record workflow.Record
}

// policyFor returns the policy that a release is held to.
func (s *Service) policyFor(ctx context.Context, r release.Request) (*document.ReadinessPolicyDocument, verdict.Policy, error) {
	records, err := s.store.Policies(ctx)
	if err != nil {
		return nil, verdict.Policy{}, fmt.Errorf("read policies: %w", err)
	}
	found, err := candidates(records, r)
	if err != nil {
		return nil, verdict.Policy{}, err
	}
	held, err := choose(found, r)
	if err != nil {
		return nil, verdict.Policy{}, err
	}
	frozen := policy.FromDocument(held.doc)
	frozen.Revision, frozen.Digest = held.record.Revision, held.record.Digest
	return held.doc, frozen, nil
}

// candidates returns the policies that have a say about a release: those that are for one of its targets by name, else those for whatever
// target. One that cannot be read might be the strictest of them, so that nothing is decided without it, also when another one is asked
// for.
func candidates(records []workflow.Record, r release.Request) ([]candidate, error) {
	var claiming, general []candidate
	known := false
	for _, record := range records {
		read := parse.Read([]byte(record.Source))
		doc, ok := read.Value.(*document.ReadinessPolicyDocument)
		if !ok || len(read.Faults) > 0 {
			return nil, fault.New(fault.Invalid, "this version cannot read the policy %s", record.Name).
				WithField("policy").WithHint("Apply it again to see what is wrong with it.")
		}
		known = known || record.Name == r.Policy
		switch one := (candidate{doc, record}); {
		case policy.Claims(doc, r.Application, r.Targets):
			claiming = append(claiming, one)
		case policy.Match(doc, r.Application, r.Targets):
			general = append(general, one)
		case record.Name == r.Policy:
			return nil, misplaced(r)
		}
	}
	if r.Policy != "" && !known {
		return nil, fault.New(fault.NotFound, "there is no readiness policy %q", r.Policy).WithField("policy").
			WithHint("List what there is with: seatrial get policies.")
	}
	if len(claiming) > 0 {
		return claiming, nil
	}
	return general, nil
}

// choose returns the one policy that a release is held to. That has to be for all of the release's targets: it may go to each of them.
func choose(found []candidate, r release.Request) (candidate, error) {
	if r.Policy != "" {
		i := slices.IndexFunc(found, func(c candidate) bool { return c.record.Name == r.Policy })
		switch {
		case i < 0:
			return candidate{}, fault.New(fault.Invalid, "the policy %s is for whatever target, and %s for %s has one of its own: %s",
				r.Policy, r.Application, strings.Join(r.Targets, ", "), strings.Join(names(found), ", ")).WithField("policy").
				WithHint("Leave --policy out, or change where the policies are for: spec.appliesTo.targets.")
		case !policy.Match(found[i].doc, r.Application, r.Targets):
			return candidate{}, misplaced(r)
		}
		return found[i], nil
	}
	whole := slices.DeleteFunc(slices.Clone(found), func(c candidate) bool { return !policy.Match(c.doc, r.Application, r.Targets) })
	switch {
	case len(found) == 0:
		return candidate{}, fault.New(fault.NotFound, "no readiness policy applies to %s", r.Application).WithField("application").
			WithHint("Say what a release of it has to show, in a document of kind ReadinessPolicy, and apply it with: seatrial apply -f policy.yaml.")
	case len(whole) == 0:
		return candidate{}, fault.New(fault.Invalid, "no policy is for all that %s is to go to: %s only for some of it", aim(r), strings.Join(names(found), ", ")).
			WithField("targets").WithHint("Create a release for each target, or name all of them in spec.appliesTo.targets of one policy.")
	case len(found) > 1:
		return candidate{}, fault.New(fault.Invalid, "the policies %s all have a say about %s", strings.Join(names(found), ", "), aim(r)).WithField("policy").
			WithHint("Name the one that the release is held to: --policy %s.", whole[0].record.Name)
	}
	return found[0], nil
}

func misplaced(r release.Request) error {
	return fault.New(fault.Invalid, "the policy %s does not apply to %s", r.Policy, aim(r)).WithField("policy").
		WithHint("It says in spec.appliesTo which releases it is for; with targets, it has to be for each target of the release.")
}

func names(list []candidate) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.record.Name)
	}
	return out
}

// aim says what is to go where.
func aim(r release.Request) string {
	if len(r.Targets) == 0 {
		return r.Application
	}
	return r.Application + " for " + strings.Join(r.Targets, ", ")
}
