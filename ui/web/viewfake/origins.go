package viewfake

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Origins is where the documents of a world come from.
type Origins struct {
	*World

	Repos []origin.Repository
	Given origin.Credential // to the repository that was registered last
	Kept  bool              // the documents of the one that was removed last
}

// Origins returns those of the sample; a world without workflows has none.
func (w *World) Origins() *Origins {
	if w.origins == nil {
		w.origins = &Origins{World: w}
		if len(w.Workflows) > 0 {
			w.origins.Repos = sampleRepositories(w)
		}
	}
	return w.origins
}

func sampleRepositories(w *World) []origin.Repository {
	team := w.Member.Viewer.Team
	return []origin.Repository{
		{
			ID: uuid.UUID{1}, Name: "shop", URL: "https://git.acme.example/acme/shop.git", Branch: "main", Path: "tests", Team: "payments", TeamID: team,
			Commit: "3f2a9c1d5e8b7a6f4c3d2e1f0a9b8c7d6e5f4a3b", Documents: 14, SyncedAt: w.Now().Add(-2 * time.Minute), Problems: []origin.Problem{
				{File: "tests/checkout.yaml", Line: 17, Field: "spec.steps[0].run", Message: "params.user is not declared; did you mean users?"},
			},
		},
		{
			ID: uuid.UUID{2}, Name: "platform", URL: "ssh://git@git.acme.example/acme/platform.git", Team: "platform", Commit: "9c1d5e8b7a6f4c3d2e1f0a9b8c7d6e5f4a3b3f2a",
			Documents: 3, SyncedAt: w.Now().Add(-3 * time.Hour), Failure: "The git server shows another host key than those that were registered.",
		},
	}
}

// Revisions implements view.Origins.
func (o *Origins) Revisions(ctx context.Context, kind, name string, _ int, after string) (list []workflow.Revision, next string, err error) {
	current, err := o.current(ctx, kind, name)
	if err != nil || after != "" {
		return nil, "", err
	}
	for n := current.Revision; n > 0; n-- {
		list = append(list, o.revision(current, n))
	}
	return list, "", nil
}

// Revision implements view.Origins.
func (o *Origins) Revision(ctx context.Context, kind, name string, number int) (workflow.Revision, error) {
	current, err := o.current(ctx, kind, name)
	if err == nil && number > current.Revision {
		err = fault.New(fault.NotFound, "%s has no revision %d", name, number)
	}
	return o.revision(current, number), err
}

func (o *Origins) current(ctx context.Context, kind, name string) (workflow.Record, error) {
	if kind == "TestWorkflowTemplate" {
		t, err := o.Catalog().Template(ctx, name)
		return t.Record, err //nolint:wrapcheck // transparent
	}
	w, err := o.Catalog().Workflow(ctx, name)
	return w.Record, err //nolint:wrapcheck // transparent
}

// revision makes one up: earlier ones have a line less, and another one.
func (o *Origins) revision(of workflow.Record, n int) workflow.Revision {
	out := workflow.Revision{Number: n, Digest: of.Digest, CreatedAt: of.UpdatedAt, Source: of.Source, Current: n == of.Revision}
	if n < of.Revision {
		back := time.Duration(of.Revision-n) * 24 * time.Hour
		out.Digest, out.CreatedAt = strings.Repeat(string(rune('a'+n%6)), len(of.Digest)), of.UpdatedAt.Add(-back)
		lines := strings.SplitAfter(of.Source, "\n")
		if len(lines) > 4 {
			lines = append(append(lines[:3:3], "  # before\n"), lines[4:len(lines)-1]...)
		}
		out.Source = strings.Join(lines, "")
	}
	return out
}

// AllClaims implements view.Origins.
func (o *Origins) AllClaims(ctx context.Context, _ int) ([]origin.Claim, error) {
	if len(o.Repos) == 0 {
		return nil, o.allowed(ctx)
	}
	return []origin.Claim{
		{Kind: "TestWorkflow", Name: "checkout-api", Origin: o.Repos[0].Origin(), Owns: true},
		{
			Kind: "TestWorkflow", Name: "checkout-api", Origin: origin.Origin{Cluster: uuid.UUID{3}, Namespace: "shop", Place: "us-1"}, Reason: origin.Conflict,
			Message: "TestWorkflow checkout-api is kept in the repository shop. Change it there, or give this one another name.",
		},
	}, o.allowed(ctx)
}

// Repositories implements view.Origins.
func (o *Origins) Repositories(ctx context.Context) ([]origin.Repository, error) {
	return o.Repos, o.allowed(ctx)
}

// AddRepository implements view.Repositories.
func (o *Origins) AddRepository(ctx context.Context, r origin.Repository, c origin.Credential) (origin.Repository, error) {
	if strings.HasPrefix(r.URL, "http://10.") {
		return r, fault.New(fault.Invalid, "the control plane does not connect there").WithField("url")
	}
	r.TeamID, o.Given = o.Member.Viewer.Team, c
	o.Repos = append(o.Repos, r)
	return r, o.allowed(ctx)
}

// SyncNamed implements view.Repositories.
func (o *Origins) SyncNamed(ctx context.Context, name string) (origin.Repository, error) {
	for i := range o.Repos {
		if o.Repos[i].Name == name {
			o.Repos[i].SyncedAt, o.Repos[i].Failure = o.Now(), ""
			return o.Repos[i], o.allowed(ctx)
		}
	}
	return origin.Repository{}, fault.New(fault.NotFound, "there is no repository %q", name)
}

// RemoveRepository implements view.Repositories.
func (o *Origins) RemoveRepository(ctx context.Context, name string, keep bool) error {
	o.Kept = keep
	for i := range o.Repos {
		if o.Repos[i].Name == name {
			o.Repos = append(o.Repos[:i:i], o.Repos[i+1:]...)
			return o.allowed(ctx)
		}
	}
	return fault.New(fault.NotFound, "there is no repository %q", name)
}
