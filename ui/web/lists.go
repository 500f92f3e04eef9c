package web

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

const (
	recent       = 20  // executions on the page of an organization
	newReleases  = 5   // releases above them
	fewRuns      = 10  // executions on the page of a workflow
	fewTemplates = 20  // templates below the workflows of the catalog
	maxSought    = 200 // bytes of a filter
	pageSize     = 50  // rows on a list
	tokenRows    = 100
	coverCells   = 450 // of the matrix of the catalog and the environments
)

func (s *site) overview(w http.ResponseWriter, r *http.Request, m view.Member) error {
	list, next, err := s.History.Executions(r.Context(), view.ExecutionQuery{Size: recent})
	if err != nil {
		return err
	}
	releases, older, err := s.Releases.List(r.Context(), "", newReleases, "")
	if err != nil {
		return err
	}
	clusters, err := s.Fleet.Clusters(r.Context())
	if err != nil {
		return err
	}
	flows, _, err := s.Catalog.Workflows(r.Context(), workflow.Filter{}, 1, "")
	if err != nil {
		return err
	}
	p := pages.OverviewProps{
		Frame: s.frame(r, "Overview of "+m.Organization, parts.Overview), Recent: list, More: next != "",
		Releases: releases, MoreReleases: older != "",
		Clusters: clusters, Workflows: len(flows) > 0, MayEnroll: m.Viewer.Allows(tenant.ScopeAdmin),
	}
	return render(r.Context(), w, http.StatusOK, pages.Overview, p)
}

func (s *site) executions(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	q := r.URL.Query()
	p := pages.ExecutionsProps{
		Frame: s.frame(r, "Executions", parts.Executions), Workflow: q.Get("workflow"), Status: execution.Status(q.Get("status")), Paged: q.Has("after"),
	}
	if !p.Status.Valid() {
		p.Status = ""
	}
	var next string
	var err error
	p.List, next, err = s.History.Executions(r.Context(), view.ExecutionQuery{
		Workflow: p.Workflow, Status: p.Status, Size: pageSize, After: q.Get("after"),
	})
	if err != nil {
		return err
	}
	p.Next = following(r.URL, "after", next)
	return render(r.Context(), w, http.StatusOK, pages.Executions, p)
}

func (s *site) templates(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	after := r.URL.Query().Get("after")
	list, next, err := s.Catalog.Templates(r.Context(), pageSize, after)
	if err != nil {
		return err
	}
	p := pages.TemplatesProps{
		Frame: s.frame(r, "Templates", parts.Catalog), Templates: list, Next: following(r.URL, "after", next), Paged: after != "",
	}
	return render(r.Context(), w, http.StatusOK, pages.Templates, p)
}

func (s *site) template(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	found, err := s.Catalog.Template(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	p := pages.TemplateProps{Frame: s.frame(r, found.Record.Name, parts.Catalog), Template: found}
	return render(r.Context(), w, http.StatusOK, pages.Template, p)
}

// following is the address of the next page of a list, empty after the last one.
func following(u *url.URL, name, cursor string) string {
	if cursor == "" {
		return ""
	}
	q := u.Query()
	q.Set(name, cursor)
	return u.Path + "?" + q.Encode()
}

// part returns the page of a list that begins after the name in the address, and the address of the next one, under the path of the list. The
// list is at hand as a whole, as few lists are: what is bounded is the page.
func part[T any](r *http.Request, path string, list []T, size int, name func(T) string) (page []T, next string) {
	at := &url.URL{Path: path}
	if r.Method == http.MethodGet { // what a form has sent is no address
		at.RawQuery = r.URL.RawQuery
	}
	if after := at.Query().Get("after"); after != "" {
		list = list[1+slices.IndexFunc(list, func(one T) bool { return name(one) == after }):]
	}
	if len(list) <= size {
		return list, ""
	}
	return list[:size], following(at, "after", name(list[size-1]))
}
