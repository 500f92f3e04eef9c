package app_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web"
)

// wildcard is a part of a route that stands for something.
var wildcard = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// address fills a route: what its parts are called says of which kind they are, and any other is each of them in turn.
func address(pattern string, with values, as kind) (method, path string) {
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = http.MethodGet, pattern
	}
	path = strings.ReplaceAll(path, "{$}", "")
	return method, wildcard.ReplaceAllStringFunc(path, func(part string) string {
		name := wildcard.FindStringSubmatch(part)[1]
		switch {
		case name == "org":
			return "{org}"
		case name == "step":
			return "0"
		case name == "name" && strings.Contains(path, "/workflows/"):
			return with["workflow"]
		case name == "name" && strings.Contains(path, "/schedules/"):
			return with["schedule"]
		case name == "name" && strings.Contains(path, "/templates/"):
			return with["template"]
		case name == "id" && strings.Contains(path, "/executions/"):
			return with["execution"]
		case name == "key":
			return with["test"]
		}
		if v, ok := named(name, with); ok {
			return url.PathEscape(v)
		}
		return url.PathEscape(with[as])
	})
}

// routes of the HTTP port beside the pages and the methods of the API.
func otherRoutes() []string { return []string{"GET /files/{file}"} }

// visit asks for a page as a browser does.
func (w *world) visit(t *testing.T, method, path string, cookie *http.Cookie, header http.Header) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerLimit)
	defer cancel()
	body := io.Reader(http.NoBody)
	if method == http.MethodPost {
		w.forms++ // a name that was given already would be refused for that
		body = strings.NewReader(url.Values{
			"name": {"probe-" + strconv.Itoa(w.forms)}, "reason": {"probe"}, "rule": {"no-unwaived-failures"},
			"role": {string(tenant.RoleMaintainer)}, "scope": {string(tenant.ScopeRun)}, "days": {"30"},
		}.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, body)
	worked(t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != nil {
		req.AddCookie(cookie)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	worked(t, err)
	defer res.Body.Close()
	text := make([]byte, 1<<20)
	n, _ := io.ReadFull(io.LimitReader(res.Body, int64(len(text))), text[:limitOf(res)])
	o := outcome{text: string(text[:n])}
	if to := res.Header.Get("Location"); to != "" {
		o.text = "to " + to
	}
	switch {
	case res.StatusCode == http.StatusSeeOther && strings.HasPrefix(res.Header.Get("Location"), "/login"), res.StatusCode == http.StatusUnauthorized:
		o.code = "unauthenticated"
	case res.StatusCode == http.StatusNotFound:
		o.code = "not_found"
	case res.StatusCode == http.StatusForbidden:
		o.code = "permission_denied"
	case res.StatusCode >= http.StatusBadRequest:
		o.code = res.Status
	}
	return o
}

// limitOf is how much of an answer is read: of a stream its beginning.
func limitOf(res *http.Response) int {
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") && res.StatusCode == http.StatusOK {
		return 1
	}
	return 1 << 20
}

// tries reports whether a form only says what would be, which everybody who may look may ask.
func tries(pattern string) bool { return strings.HasSuffix(pattern, "/settings/policies") }

// ofOneself reports whether a page changes the caller's own account only, which everybody may.
func ofOneself(pattern string) bool { return strings.Contains(pattern, "/settings/account") }

// probePages asks for every page and stream as everybody who must not see it.
func (w *world) probePages(t *testing.T, f *figures) {
	t.Helper()
	patterns := append(web.MemberPatterns(), otherRoutes()...)
	slices.SortStableFunc(patterns, func(a, b string) int { return cmp.Compare(a[0], b[0]) }) // what looks before what makes something
	for _, pattern := range patterns {
		for _, k := range kinds(w.theirs) {
			method, path := address(pattern, w.theirs, k)
			own := strings.ReplaceAll(path, "{org}", w.theirs["organization"])
			header := http.Header{}
			if strings.HasSuffix(path, "/events") {
				header.Set("Accept", "text/event-stream")
			}
			for _, caller := range []string{"no one", "expired token", "wrong audience"} {
				o := w.visit(t, method, own, w.cookies[caller], header)
				if f.judge(t, w, caller+" at "+pattern, own, o); o.code != "unauthenticated" {
					t.Errorf("%s as %s: %s %.200s", pattern, caller, o.code, o.text)
				}
			}
			o := w.visit(t, method, own, w.cookies["viewer"], header)
			if changing := method == http.MethodPost && !ofOneself(pattern) && !tries(pattern); changing && o.code != "permission_denied" && o.code != "not_found" {
				t.Errorf("%s as viewer: %s %.200s", pattern, o.code, o.text)
			}
			spy := w.cookies["wrong organization"]
			if strings.Contains(path, "{org}") {
				if o := w.visit(t, method, own, spy, header); o.code != "not_found" {
					t.Errorf("%s of a foreign organization: %s %.200s", pattern, o.code, o.text)
				} else {
					f.judge(t, w, "another organization at "+pattern, own, o)
				}
			}
			w.comparePages(t, f, pattern, k, spy, header)
			if !wildcard.MatchString(strings.ReplaceAll(pattern, "{org}", "")) {
				break // it names nothing
			}
		}
	}
}

// comparePages asks under the address of the own organization for what is foreign and for what is absent.
func (w *world) comparePages(t *testing.T, f *figures, pattern string, k kind, spy *http.Cookie, header http.Header) {
	t.Helper()
	nothing := absent()
	method, foreign := address(pattern, w.theirs, k)
	_, none := address(pattern, nothing, k)
	foreign, none = strings.ReplaceAll(foreign, "{org}", "other"), strings.ReplaceAll(none, "{org}", "other")
	o := w.visit(t, method, foreign, spy, header)
	f.judge(t, w, "another organization at its own "+pattern, foreign, o)
	other := w.visit(t, method, none, spy, header)
	f.probes++
	if o.code != other.code {
		t.Errorf("%s tells a foreign %s from an absent one: %s, %s", pattern, k, o.code, other.code)
	}
}
