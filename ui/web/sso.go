package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

const (
	begunCookie = "seatrial_sign_in"
	begunFor    = 10 * time.Minute
)

// ssoPage asks for the organization and lists its identity providers. An organization that is unknown has none.
func (s *site) ssoPage(w http.ResponseWriter, r *http.Request) (err error) {
	p := pages.SSOProps{
		Frame: s.frame(r, "Single sign-on", ""), Organization: strings.TrimSpace(r.URL.Query().Get("organization")), Next: local(r.URL.Query().Get("next")),
	}
	p.Frame.Path = "/login/sso"
	if p.Organization != "" {
		if p.Ways, err = s.SSO.Ways(r.Context(), p.Organization); err != nil {
			return err
		}
		if len(p.Ways) == 0 {
			p.Wrong = pages.Wrong{
				Field: "organization", Message: "No single sign-on is set up for an organization of this name.", Hint: "Check the name: it is in the address of its pages. Or sign in with your password.",
			}
		}
	}
	return render(r.Context(), w, http.StatusOK, pages.SSO, p)
}

// ssoBegin sends the browser to the identity provider. It changes nothing but a cookie, so that a link may lead here.
func (s *site) ssoBegin(w http.ResponseWriter, r *http.Request) error {
	to, kept, err := s.SSO.Begin(r.Context(), r.PathValue("org"), r.PathValue("provider"), s.address(r), local(r.URL.Query().Get("next")))
	if err != nil {
		return s.ssoRefused(w, r, err)
	}
	s.keep(w, r, begunCookie, kept, begunFor)
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // G710: of a provider that an admin has set
	return nil
}

// ssoFinish is where the identity provider sends the browser back to.
func (s *site) ssoFinish(w http.ResponseWriter, r *http.Request) error {
	kept := ""
	if c, err := r.Cookie(begunCookie); err == nil {
		kept = c.Value
	}
	s.keep(w, r, begunCookie, "", 0) // it is good for one try
	t, next, err := s.SSO.Finish(r.Context(), view.Back{
		Organization: r.PathValue("org"), Provider: r.PathValue("provider"), Kept: kept, Query: r.URL.Query(),
	}, tenant.Entry{Remote: remoteOf(r), Browser: r.UserAgent()})
	if err != nil {
		return s.ssoRefused(w, r, err)
	}
	s.keep(w, r, view.SessionCookie, t.Cookie, t.ExpiresAt.Sub(s.Now()))
	goOn(w, r, next)
	return nil
}

// ssoRefused says why somebody is not signed in, and offers to try again.
func (s *site) ssoRefused(w http.ResponseWriter, r *http.Request, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal || f.Kind == fault.NotFound {
		return err
	}
	if f.Kind == fault.Unavailable || f.Kind == fault.Invalid {
		s.Log.WarnContext(r.Context(), "an identity provider does not work", "organization", r.PathValue("org"), "provider", r.PathValue("provider"), "error", err)
	}
	p := pages.SSOProps{
		Frame: s.frame(r, "Single sign-on", ""), Organization: r.PathValue("org"), Next: "/", Ways: []string{r.PathValue("provider")},
		Refused: pages.Wrong{Message: sentence(f.Message), Hint: f.Hint},
	}
	p.Frame.Path = "/login/sso" // what the provider added to the address goes nowhere else
	return render(r.Context(), w, statusOf(f.Kind), pages.SSO, p)
}
