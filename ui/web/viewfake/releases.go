package viewfake

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ui/web/view"
)

// kept is a release with what the verdict on it rests upon.
type kept struct {
	release release.Release
	in      verdict.Input
}

// PutRelease adds a release as the newest, or replaces the one with its id, and tells those who listen. The verdict on it is made of
// the input by the rules of its policy.
func (w *World) PutRelease(r release.Release, in verdict.Input) {
	in.Release, in.Policy = r.Subject(), r.Policy
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.released, func(k kept) bool { return k.release.ID == r.ID })
	if i < 0 {
		w.released = slices.Insert(w.released, 0, kept{r, in})
	} else {
		w.released[i] = kept{r, in}
	}
	w.wake(release.Topic(w.Member.Viewer.Organization, r.ID))
}

// Input returns what the verdict on a release of the sample rests upon.
func (w *World) Input(application, version string) (verdict.Input, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.releaseAt(application, version)
	if i < 0 {
		return verdict.Input{}, false
	}
	return w.released[i].in, true
}

func (w *World) releaseAt(application, version string) int {
	return slices.IndexFunc(w.released, func(k kept) bool {
		return k.release.Application == application && k.release.Version == version
	})
}

// Releases returns the releases as the interface of releases.
func (w *World) Releases() view.Releases { return releases{w} }

type releases struct{ *World }

