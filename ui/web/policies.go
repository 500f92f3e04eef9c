package web

import (
	"net/http"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
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
	if i := slices.IndexFunc(p.List, func(one workflow.Record) bool { return one.Name == r.URL.Query().Get("policy") }); i >= 0 {
		p.Source = p.List[i].Source
	}
	return show(w, r, http.StatusOK, pages.Policies, p)
}

// tryPolicy says what the document in the form would have said of past releases. It changes nothing.
func (s *site) tryPolicy(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	p, err := s.policyProps(r, m)
	if err != nil {
		return err
	}
	p.Source = r.PostForm.Get("source")
	trials, err := s.Releases.Try(r.Context(), release.TrialRequest{Source: p.Source})
	if err == nil {
		p.Trials = &trials
		return show(w, r, http.StatusOK, pages.Policies, p)
	}
	var ok bool
	if p.Wrong, ok = correctable(err); !ok {
		return err
	}
	return show(w, r, statusOf(fault.KindOf(err)), pages.Policies, p)
}

func (s *site) policyProps(r *http.Request, m view.Member) (p pages.PoliciesProps, err error) {
	p.SettingsProps = s.settingsOf(r, m, "policies", "Readiness policies")
	p.List, err = s.Catalog.Policies(r.Context())
	return p, err
}
