package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func credentials(w *viewfake.World) url.Values {
	return url.Values{"email": {" " + w.Member.Viewer.Name}, "password": {w.Password}}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	form := credentials(s.world)
	form.Set("next", "/o/acme/clusters?x=1")
	got := s.do(t, formRequest(t, "/login", form))
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/o/acme/clusters?x=1" {
		t.Fatalf("status %d to %q", got.code, got.header.Get("Location"))
	}
	cookie := got.header.Get("Set-Cookie")
	for _, want := range []string{view.SessionCookie + "=session-1", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	pair, _, _ := strings.Cut(cookie, ";")
	r.Header.Set("Cookie", pair)
	if got := s.do(t, r); got.header.Get("Location") != "/o/acme" {
		t.Errorf("the cookie leads to %q", got.header.Get("Location"))
	}
}

func TestSignIn_Refused(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	form := credentials(s.world)
	form.Set("password", "wrong")
	got := s.do(t, formRequest(t, "/login", form))
	if got.code != http.StatusUnauthorized || got.header.Get("Set-Cookie") != "" {
		t.Errorf("status %d, cookie %q", got.code, got.header.Get("Set-Cookie"))
	}
	if !strings.Contains(got.body, "do not belong together") || !strings.Contains(got.body, `value="ada@acme.example"`) || strings.Contains(got.body, "wrong") {
		t.Errorf("the page must say why, keep the e-mail and not repeat the password: %s", got.body)
	}
	wellFormed(t, got.body)
}

func TestSignIn_NextStaysHere(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for _, next := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, `\\evil.example`, "javascript:alert(1)", "/\t/evil.example", "", "evil", "http:/evil.example", "/%0a//evil",
	} {
		form := credentials(s.world)
		form.Set("next", next)
		got := s.do(t, formRequest(t, "/login", form)).header.Get("Location")
		if got == "" || got[0] != '/' || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\t") || strings.Contains(got, "evil.example") {
			t.Errorf("next %q leads to %q", next, got)
		}
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, "/logout", nil)
	if got.code != http.StatusSeeOther || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("status %d, cookie %q", got.code, got.header.Get("Set-Cookie"))
	}
	if got := s.get(t, "/o/acme"); got.code != http.StatusSeeOther || got.header.Get("Location") != "/login?next=%2Fo%2Facme" {
		t.Errorf("after signing out: status %d to %q", got.code, got.header.Get("Location"))
	}
}

func TestTheme(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, "/theme", url.Values{"theme": {"dark"}, "next": {"/o/acme"}})
	if got.header.Get("Location") != "/o/acme" || !strings.Contains(got.header.Get("Set-Cookie"), "seatrial_theme=dark") {
		t.Errorf("to %q with %q", got.header.Get("Location"), got.header.Get("Set-Cookie"))
	}
	for cookie, want := range map[string]string{"dark": `data-theme="dark"`, "light": `data-theme="light"`, `"><script>`: `data-theme=""`} {
		r := signed(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/o/acme", nil))
		r.Header.Add("Cookie", "seatrial_theme="+cookie)
		if got := s.do(t, r); !strings.Contains(got.body, want) {
			t.Errorf("cookie %q: the page has no %s", cookie, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for _, path := range []string{"/login", "/o/acme", "/o/acme/nothing", "/static/nothing.js", at(viewfake.Live), at(viewfake.Failed) + "/log/1/raw"} {
		h := s.get(t, path).header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: headers are %v", path, h)
		}
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy is %q", path, csp)
		}
	}
}

// TestCrossOrigin proves that no other site can make a browser do anything.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ key, value string }{
		"FetchMetadata": {"Sec-Fetch-Site", "cross-site"}, "Origin": {"Origin", "https://evil.example"}, "SameSite": {"Sec-Fetch-Site", "same-site"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			for _, path := range []string{"/login", "/logout", "/theme", "/o/acme/workflows/shell-check/runs", at(viewfake.Live) + "/cancel", "/o/acme/clusters"} {
				r := signed(formRequest(t, path, credentials(s.world)))
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set(tc.key, tc.value)
				if got := s.do(t, r); got.code != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
					t.Errorf("%s: status %d", path, got.code)
				}
			}
			runs, cancels, enrolments := s.world.Asked()
			if len(runs)+len(cancels)+len(enrolments) > 0 {
				t.Errorf("something was done: %v %v %v", runs, cancels, enrolments)
			}
		})
	}
}

func TestSecureCookies(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	h, err := web.New(options(w, "https://seatrial.example.com/"))
	if err != nil {
		t.Fatal(err)
	}
	r := formRequest(t, "/login", credentials(w))
	r.Header.Del("Sec-Fetch-Site")
	r.Header.Set("Origin", "https://seatrial.example.com") // behind a proxy that changes the host
	got := (&site{world: w, handler: h}).do(t, r)
	if got.code != http.StatusSeeOther || !strings.Contains(got.header.Get("Set-Cookie"), "; Secure") || got.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("status %d, headers %v", got.code, got.header)
	}
}