// List lists the heads, newest first.
func (r releases) List(ctx context.Context, application string, size int, after string) ([]release.Release, string, error) {
	if err := r.allowed(ctx); err != nil {
		return nil, "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []release.Release
	for i := range r.released {
		if k := &r.released[i]; application == "" || k.release.Application == application {
			if err := k.decide(ctx, r.Now()); err != nil {
				return nil, "", err
			}
			head := k.release
			head.Verdict, head.Cells, head.Changes, head.Waivers, head.Executions = nil, nil, nil, nil, nil
			list = append(list, head)
		}
	}
	part, next := page(list, size, after)
	return part, next, nil
}

// decide makes the verdict on a release, unless it is made already.
func (k *kept) decide(ctx context.Context, now time.Time) error {
	if k.release.Verdict != nil {
		return nil
	}
	k.in.Now, k.in.Waivers = now, k.release.Waivers
	rules, err := verdict.Compile(k.in.Policy)
	if err != nil {
		return err
	}
	out, err := verdict.Decide(ctx, rules, k.in)
	if err != nil {
		return err
	}
	k.release.State = out.State
	k.release.Verdict, err = json.Marshal(out)
	return err
}

// Get returns a release with the verdict on it.
func (r releases) Get(ctx context.Context, application, version string) (release.Release, error) {
	if err := r.allowed(ctx); err != nil {
		return release.Release{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.releaseAt(application, version)
	if i < 0 {
		return release.Release{}, fault.New(fault.NotFound, "there is no release %s %s", application, version)
	}
	if err := r.released[i].decide(ctx, r.Now()); err != nil {
		return release.Release{}, err
	}
	out := r.released[i].release
	out.Waivers = slices.Clone(out.Waivers)
	return out, nil
}

// Waive adds a waiver that nobody has approved.
func (r releases) Waive(ctx context.Context, application, version string, a release.Ask) (verdict.Waiver, error) {
	found, err := r.Get(ctx, application, version)
	switch {
	case err != nil:
		return verdict.Waiver{}, err
	case r.WaiveErr != nil:
		return verdict.Waiver{}, r.WaiveErr
	case a.Reason == "":
		return verdict.Waiver{}, fault.New(fault.Invalid, "a waiver needs a reason").WithField("reason").WithHint("Say why it may ship in spite of this.")
	}
	if a.For == 0 {
		a.For = time.Duration(found.Policy.Waivers.MaxAge)
	}
	viewer, _ := tenant.FromContext(ctx)
	w := verdict.Waiver{
		ID: ID("waiver " + a.Rule + a.Environment + a.Suite + a.Test).String(), Application: application, Version: version, Rule: a.Rule,
		Environment: a.Environment, Suite: a.Suite, Test: a.Test, Variant: a.Variant, Fingerprint: a.Fingerprint, Reason: a.Reason,
		Requester: viewer.Name, CreatedAt: r.Now(), ExpiresAt: r.Now().Add(a.For),
	}
	return w, r.change(found, func(k *kept) error {
		k.release.Waivers = append(slices.Clone(k.release.Waivers), w)
		return nil
	})
}

// Approve adds the viewer's consent, if the viewer is among the approvers of the release and has not asked for the waiver.
func (r releases) Approve(ctx context.Context, application, version, waiver string) error {
	found, err := r.Get(ctx, application, version)
	if err != nil {
		return err
	}
	viewer, _ := tenant.FromContext(ctx)
	return r.change(found, func(k *kept) error {
		w, err := k.waiver(waiver)
		switch {
		case err != nil:
			return err
		case !slices.Contains(k.in.Approvers, viewer.Name):
			return fault.New(fault.Forbidden, "%s may not approve waivers of this release", viewer.Name).
				WithHint("The policy %s lets %s approve.", k.release.Policy.Name, k.release.Policy.Waivers.Approvers)
		case w.Requester == viewer.Name:
			return fault.New(fault.Forbidden, "nobody approves a waiver that they have asked for").WithHint("Ask somebody else.")
		case w.Revoked:
			return fault.New(fault.Conflict, "the waiver was revoked").WithHint("Ask for a new one.")
		}
		w.Approvals = append(slices.Clone(w.Approvals), verdict.Approval{By: viewer.Name, At: r.Now()})
		return nil
	})
}

// Revoke ends a waiver.
func (r releases) Revoke(ctx context.Context, application, version, waiver string) error {
	found, err := r.Get(ctx, application, version)
	if err != nil {
		return err
	}
	return r.change(found, func(k *kept) error {
		w, err := k.waiver(waiver)
		if err == nil {
			w.Revoked = true
		}
		return err
	})
}

func (k *kept) waiver(id string) (*verdict.Waiver, error) {
	k.release.Waivers = slices.Clone(k.release.Waivers)
	i := slices.IndexFunc(k.release.Waivers, func(w verdict.Waiver) bool { return w.ID == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "the release has no waiver %q", id)
	}
	return &k.release.Waivers[i], nil
}

// change changes a release and has the verdict on it made anew.
func (r releases) change(found release.Release, do func(*kept) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.releaseAt(found.Application, found.Version)
	if err := do(&r.released[i]); err != nil {
		return err
	}
	r.released[i].release.Verdict = nil
	r.wake(release.Topic(r.Member.Viewer.Organization, found.ID))
	return nil
}

// Policies lists the readiness policies.
func (c catalog) Policies(ctx context.Context) ([]workflow.Record, error) {
	return c.World.Policies, c.allowed(ctx)
}

// CheckPolicy reads the name and nothing else.
func (c catalog) CheckPolicy(ctx context.Context, source string) (view.Applied, error) {
	name, err := policyName(source)
	if err != nil {
		return view.Applied{}, err
	}
	i := slices.IndexFunc(c.World.Policies, func(p workflow.Record) bool { return p.Name == name })
	switch {
	case i < 0:
		return view.Applied{Record: workflow.Record{Kind: document.ReadinessPolicyKind, Name: name, Revision: 1, Digest: Digest(source)}, Created: true}, c.allowed(ctx)
	case c.World.Policies[i].Source == source:
		return view.Applied{Record: c.World.Policies[i]}, c.allowed(ctx)
	}
	r := c.World.Policies[i]
	r.Revision++
	return view.Applied{Record: r, Changed: true}, c.allowed(ctx)
}

// ApplyPolicy stores it.
func (c catalog) ApplyPolicy(ctx context.Context, source, team string) (view.Applied, error) {
	done, err := c.CheckPolicy(ctx, source)
	if err != nil {
		return done, err
	}
	r := done.Record
	r.Source, r.UpdatedAt = source, c.Now()
	if done.Created {
		r.Team = team
		c.World.Policies = append(c.World.Policies, r)
	} else {
		i := slices.IndexFunc(c.World.Policies, func(p workflow.Record) bool { return p.Name == r.Name })
		c.World.Policies = append(slices.Clone(c.World.Policies[:i]), append([]workflow.Record{r}, c.World.Policies[i+1:]...)...)
	}
	return done, nil
}
