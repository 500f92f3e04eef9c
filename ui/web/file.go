package web

import (
	"io"
	"maps"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// filePolicy keeps a file from doing anything, should a browser open it after all.
const filePolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// archive sends all files of an execution as one zip archive.
func (s *site) archive(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	e, err := s.find(r)
	if err != nil {
		return err
	}
	h := w.Header()
	before := h.Clone()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": e.Workflow + "-" + e.ID.String() + ".zip"}))
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("Cache-Control", "private, no-cache")
	if r.Method == http.MethodHead {
		return nil
	}
	to := &begun{Writer: w}
	err = s.History.Archive(r.Context(), e, to)
	if err != nil && !to.yes { // it can be said, on a page
		clear(h)
		maps.Copy(h, before)
		return err
	}
	if err != nil {
		if r.Context().Err() == nil {
			s.Log.ErrorContext(r.Context(), "archive cut short", "execution", e.ID, "error", err)
		}
		panic(http.ErrAbortHandler) //nolint:forbidigo // it ends the connection, so that nobody takes a part for the whole
	}
	return nil
}

// begun tells whether anything was written: until then, what goes wrong can be said.
type begun struct {
	io.Writer
	yes bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.Writer.Write(p)
}

// file sends a report or an artifact. What a pod has written is never a page of this site: all but pictures and plain text is a
// download.
func (s *site) file(w http.ResponseWriter, r *http.Request, _ view.Member) (err error) {
	e, err := s.find(r)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(r.PathValue("file"))
	if err != nil {
		return notFound()
	}
	f, body, err := s.History.OpenFile(r.Context(), e.ID, id)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	kind, disposition := "application/octet-stream", "attachment"
	plain, _, _ := strings.Cut(f.ContentType, ";")
	switch {
	case pages.Picture(plain):
		kind, disposition = plain, "inline"
	case plain == "text/plain":
		kind, disposition = "text/plain; charset=utf-8", "inline"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": path.Base(f.Path)}))
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	if f.SHA256 != "" {
		h.Set("ETag", `"`+f.SHA256+`"`)
		if r.Header.Get("If-None-Match") == h.Get("ETag") {
			h.Del("Content-Length")
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	if r.Method == http.MethodHead {
		return nil
	}
	if n, err := io.Copy(w, body); err != nil && r.Context().Err() == nil {
		// The length is promised already: cutting the connection is how the browser learns that the file is not whole.
		s.Log.ErrorContext(r.Context(), "file cut short", "file", f.ID, "sent", n, "error", err)
	}
	return nil
}
