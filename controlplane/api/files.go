package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// download serves the bytes of a report or artifact. They were written by tests, so a browser may save them and never show them
// as a page of this site.
func (s *server) download(a *authenticator) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.serveFile(a, w, r); err != nil {
			writeError(w, seen(r.Context(), s.Log, "download", err))
		}
	}
}

func (s *server) serveFile(a *authenticator, w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	v, err := a.viewer(ctx, r.Header)
	if err != nil {
		return err
	}
	if err := require(v, tenant.ScopeRead); err != nil {
		return err
	}
	ctx = tenant.WithViewer(ctx, v)
	id, err := idOf(r.PathValue("id"), "id")
	if err != nil {
		return err
	}
	f, err := s.History.File(ctx, id)
	if err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	body, err := s.Blobs.Open(ctx, f.Blob)
	if err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	defer body.Close() //nolint:errcheck // it was only read
	h := w.Header()
	h.Set("Content-Type", f.ContentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(f.Path)}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("ETag", `"`+f.SHA256+`"`)
	http.ServeContent(w, r, "", time.Time{}, body)
	return nil
}

// writeError answers a download that failed in the form of Connect's errors.
func writeError(w http.ResponseWriter, f *fault.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(httpOf(f.Kind))
	_ = json.NewEncoder(w).Encode(map[string]string{ // the caller is gone when it fails
		"code": codeOf(f.Kind).String(), "message": f.Message, "hint": f.Hint,
	})
}
