package transfer

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/source/cause"
)

// TestWatched gives up a server that begins to answer and then sends nothing, and not one that is only slow.
func TestWatched(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/hangs" {
			<-hold
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hold) })
	client := &http.Client{Transport: &watched{http.DefaultTransport, 50 * time.Millisecond}}
	for path, want := range map[string]error{"/hangs": cause.ErrStalled, "/ends": nil} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if string(got) != "begin" || !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want %v", path, got, err, want)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClient_Downgrade refuses to go on without TLS where it was asked for.
func TestClient_Downgrade(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	client := Client()
	client.Transport = secure.Client().Transport
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err == nil {
		_ = answer.Body.Close()
	}
	if !errors.Is(err, errDowngrade) {
		t.Errorf("error %v, want that it redirects to http", err)
	}
}

// TestSpool leaves nothing behind, whether the bytes are used or not.
func TestSpool(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong")
	for name, check := range map[string]error{"Good": nil, "Bad": wrong} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		used := ""
		err = Spool(root, strings.NewReader("all of it"), func() error { return check }, func(f *os.File) error {
			b, err := io.ReadAll(f)
			used = string(b)
			return err
		})
		if !errors.Is(err, check) || (used == "all of it") != (check == nil) {
			t.Errorf("%s: used %q, error %v", name, used, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, error %v", name, left, err)
		}
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	}
}
