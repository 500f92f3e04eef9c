package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// policies lists the readiness policies. The document of the one that the address names is in the form, to be changed and tried.
func (s *site) policies(w http.ResponseWriter, r *http.Request, m view.Member) error {
	p, err := s.policyProps(r, m)
	if err != nil {
		return err
	}
	asked := r.URL.Query()
	named := func(name string) int {
		return slices.IndexFunc(p.List, func(one workflow.Record) bool { return one.Name == name })
	}
	switch i := named(asked.Get("policy")); {
	case i >= 0:
		p.Source = p.List[i].Source
	case asked.Has("new"), len(p.List) == 0:
		p.Source = pages.FirstPolicy
	}
	if i := named(asked.Get("saved")); i >= 0 {
		p.Saved = &p.List[i]
	}
	return show(w, r, http.StatusOK, pages.Policies, p)
}

// tryPolicy says what the document in the form would have said of past releases, and what saving it would do. It changes nothing.
func (s *site) tryPolicy(w http.ResponseWriter, r *http.Request, m view.Member) error {
	p, err := s.sentPolicy(r, m)
	if err != nil {
		return err
	}
	trials, err := s.Releases.Try(r.Context(), release.TrialRequest{File: "the policy", Source: p.Source})
	if err == nil {
		p.Trials = &trials
		p.Would, err = s.Catalog.CheckPolicy(r.Context(), p.Source)
	}
	if err != nil {
		return policyRefused(w, r, p, err)
	}
	return show(w, r, http.StatusOK, pages.Policies, p)
}

// savePolicy stores the document that was tried.
func (s *site) savePolicy(w http.ResponseWriter, r *http.Request, m view.Member) error {
	p, err := s.sentPolicy(r, m)
	if err != nil {
		return err
	}
	if err := may(m, tenant.ScopeCatalog, "change readiness policies"); err != nil {
		return err
	}
	done, err := s.Catalog.ApplyPolicy(r.Context(), p.Source, r.PostForm.Get("team"))
	if err != nil {
		return policyRefused(w, r, p, err)
	}
	http.Redirect(w, r, "/o/"+m.Organization+"/settings/policies?"+url.Values{"saved": {done.Record.Name}}.Encode(), http.StatusSeeOther)
	return nil
}

// policyRefused shows the form again, as it was sent, with what is wrong with its document.
func policyRefused(w http.ResponseWriter, r *http.Request, p pages.PoliciesProps, err error) error {
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	// Whatever is at fault is in the document, unless it is the state of the organization that does not allow it.
	if p.Wrong, p.Trials = wrong, nil; fault.Is(err, fault.Invalid) || fault.Is(err, fault.Unsupported) {
		p.Wrong.Field = "source"
	}
	return show(w, r, statusOf(fault.KindOf(err)), pages.Policies, p)
}

// sentPolicy is the page with the document that a form has sent.
func (s *site) sentPolicy(r *http.Request, m view.Member) (p pages.PoliciesProps, err error) {
	if err := parse(r); err != nil {
		return p, err
	}
	if p, err = s.policyProps(r, m); err != nil {
		return p, err
	}
	p.Source = strings.ReplaceAll(r.PostForm.Get("source"), "\r\n", "\n") // as browsers send lines
	return p, nil
}

func (s *site) policyProps(r *http.Request, m view.Member) (p pages.PoliciesProps, err error) {
	p.SettingsProps = s.settingsOf(r, m, "policies", "Readiness policies")
	p.Viewer = m.Viewer
	if p.List, err = s.Catalog.Policies(r.Context()); err != nil || !m.Viewer.Allows(tenant.ScopeCatalog) {
		return p, err
	}
	p.Teams, err = s.People.Teams(r.Context())
	return p, err
}
