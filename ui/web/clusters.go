package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

func (s *site) clusters(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showClusters(w, r, m, http.StatusOK, pages.ClustersProps{})
}

func (s *site) showClusters(w http.ResponseWriter, r *http.Request, m view.Member, status int, p pages.ClustersProps) (err error) {
	if p.Clusters, err = s.Fleet.Clusters(r.Context()); err != nil {
		return err
	}
	if p.Environments, err = s.Fleet.Environments(r.Context()); err != nil {
		return err
	}
	p.Frame = s.frame(r, "Clusters", parts.Clusters)
	p.MayEnroll, p.Role = m.Viewer.Allows(tenant.ScopeAdmin), string(m.Viewer.Role)
	return render(r.Context(), w, status, pages.Clusters, p)
}

// enroll registers a cluster. The answer holds a token that is shown once, so it is a page and not a redirection.
func (s *site) enroll(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeAdmin, "enroll clusters"); err != nil {
		return err
	}
	trimmed := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	asked := view.Enrollment{Name: trimmed("name"), Namespace: trimmed("namespace"), Environment: trimmed("environment")}
	done, err := s.Fleet.Enroll(r.Context(), asked)
	if err == nil {
		return s.showClusters(w, r, m, http.StatusOK, pages.ClustersProps{Enrolled: &done})
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	return s.showClusters(w, r, m, statusOf(fault.KindOf(err)), pages.ClustersProps{Asked: asked, Wrong: wrong})
}

// revokeAgent takes the right of a cluster's agent away.
func (s *site) revokeAgent(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeAgent(w, r, m, "revoke agents", func() error {
		return s.Fleet.Revoke(r.Context(), r.PathValue("name"), strings.TrimSpace(r.PostForm.Get("reason")))
	})
}

// rotateKey asks a cluster's agent to take another key.
func (s *site) rotateKey(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeAgent(w, r, m, "ask for other keys", func() error { return s.Fleet.RotateKey(r.Context(), r.PathValue("name")) })
}

// drainCluster lets nothing begin in a cluster any more.
func (s *site) drainCluster(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeAgent(w, r, m, "drain clusters", func() error {
		return s.Fleet.Drain(r.Context(), r.PathValue("name"), strings.TrimSpace(r.PostForm.Get("reason")))
	})
}

// undrainCluster lets what waits for a cluster begin again.
func (s *site) undrainCluster(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeAgent(w, r, m, "undrain clusters", func() error { return s.Fleet.Undrain(r.Context(), r.PathValue("name")) })
}

// limitCluster says how many runs may be under way in a cluster at once.
func (s *site) limitCluster(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeAgent(w, r, m, "limit clusters", func() error {
		text := strings.TrimSpace(r.PostForm.Get("runs"))
		runs, err := strconv.Atoi(cmp.Or(text, "0"))
		if err != nil {
			return fault.New(fault.Invalid, "%q is no number of runs", text).WithField("runs").WithHint("Give a whole number, or nothing for as many as the agent takes.")
		}
		return s.Fleet.Limit(r.Context(), r.PathValue("name"), runs)
	})
}

// changeAgent does something to a cluster's agent and shows the clusters as they are then.
func (s *site) changeAgent(w http.ResponseWriter, r *http.Request, m view.Member, what string, change func() error) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeAdmin, what); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	http.Redirect(w, r, pages.ClustersPath(m.Organization)+"#cluster-"+url.PathEscape(r.PathValue("name")), http.StatusSeeOther)
	return nil
}
