package web

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/readiness"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

func (s *site) releases(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	q := r.URL.Query()
	p := pages.ReleasesProps{
		Frame: s.frame(r, "Releases", parts.Releases), Application: strings.TrimSpace(q.Get("application")), Paged: q.Has("after"),
	}
	list, next, err := s.Releases.List(r.Context(), p.Application, pageSize, q.Get("after"))
	if err != nil {
		return err
	}
	p.List, p.Next = list, following(r.URL, "after", next)
	if len(list) == 0 {
		if p.Policies, err = s.Catalog.Policies(r.Context()); err != nil {
			return err
		}
	}
	return render(r.Context(), w, http.StatusOK, pages.Releases, p)
}

// findRelease returns the release in the address. An application that holds a slash is one segment of it all the same: the address
// is escaped, and its segments are not when they get here.
func (s *site) findRelease(r *http.Request) (release.Release, error) {
	return s.Releases.Get(r.Context(), r.PathValue("application"), r.PathValue("version"))
}

func (s *site) release(w http.ResponseWriter, r *http.Request, m view.Member) error {
	name := releaseName{r.PathValue("application"), r.PathValue("version")}
	found, err := s.judged.looking.Ask(r.Context(), name, func(ctx context.Context) (shownRelease, error) {
		found, err := s.Releases.Get(ctx, name.application, name.version)
		if err != nil {
			return shownRelease{}, err
		}
		return s.shown(found)
	})
	if err != nil {
		return err
	}
	q := r.URL.Query()
	p := pages.ReleaseProps{
		All: q.Get("all"), After: q.Get("after"), Before: q.Get("before"), Suite: q.Get("suite"), Form: pages.WaiverForm{Fault: q.Get("waive")},
		Version: found.version, Events: pages.ReleasePath(m.Organization, found.Application, found.Version) + "/events",
	}
	return s.writeRelease(w, r, m, http.StatusOK, found, p)
}

// showRelease writes the page. Without a script it is loaded again while tests are under way, unless it has forms: nobody's half
// written reason is taken away.
func (s *site) showRelease(w http.ResponseWriter, r *http.Request, m view.Member, status int, found release.Release, p pages.ReleaseProps) error {
	shown, err := s.shown(found)
	if err != nil {
		return err
	}
	return s.writeRelease(w, r, m, status, shown, p)
}

// shownRelease is a release as its page shows it. Nobody changes it: others are shown the same.
type shownRelease struct {
	release.Release

	report  readiness.Report
	version string
}

func (s *site) shown(found release.Release) (out shownRelease, err error) {
	said, err := s.judged.decided(found)
	if err != nil {
		return out, err
	}
	return shownRelease{found, readiness.Of(found, said, s.Now()), releaseVersion(found)}, nil
}

func (s *site) writeRelease(w http.ResponseWriter, r *http.Request, m view.Member, status int, found shownRelease, p pages.ReleaseProps) (err error) {
	p.Frame = s.frame(r, found.Application+" "+found.Version+": "+words.Readiness(found.State), parts.Releases)
	p.Release, p.Report = found.Release, found.report
	p.Viewer, p.MayWaive, p.Role = m.Viewer.Name, m.Viewer.Allows(tenant.ScopeRelease), string(m.Viewer.Role)
	if p.Shared.List, err = s.Snapshots.Snapshots(r.Context(), found.Application, found.Version); err != nil {
		return err
	}
	p.Frame.Refresh = p.Events != "" && p.Report.Running() && !p.MayWaive
	return render(r.Context(), w, status, pages.Release, p)
}

// decided reads the last verdict on a release; the zero one before the first.
func decided(r release.Release) (out verdict.Output, err error) {
	if len(r.Verdict) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(r.Verdict, &out); err != nil {
		return out, fmt.Errorf("read the verdict on release %s: %w", r.ID, err)
	}
	return out, nil
}

// releaseVersion identifies the state of a release. That the same verdict was made again is no change. The verdict and what is required may be
// megabytes: the one is not written anew for that, and the other is frozen.
func releaseVersion(r release.Release) string {
	said := sha256.Sum256(r.Verdict)
	r.Decided, r.Stale, r.Verdict, r.Cells = time.Time{}, false, nil, nil
	return version(struct {
		release.Release

		Said []byte
	}{r, said[:]})
}

// waive asks for a waiver. A form with a fault is shown again as it was filled in.
func (s *site) waive(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRelease, "ask for waivers"); err != nil {
		return err
	}
	found, err := s.findRelease(r)
	if err != nil {
		return err
	}
	said := r.PostForm.Get
	ask := release.Ask{
		Rule: said("rule"), Environment: said("environment"), Suite: said("suite"), Test: said("test"), Variant: said("variant"),
		Fingerprint: said("fingerprint"), Reason: strings.TrimSpace(said("reason")),
	}
	form := pages.WaiverForm{
		Fault:  readiness.FaultID(ask.Rule, readiness.Place{Environment: ask.Environment, Suite: ask.Suite}, ask.Test, ask.Variant),
		Reason: ask.Reason, For: said("for"),
	}
	if ask.For, err = lasting(form.For); err == nil {
		_, err = s.Releases.Waive(r.Context(), found.Application, found.Version, ask)
	}
	if err == nil {
		http.Redirect(w, r, pages.ReleasePath(m.Organization, found.Application, found.Version)+"#waivers", http.StatusSeeOther)
		return nil
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	form.Wrong = wrong
	return s.showRelease(w, r, m, statusOf(fault.KindOf(err)), found, pages.ReleaseProps{Form: form})
}

// lasting reads how long a waiver is to hold; none is as long as the policy allows.
func lasting(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fault.New(fault.Invalid, "%q is no length of time", text).WithField("for").WithHint("Choose one of the list.")
	}
	return d, nil
}

func (s *site) approve(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.decide(w, r, m, "approve waivers", s.Releases.Approve)
}

func (s *site) revoke(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.decide(w, r, m, "revoke waivers", s.Releases.Revoke)
}

// waiverChange approves or revokes a waiver of a release.
type waiverChange func(ctx context.Context, application, version, waiver string) error

// decide changes a waiver. Who may not is told on the page of the release, where they see who may.
func (s *site) decide(w http.ResponseWriter, r *http.Request, m view.Member, what string, change waiverChange) error {
	if err := may(m, tenant.ScopeRelease, what); err != nil {
		return err
	}
	found, err := s.findRelease(r)
	if err != nil {
		return err
	}
	err = change(r.Context(), found.Application, found.Version, r.PathValue("waiver"))
	if err == nil {
		http.Redirect(w, r, pages.ReleasePath(m.Organization, found.Application, found.Version)+"#waivers", http.StatusSeeOther)
		return nil
	}
	wrong, ok := correctable(err)
	var f *fault.Error
	switch {
	case ok:
	case fault.Is(err, fault.Forbidden) && errors.As(err, &f):
		wrong = pages.Wrong{Message: sentence(f.Message), Hint: f.Hint}
	default:
		return err
	}
	return s.showRelease(w, r, m, statusOf(fault.KindOf(err)), found, pages.ReleaseProps{Wrong: wrong})
}
