package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/view"
)

// policy lets a page load its own files and nothing else. Script made of text is allowed in one place: the policy "page", which
// takes over parts of this site's own pages.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types page"

// maxForm is how many bytes a form may have.
const maxForm = 64 << 10

// headers adds what every answer carries.
func (s *site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.secure(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// recovered turns a defect in one page into an error page, so that it costs one request.
func (s *site) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause) //nolint:forbidigo // the server's own way to cut a connection
			}
			s.fail(w, r, fmt.Errorf("defect: %v\n%s", cause, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}

// secure reports whether the browser's connection is encrypted.
func (s *site) secure(r *http.Request) bool {
	return r.TLS != nil || (s.public != nil && s.public.Scheme == "https")
}

// address returns the address that people use.
func (s *site) address(r *http.Request) string {
	if s.public != nil {
		return s.public.String()
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

type openPage func(w http.ResponseWriter, r *http.Request) error

// open serves a page that needs no session.
func (s *site) open(page openPage) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := page(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

type memberPage func(w http.ResponseWriter, r *http.Request, m view.Member) error

type memberKey struct{}

// member serves a page to somebody who is signed in, on behalf of the organization in the address. Another organization's pages
// are not found, as if there were none.
func (s *site) member(page memberPage) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m, err := s.Sessions.Viewer(r.Context(), cookie(r), remoteOf(r))
		if fault.Is(err, fault.Unauthenticated) && r.Header.Get("Accept") != eventStream && !s.wantsData(r) {
			s.askToSignIn(w, r)
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		audit.Of(r.Context()).By(m.Viewer)
		if t := m.Renewed; t.Cookie != "" {
			s.keep(w, r, view.SessionCookie, t.Cookie, t.ExpiresAt.Sub(s.Now()))
		}
		ctx := context.WithValue(tenant.WithViewer(r.Context(), m.Viewer), memberKey{}, m)
		r = r.WithContext(ctx)
		if org := r.PathValue("org"); org != "" && org != m.Organization {
			err = notFound()
		} else {
			err = page(w, r, m)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// notFound is the one answer for what is absent and for what belongs to somebody else.
func notFound() error { return fault.New(fault.NotFound, "there is nothing at this address") }

func (s *site) absent(http.ResponseWriter, *http.Request, view.Member) error { return notFound() }

func (s *site) askToSignIn(w http.ResponseWriter, r *http.Request) {
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *site) denied(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, fault.New(fault.Forbidden, "The request came from another site.").
		WithHint("Open Seatrial at %s and send the form from there.", s.address(r)))
}

// local returns an address of this site to go on to, or the start page for any other.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return u.RequestURI()
}

// goOn sends the browser to an address of this site.
func goOn(w http.ResponseWriter, r *http.Request, next string) {
	http.Redirect(w, r, local(next), http.StatusSeeOther) //nolint:gosec // G710: local lets no other site through
}
