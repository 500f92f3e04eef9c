package web

import (
	"context"
	"net/http"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// setOwner hands a workflow to another team.
func (s *site) setOwner(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeWorkflow(w, r, m, func(ctx context.Context, name string) error {
		return s.People.SetOwner(ctx, tenant.Thing{Kind: tenant.Workflow, Name: name}, r.PostForm.Get("team"))
	})
}

// restrict keeps a workflow to its team, or shares it again.
func (s *site) restrict(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeWorkflow(w, r, m, func(ctx context.Context, name string) error {
		return s.People.RestrictWorkflow(ctx, name, r.PostForm.Get("restricted") != "")
	})
}

func (s *site) changeWorkflow(w http.ResponseWriter, r *http.Request, m view.Member, do func(ctx context.Context, name string) error) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := do(r.Context(), r.PathValue("name")); err != nil {
		return err
	}
	goOn(w, r, "/o/"+m.Organization+"/workflows/"+r.PathValue("name"))
	return nil
}

func (s *site) quotas(w http.ResponseWriter, r *http.Request, m view.Member) (err error) {
	p := pages.UsageProps{SettingsProps: s.settingsOf(r, m, "usage", "Usage")}
	if p.Usage, err = s.People.Usage(r.Context()); err != nil {
		return err
	}
	return show(w, r, http.StatusOK, pages.Usage, p)
}

// retention says what is kept for how long, and where that is set.
func (s *site) retention(w http.ResponseWriter, r *http.Request, m view.Member) error {
	p := pages.RetentionProps{SettingsProps: s.settingsOf(r, m, "retention", "Retention"), Kept: s.Retention}
	return show(w, r, http.StatusOK, pages.Retention, p)
}
