package web

import (
	"bytes"
	"net/http"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/report"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// snapshotPolicy lets a report use the style that it carries, and nothing else.
const snapshotPolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox"

// snapshot is what somebody reads who has a link and need not have an account: one document that leads nowhere else.
func (s *site) snapshot(w http.ResponseWriter, r *http.Request) error {
	return s.showSnapshot(w, r, report.HTML)
}

func (s *site) snapshotData(w http.ResponseWriter, r *http.Request) error {
	return s.showSnapshot(w, r, report.JSON)
}

func (s *site) showSnapshot(w http.ResponseWriter, r *http.Request, f report.Format) error {
	select { // whoever has a link needs no account: reports are large, and few are made at a time
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	h := w.Header()
	h.Set("Referrer-Policy", "no-referrer") // the address is the secret
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	ctx, _ := audit.Begin(r.Context(), "OpenSnapshot", remoteOf(r)) // the store puts on record what was opened, and nothing else
	found, err := s.Snapshots.OpenSnapshot(ctx, r.PathValue("secret"))
	if fault.Is(err, fault.NotFound) {
		return render(r.Context(), w, http.StatusNotFound, pages.Problem, pages.ProblemProps{
			Frame: s.frame(r, "Not found", ""), Status: http.StatusNotFound, ID: s.NewID(), Title: "This link leads nowhere",
			Message: "It may have expired, or somebody may have revoked it.", Hint: "Ask whoever gave it to you for a new one.",
		})
	}
	if err != nil {
		return err
	}
	head, out, err := report.Read(found.Content)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := report.Write(&b, f, head, out); err != nil {
		return err
	}
	if h.Set("Content-Type", "text/html; charset=utf-8"); f == report.JSON {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Content-Security-Policy", snapshotPolicy)
	_, _ = b.WriteTo(w) // when the browser has gone there is nobody to tell
	return nil
}

// share makes a link to the release as it is now. The answer shows it once, so it is a page and not a redirection.
func (s *site) share(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRelease, "share releases"); err != nil {
		return err
	}
	found, err := s.findRelease(r)
	if err != nil {
		return err
	}
	lifetime, err := lasting(r.PostForm.Get("for"))
	var p pages.ReleaseProps
	if err == nil {
		var secret string
		if p.Shared.Made, secret, err = s.Snapshots.Share(r.Context(), found.Application, found.Version, lifetime); err == nil {
			p.Shared.Link = s.address(r) + release.SnapshotPath(secret)
			return s.showRelease(w, r, m, http.StatusOK, found, p)
		}
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	p.Wrong = wrong
	return s.showRelease(w, r, m, statusOf(fault.KindOf(err)), found, p)
}

// snapshots lists what of the organization can be read by others.
func (s *site) snapshots(w http.ResponseWriter, r *http.Request, m view.Member) (err error) {
	p := pages.SnapshotsProps{SettingsProps: s.settingsOf(r, m, "snapshots", "Snapshots"), MayRevoke: m.Viewer.Allows(tenant.ScopeRelease)}
	if p.List, err = s.Snapshots.Snapshots(r.Context(), "", ""); err != nil {
		return err
	}
	return show(w, r, http.StatusOK, pages.Snapshots, p)
}

// revokeSnapshot makes a link useless, and goes back to the page with the button.
func (s *site) revokeSnapshot(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRelease, "revoke snapshots"); err != nil {
		return err
	}
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := s.Snapshots.RevokeSnapshot(r.Context(), id); err != nil {
		return err
	}
	if application, version := r.PostForm.Get("application"), r.PostForm.Get("version"); application != "" && version != "" {
		http.Redirect(w, r, pages.ReleasePath(m.Organization, application, version)+"#shared", http.StatusSeeOther) //nolint:gosec // G710: a path below that of the organization
		return nil
	}
	return back(w, r, m, "snapshots")
}
