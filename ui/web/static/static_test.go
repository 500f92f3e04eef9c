package static_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/ui/web/static"
)

func get(t *testing.T, h http.Handler, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Result()
}

func TestHandler(t *testing.T) {
	t.Parallel()
	h, err := static.New()
	if err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{
		h.Assets.Style: "text/css; charset=utf-8", h.Assets.Script: "text/javascript; charset=utf-8", h.Assets.Keys: "text/javascript; charset=utf-8", h.Assets.Flag: "image/svg+xml",
	} {
		res := get(t, h, path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, headers %v", path, res.StatusCode, res.Header)
		}
		_ = res.Body.Close()
	}
	for _, path := range []string{"/static/app.css", "/static/", "/static/../static.go"} {
		res := get(t, h, path)
		if res.StatusCode != http.StatusNotFound || res.Header.Get("Cache-Control") != "" {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
		_ = res.Body.Close()
	}
}

// TestScriptIsSmall keeps the promise that pages need next to nothing: each script has at most 6 KiB.
func TestScriptIsSmall(t *testing.T) {
	t.Parallel()
	h, err := static.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{h.Assets.Script, h.Assets.Keys} {
		res := get(t, h, path)
		_ = res.Body.Close()
		if res.ContentLength < 1<<10 || res.ContentLength > 6<<10 {
			t.Errorf("%s has %d bytes", path, res.ContentLength)
		}
	}
}
