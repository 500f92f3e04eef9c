// Package static serves the style sheet, the script and the flag under addresses that change with their content.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed app.css app.js keys.js flag.svg
var files embed.FS

// Prefix is where the files are served.
const Prefix = "/static/"

// Assets are the addresses of the files.
type Assets struct {
	Style  string
	Script string
	Keys   string
	Flag   string
}

// Handler serves the files; browsers may keep them for good, because another content has another address.
type Handler struct {
	Assets Assets
	byPath map[string]asset
}

type asset struct {
	kind    string
	content []byte
}

// New reads the embedded files.
func New() (*Handler, error) {
	h := &Handler{byPath: map[string]asset{}}
	for _, f := range []struct {
		name, kind string
		address    *string
	}{
		{"app.css", "text/css; charset=utf-8", &h.Assets.Style},
		{"app.js", "text/javascript; charset=utf-8", &h.Assets.Script},
		{"keys.js", "text/javascript; charset=utf-8", &h.Assets.Keys},
		{"flag.svg", "image/svg+xml", &h.Assets.Flag},
	} {
		content, err := files.ReadFile(f.name)
		if err != nil {
			return nil, fmt.Errorf("embedded file: %w", err)
		}
		ext := path.Ext(f.name)
		if ext == ".js" {
			content = compact(content)
		}
		sum := sha256.Sum256(content)
		*f.address = Prefix + strings.TrimSuffix(f.name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		h.byPath[*f.address] = asset{kind: f.kind, content: content}
	}
	return h, nil
}

// compact drops indentation and lines that are comments; the script has no text that spans lines.
func compact(script []byte) []byte {
	var out []byte
	for line := range bytes.Lines(script) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("//")) {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}

// ServeHTTP serves one file.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := h.byPath[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
}
