package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

// frame returns what surrounds a page for a request.
func (s *site) frame(r *http.Request, title string, area parts.Area) parts.Frame {
	f := parts.Frame{Title: title, Assets: s.static.Assets, Theme: theme(r), Path: "/", Now: s.Now(), Area: area, NoKeys: !keys(r), Still: r.URL.Query().Has(parts.Still)}
	if r.Method == http.MethodGet {
		f.Path, f.Data = r.URL.RequestURI(), s.hasData(r)
	}
	if m, ok := r.Context().Value(memberKey{}).(view.Member); ok {
		f.Org, f.Email = m.Organization, m.Viewer.Name
	}
	return f
}

// render writes a page as a whole: one that fails half way never looks like a page.
func render[P any](ctx context.Context, w http.ResponseWriter, status int, page func(P) templ.Component, props P) error {
	var b bytes.Buffer
	if err := page(props).Render(ctx, &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // when the browser has gone there is nobody to tell
	return nil
}

// fail answers with the page of an error. What is a defect is logged under the id that the page shows.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	id := s.NewID()
	kind := fault.KindOf(err)
	p := pages.ProblemProps{Status: statusOf(kind), ID: id}
	p.Title, p.Message, p.Hint = problem(err, kind)
	switch {
	case r.Context().Err() != nil:
		return
	case kind == fault.Internal:
		s.Log.ErrorContext(r.Context(), "page failed", "id", id, "path", loggable(r), "error", err)
	default:
		s.Log.DebugContext(r.Context(), "page refused", "id", id, "path", loggable(r), "error", err)
	}
	if s.wantsData(r) {
		failData(w, kind, p.Message, p.Hint, id)
		return
	}
	p.Frame = s.frame(r, p.Title, "")
	p.Frame.Data = false // what went wrong is not the data of the page, and says nothing of what is there
	if err := render(r.Context(), w, p.Status, pages.Problem, p); err != nil {
		s.Log.ErrorContext(r.Context(), "error page failed", "id", id, "error", err)
		http.Error(w, "Error "+id, http.StatusInternalServerError)
	}
}

// loggable is the path of a request as it may stand in a log: without the secret of a link.
func loggable(r *http.Request) string {
	for _, prefix := range []string{"/s/", "/invitations/"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return prefix + "…"
		}
	}
	return r.URL.Path
}

// problem says what went wrong. Texts of defects stay inside.
func problem(err error, kind fault.Kind) (title, message, hint string) {
	var f *fault.Error
	if errors.As(err, &f) {
		message, hint = sentence(f.Message), f.Hint
	}
	switch kind {
	case fault.NotFound:
		return "Not found", "There is nothing at this address, or it is not yours to see.", ""
	case fault.Unauthenticated:
		return "Signed out", "Your session has ended.", "Sign in again."
	case fault.Forbidden:
		return "Not allowed", message, hint
	case fault.Invalid, fault.Unsupported:
		return "This cannot be done", message, hint
	case fault.Conflict:
		return "Not now", message, hint
	case fault.Exhausted:
		return "Too many requests", message, hint
	case fault.Unavailable:
		return "Part of Seatrial is away", message, or(hint, "Try again in a moment.")
	case fault.Internal:
	}
	return "Something went wrong", "This is a defect of Seatrial, not of what you asked for.", "Trying again may help."
}

func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Conflict:
		return http.StatusConflict
	case fault.Exhausted:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Unsupported:
		return http.StatusNotImplemented
	case fault.Internal:
	}
	return http.StatusInternalServerError
}

// correctable reports whether a form should be shown again with what is wrong: somebody can do something about it.
func correctable(err error) (pages.Wrong, bool) {
	var f *fault.Error
	if !errors.As(err, &f) {
		return pages.Wrong{}, false
	}
	switch f.Kind {
	case fault.Invalid, fault.Conflict, fault.Exhausted, fault.Unavailable, fault.Unsupported:
		return pages.Wrong{Field: f.Field, Message: sentence(f.Message), Hint: f.Hint, Places: f.Places}, true
	case fault.NotFound, fault.Unauthenticated, fault.Forbidden, fault.Internal:
	}
	return pages.Wrong{}, false
}
