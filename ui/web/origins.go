package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	source "github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/diff"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

const (
	revisionRows = 50
	claimRows    = 5000
)

// workflowHistory is the page of the revisions of a workflow.
func (s *site) workflowHistory(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	return s.showHistory(w, r, document.Workflow)
}

// templateHistory is the page of the revisions of a template.
func (s *site) templateHistory(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	return s.showHistory(w, r, document.TemplateKind)
}

func (s *site) showHistory(w http.ResponseWriter, r *http.Request, kind string) error {
	name, q := r.PathValue("name"), r.URL.Query()
	list, next, err := s.Origins.Revisions(r.Context(), kind, name, revisionRows, q.Get("after"))
	if err != nil {
		return err
	}
	p := pages.HistoryProps{
		Frame: s.frame(r, name+": history", parts.Catalog), Name: name, Template: kind == document.TemplateKind, Revisions: list,
		Next: following(r.URL, "after", next), Paged: q.Has("after"),
	}
	if p.From, p.To, err = compared(r, list); err != nil || p.To == 0 {
		if err != nil {
			return err
		}
		return render(r.Context(), w, http.StatusOK, pages.History, p)
	}
	after, err := s.Origins.Revision(r.Context(), kind, name, p.To)
	if err != nil {
		return err
	}
	var before workflow.Revision
	if p.From > 0 {
		if before, err = s.Origins.Revision(r.Context(), kind, name, p.From); err != nil {
			return err
		}
	}
	if p.Hunks, err = diff.Lines(before.Source, after.Source); err != nil {
		return err
	}
	return render(r.Context(), w, http.StatusOK, pages.History, p)
}

// compared returns the revisions to compare: those of the address, else the newest and the one before it.
func compared(r *http.Request, list []workflow.Revision) (from, to int, err error) {
	q := r.URL.Query()
	number := func(name string, otherwise int) int {
		text := q.Get(name)
		if text == "" {
			return otherwise
		}
		n, wrong := strconv.Atoi(text)
		if wrong != nil || n < 1 {
			err = notFound()
		}
		return n
	}
	newest := 0
	if len(list) > 0 {
		newest = list[0].Number
	}
	to = number("to", newest)
	from = number("from", to-1)
	return from, to, err
}

// repositories is the page of the settings with the git repositories, and with what of clusters and repositories the catalog does not have.
func (s *site) repositories(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showRepositories(w, r, m, http.StatusOK, pages.Wrong{}, pages.RepositoryForm{})
}

func (s *site) showRepositories(w http.ResponseWriter, r *http.Request, m view.Member, status int, wrong pages.Wrong, form pages.RepositoryForm) (err error) {
	p := pages.RepositoriesProps{
		SettingsProps: s.settingsOf(r, m, "repositories", "Repositories"), Form: form, MayChange: m.Viewer.Allows(tenant.ScopeCatalog), Viewer: m.Viewer,
	}
	p.Wrong = wrong
	if p.Repositories, err = s.Origins.Repositories(r.Context()); err != nil {
		return err
	}
	claims, err := s.Origins.AllClaims(r.Context(), claimRows)
	if err != nil {
		return err
	}
	for _, c := range claims {
		if c.Reason != source.Synced {
			p.Waiting = append(p.Waiting, c)
		}
	}
	if p.Teams, err = s.People.Teams(r.Context()); err != nil {
		return err
	}
	return show(w, r, status, pages.Repositories, p)
}

func (s *site) addRepository(w http.ResponseWriter, r *http.Request, m view.Member) error {
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	form := func() pages.RepositoryForm {
		return pages.RepositoryForm{Name: text("name"), URL: text("url"), Branch: text("branch"), Path: text("path"), Team: text("team"), All: text("kinds") == "all"}
	}
	return changed(w, r, m, "repositories", func(ctx context.Context) error {
		kinds := source.KindsTests
		if form().All {
			kinds = source.KindsAll
		}
		added, err := s.Repositories.AddRepository(ctx, source.Repository{
			Name: text("name"), URL: text("url"), Branch: text("branch"), Path: text("path"), Team: text("team"), Kinds: kinds,
		}, source.Credential{User: text("user"), Token: text("token"), Key: r.PostForm.Get("key"), HostKeys: text("host_keys")})
		if err != nil {
			return err
		}
		_, err = s.Repositories.SyncNamed(ctx, added.Name)
		return err
	}, func(wrong pages.Wrong, status int) error { return s.showRepositories(w, r, m, status, wrong, form()) })
}

func (s *site) syncRepository(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeRepository(w, r, m, func(ctx context.Context, name string) error {
		_, err := s.Repositories.SyncNamed(ctx, name)
		return err
	})
}

func (s *site) removeRepository(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeRepository(w, r, m, func(ctx context.Context, name string) error {
		return s.Repositories.RemoveRepository(ctx, name, r.PostForm.Get("keep") != "")
	})
}

func (s *site) changeRepository(w http.ResponseWriter, r *http.Request, m view.Member, do func(ctx context.Context, name string) error) error {
	return changed(w, r, m, "repositories", func(ctx context.Context) error { return do(ctx, r.PathValue("name")) },
		func(wrong pages.Wrong, status int) error {
			return s.showRepositories(w, r, m, status, whole(wrong), pages.RepositoryForm{})
		})
}
