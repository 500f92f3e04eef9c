package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/controlplane/archive"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/packed"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// errCut means that a download has begun and cannot be brought to its end.
var errCut = errors.New("the download was cut short")

// download serves the bytes of files. They were written by tests, so a browser may save them and never show them as a page of this site.
func (s *server) download(a *authenticator, serve func(ctx context.Context, w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		v, err := a.viewer(ctx, r.Header)
		if err == nil {
			err = require(v, tenant.ScopeRead)
		}
		if err == nil {
			err = serve(tenant.WithViewer(ctx, v), w, r)
		}
		switch {
		case errors.Is(err, errCut):
			if ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "download cut short", "path", r.URL.Path, "error", err)
			}
			panic(http.ErrAbortHandler) //nolint:forbidigo // it ends the connection, so that nobody takes a part for the whole
		case err != nil:
			writeError(w, seen(ctx, s.Log, "download", err))
		}
	}
}

// attachment sets the headers of what is to be saved under a name.
func attachment(h http.Header, contentType, name string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

func (s *server) serveFile(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r.PathValue("id"), "id")
	if err != nil {
		return err
	}
	f, err := s.History.File(ctx, id)
	if err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	body, err := packed.Open(ctx, s.Blobs, f)
	if err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	defer body.Close() //nolint:errcheck // it was only read
	h := w.Header()
	attachment(h, f.ContentType, path.Base(f.Path))
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("ETag", `"`+f.SHA256+`"`)
	if whole, ok := body.(io.ReadSeeker); ok {
		http.ServeContent(w, r, "", time.Time{}, whole)
		return nil
	}
	if r.Header.Get("If-None-Match") == h.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(w, body); err != nil {
		return errors.Join(errCut, err)
	}
	return nil
}

// serveArchive serves all files of an execution as one archive.
func (s *server) serveArchive(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r.PathValue("id"), "id")
	if err != nil {
		return err
	}
	e, err := s.History.Execution(ctx, id)
	if err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	files, err := s.History.Files(ctx, id)
	if err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	h := w.Header()
	attachment(h, "application/zip", archive.Name(e))
	h.Set("Cache-Control", "private, no-cache")
	if r.Method == http.MethodHead {
		return nil
	}
	to := &begun{Writer: w}
	err = archive.Write(ctx, to, e, files, func(ctx context.Context, f execution.File) (io.ReadCloser, error) {
		return packed.Open(ctx, s.Blobs, f) //nolint:wrapcheck // transparent
	})
	switch {
	case err == nil:
		return nil
	case to.yes:
		return errors.Join(errCut, err)
	}
	for _, name := range []string{"Content-Disposition", "Cache-Control"} {
		h.Del(name) // of the archive that does not come
	}
	return err //nolint:wrapcheck // a fault that speaks for itself
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

// writeError answers a download that failed in the form of Connect's errors.
func writeError(w http.ResponseWriter, f *fault.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(httpOf(f.Kind))
	_ = json.NewEncoder(w).Encode(map[string]string{ // the caller is gone when it fails
		"code": codeOf(f.Kind).String(), "message": f.Message, "hint": f.Hint,
	})
}
