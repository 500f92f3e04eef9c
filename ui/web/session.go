package web

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

const themeCookie = "seatrial_theme"

// cookie returns the secret of the session, empty when there is none.
func cookie(r *http.Request) string {
	c, err := r.Cookie(view.SessionCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// theme returns the colours that were chosen, empty for the system's.
func theme(r *http.Request) string {
	c, err := r.Cookie(themeCookie)
	if err != nil || (c.Value != "light" && c.Value != "dark") {
		return ""
	}
	return c.Value
}

// keep sets a cookie that scripts cannot read and other sites do not send.
func (s *site) keep(w http.ResponseWriter, r *http.Request, name, value string, age time.Duration) {
	c := &http.Cookie{ //nolint:gosec // G124: Secure follows the connection; plain HTTP on loopback must work
		Name: name, Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteLaxMode,
	}
	if age <= 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (s *site) loginPage(w http.ResponseWriter, r *http.Request) error {
	next := r.URL.Query().Get("next")
	if _, err := s.Sessions.Viewer(r.Context(), cookie(r), remoteOf(r)); err == nil {
		goOn(w, r, next)
		return nil
	}
	p := pages.LoginProps{Frame: s.frame(r, "Sign in", ""), Next: local(next)}
	return render(r.Context(), w, http.StatusOK, pages.Login, p)
}

// signIn takes e-mail and password first, and a code on a second page where there is a second factor.
func (s *site) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	next := r.PostForm.Get("next")
	e := tenant.Entry{
		Email: strings.TrimSpace(r.PostForm.Get("email")), Password: r.PostForm.Get("password"), Halfway: r.PostForm.Get("halfway"),
		Code: strings.TrimSpace(r.PostForm.Get("code")), Remote: remoteOf(r), Browser: r.UserAgent(),
	}
	p := pages.LoginProps{Frame: s.frame(r, "Sign in", ""), Email: e.Email, Next: local(next), Halfway: e.Halfway}
	t, err := s.Sessions.SignIn(r.Context(), e)
	switch {
	case err == nil && t.Cookie != "":
		s.keep(w, r, view.SessionCookie, t.Cookie, t.ExpiresAt.Sub(s.Now()))
		goOn(w, r, next)
		return nil
	case err == nil:
		p.Halfway = t.Halfway
		return render(r.Context(), w, http.StatusOK, pages.Login, p)
	}
	var ok bool
	switch p.Wrong, ok = correctable(err); {
	case fault.Is(err, fault.Unauthenticated):
		p.Wrong, p.Halfway = refused(err, p.Halfway)
	case !ok:
		return err
	}
	return render(r.Context(), w, statusOf(fault.KindOf(err)), pages.Login, p)
}

// refused says what was wrong with what somebody presented. Only who has given the right password is asked for a code again.
func refused(err error, halfway string) (wrong pages.Wrong, still string) {
	var f *fault.Error
	if errors.As(err, &f) && halfway != "" {
		if f.Field != "code" {
			halfway = ""
		}
		return pages.Wrong{Field: f.Field, Message: sentence(f.Message), Hint: f.Hint}, halfway
	}
	return pages.Wrong{Message: "E-mail and password do not belong together.", Hint: "Check both, or ask an admin to invite you anew."}, ""
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request) error {
	if c := cookie(r); c != "" {
		if err := s.Sessions.SignOut(r.Context(), c); err != nil && !fault.Is(err, fault.Unauthenticated) {
			return err
		}
	}
	s.keep(w, r, view.SessionCookie, "", 0)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func (s *site) setTheme(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	switch v := r.PostForm.Get("theme"); v {
	case "light", "dark":
		s.keep(w, r, themeCookie, v, 365*24*time.Hour)
	default:
		s.keep(w, r, themeCookie, "", 0)
	}
	goOn(w, r, r.PostForm.Get("next"))
	return nil
}

func (s *site) start(w http.ResponseWriter, r *http.Request, m view.Member) error {
	http.Redirect(w, r, "/o/"+m.Organization, http.StatusSeeOther)
	return nil
}

// parse reads a form.
func parse(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(fault.Invalid, err, "the form could not be read").WithHint("Send less than 64 KiB.")
	}
	return nil
}

// sentence makes a sentence of a message. One that begins with an address keeps it as it is.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if word, _, _ := strings.Cut(s, " "); !strings.Contains(word, "@") {
		first, size := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if strings.ContainsRune(".!?", rune(s[len(s)-1])) {
		return s
	}
	return s + "."
}

func or(s, nothing string) string {
	if s == "" {
		return nothing
	}
	return s
}