func TestNew_Refuses(t *testing.T) {
	t.Parallel()
	if _, err := web.New(web.Options{}); err == nil {
		t.Error("options without anything are accepted")
	}
	for _, address := range []string{"seatrial.example.com", "://", "/path"} {
		if _, err := web.New(options(viewfake.Sample(), address)); err == nil {
			t.Errorf("the public address %q is accepted", address)
		}
	}
}

// TestAbsentIsForeign proves that what belongs to somebody else looks exactly like what does not exist.
func TestAbsentIsForeign(t *testing.T) {
	t.Parallel()
	bodies := map[string][]string{}
	for _, path := range []string{
		"/o/other", "/o/other/clusters", "/o/acme/nothing", "/o/acme/workflows/none", "/o/other/workflows/shell-check",
		"/o/acme/executions/" + viewfake.ID("foreign").String(), "/o/acme/executions/nonsense", at(viewfake.Failed) + "/log/99",
		at(viewfake.Failed) + "/log/x", at(viewfake.Failed) + "/log/1?attempt=" + viewfake.AttemptID(viewfake.Live).String(),
		at(viewfake.Failed) + "/files/" + viewfake.ID("none").String() + "/x", at(viewfake.Passed) + "/files/" + viewfake.FileID("out/junit.xml").String() + "/x",
		strings.Replace(at(viewfake.Failed), "acme", "other", 1),
	} {
		got := setup(t, viewfake.Sample()).get(t, path)
		if got.code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, got.code)
		}
		body := strings.ReplaceAll(got.body, `value="`+path+`"`, "")
		bodies[body] = append(bodies[body], path)
	}
	if len(bodies) != 1 {
		t.Errorf("the pages differ: %v", slices.Collect(func(yield func([]string) bool) {
			for _, paths := range bodies {
				if !yield(paths) {
					return
				}
			}
		}))
	}
}

func TestSignedOut(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for _, path := range []string{"/", "/o/acme", "/o/other", "/nothing", at(viewfake.Failed)} {
		got := s.do(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if got.code != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/login") {
			t.Errorf("%s: status %d to %q", path, got.code, got.header.Get("Location"))
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, at(viewfake.Live)+"/events", nil)
	r.Header.Set("Accept", "text/event-stream")
	if got := s.do(t, r); got.code != http.StatusUnauthorized {
		t.Errorf("a stream cannot follow a redirection, so it gets status 401, not %d", got.code)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fault.Kind]int{
		fault.Internal: 500, fault.Unavailable: 503, fault.Exhausted: 429, fault.Forbidden: 403, fault.Conflict: 409, fault.Invalid: 422, fault.Unsupported: 501,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			s.world.Err = fault.New(kind, "the secret of %s", kind).WithHint("do this")
			got := s.get(t, "/o/acme")
			if got.code != want || !strings.Contains(got.body, "Error id-1.") {
				t.Errorf("status %d: %s", got.code, got.body)
			}
			inside := kind == fault.Internal
			if strings.Contains(got.body, "secret") == inside || strings.Contains(s.logged.String(), "id-1") != inside {
				t.Errorf("texts of defects are for the log, all others for the page: page %s, log %s", got.body, s.logged)
			}
			wellFormed(t, got.body)
		})
	}
}

func TestDefectCostsOneRequest(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	opts := options(s.world, "")
	opts.Fleet = brokenFleet{}
	h, err := web.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	got := (&site{world: s.world, handler: h}).get(t, "/o/acme/clusters")
	if got.code != http.StatusInternalServerError || !strings.Contains(got.body, "Something went wrong") {
		t.Errorf("status %d: %s", got.code, got.body)
	}
}

// brokenFleet has no fleet behind it: every call is a defect.
type brokenFleet struct{ view.Fleet }

func TestViewerMayOnlyLook(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.Member.Viewer.Role = tenant.RoleViewer
	for path, form := range map[string]string{
		"/o/acme/workflows/checkout-api": "/runs", "/o/acme/clusters": `action="/o/acme/clusters"`, at(viewfake.Live): "/cancel",
	} {
		if got := s.get(t, path); got.code != http.StatusOK || strings.Contains(got.body, form) {
			t.Errorf("%s: status %d, and it must not have the form %s", path, got.code, form)
		}
	}
	for _, path := range []string{"/o/acme/workflows/checkout-api/runs", "/o/acme/clusters", at(viewfake.Live) + "/cancel"} {
		if got := s.post(t, path, url.Values{"name": {"x"}}); got.code != http.StatusForbidden || !strings.Contains(got.body, "viewer") {
			t.Errorf("%s: status %d", path, got.code)
		}
	}
}
