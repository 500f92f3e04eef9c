package web_test

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

var update = flag.Bool("update", false, "write golden files")

// site is the pages over an organization in memory.
type site struct {
	world   *viewfake.World
	handler http.Handler
	drain   chan struct{}
	stop    func() // closes drain, once
	logged  *strings.Builder
	server  *httptest.Server // after serve
}

func setup(t *testing.T, world *viewfake.World) *site {
	t.Helper()
	s := &site{world: world, drain: make(chan struct{}), logged: &strings.Builder{}}
	s.stop = sync.OnceFunc(func() { close(s.drain) })
	o := options(world, "")
	o.Log, o.Draining = slog.New(slog.NewTextHandler(s.logged, nil)), s.drain
	var err error
	s.handler, err = web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// options serve a world at a public address.
func options(w *viewfake.World, address string) web.Options {
	var ids atomic.Int64
	return web.Options{
		Sessions: w, Door: w.People(), SSO: w.Access(), Access: w.Access(), Account: w.People(), Tokens: w.People(), People: w.People(), History: w, Launcher: w, Catalog: w.Catalog(), Origins: w.Origins(), Repositories: w.Origins(), Fleet: w, Releases: w.Releases(), Snapshots: w.Snapshots(), Schedules: w.Schedules(), Triggers: w.Triggers(), Webhooks: w.Webhooks(), Tests: w.Board(), Insight: w.Insight(), Search: w.Search(), Outlook: w.Outlook(), Audit: w,
		Logs: w, Events: w, Retention: viewfake.Kept(), API: viewfake.API{}, Log: slog.New(slog.DiscardHandler), Now: viewfake.Now, PublicURL: address,
		NewID:     func() string { return fmt.Sprintf("id-%d", ids.Add(1)) },
		Heartbeat: 50 * time.Millisecond,
	}
}

// answer is what a request got.
type answer struct {
	code   int
	header http.Header
	body   string
}

func (s *site) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	res := w.Result()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (s *site) get(t *testing.T, path string) answer {
	t.Helper()
	return s.do(t, signed(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)))
}

func (s *site) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	return s.do(t, signed(formRequest(t, path, form)))
}

func formRequest(t *testing.T, path string, form url.Values) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func signed(r *http.Request) *http.Request {
	r.AddCookie(&http.Cookie{Name: view.SessionCookie, Value: "valid"})
	return r
}

// at is the address of an execution of the sample.
func at(name string) string { return "/o/acme/executions/" + viewfake.ExecutionID(name).String() }

// of is the address of a release.
func of(application, version string) string {
	return "/o/acme/releases/" + url.PathEscape(application) + "/" + url.PathEscape(version)
}

// story is the address of the history of a test of the sample.
func story(suite string, n int) string { return "/o/acme/tests/" + viewfake.TestKey(suite, n) }

// serve lets everybody in and returns where.
func (s *site) serve(t *testing.T) string {
	t.Helper()
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, signed(r)) }))
	t.Cleanup(func() {
		s.stop()
		s.server.Close()
	})
	return s.server.URL
}

func readAll(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
