package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// anonymous asks without a session.
func (s *site) anonymous(t *testing.T, path string) answer {
	t.Helper()
	return s.do(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
}

// TestSnapshot proves that a link needs no session, shows one document that leads nowhere else, and tells nobody where it came from.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.anonymous(t, "/s/"+viewfake.SharedLink)
	for _, want := range []string{"shop/checkout 1.41.0 is", "READY_WITH_WAIVERS", "shared by ada@acme.example on 2026-11-03 07:00:00 UTC, to be read until 2026-11-10 07:00:00 UTC"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("no %q in %s", want, got.body)
		}
	}
	for _, unwanted := range []string{"<a ", "<form", "<script", "<img", "/o/acme", "acme.example/", "st_view_"} {
		if strings.Contains(got.body, unwanted) {
			t.Errorf("it has %q", unwanted)
		}
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive", "Cache-Control": "no-store", "Set-Cookie": ""} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "sandbox") {
		t.Errorf("the policy is %q", policy)
	}
	if data := s.anonymous(t, "/s/"+viewfake.SharedLink+"/report.json"); !strings.Contains(data.body, `"schema": "https://seatrial.dev/reports/v1"`) {
		t.Errorf("as data it is %.200s", data.body)
	}
	for _, path := range []string{"/s/", "/s/st_view_none", "/s/" + viewfake.SharedLink + "/rules", "/o/acme/releases/shop%2Fcheckout/1.41.0"} {
		if got := s.anonymous(t, path); got.code == http.StatusOK || strings.Contains(got.body, "checkout") && !strings.HasPrefix(got.header.Get("Location"), "/login") {
			t.Errorf("%s leads on: %d %s", path, got.code, got.header.Get("Location"))
		}
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	path := of(viewfake.Checkout, "1.42.0")
	got := s.post(t, path+"/snapshots", url.Values{"for": {"24h"}})
	if got.code != http.StatusOK || !strings.Contains(got.body, "http://example.com/s/st_view_1") || !strings.Contains(got.body, "2026-11-04 10:00:00 UTC") {
		t.Fatalf("%d, no link: %s", got.code, got.body)
	}
	wellFormed(t, got.body)
	if again := s.get(t, path); strings.Contains(again.body, "st_view_1") || !strings.Contains(again.body, "Readable until") {
		t.Error("the link is shown a second time, or the snapshot is not listed")
	}
	for _, bad := range []string{"2161h", "-1h", "x"} {
		if got := s.post(t, path+"/snapshots", url.Values{"for": {bad}}); got.code != http.StatusUnprocessableEntity {
			t.Errorf("for %s: %d", bad, got.code)
		}
	}
	id := viewfake.ID("snapshot st_view_1").String()
	if got := s.post(t, "/o/acme/settings/snapshots/"+id+"/revoke", url.Values{"application": {viewfake.Checkout}, "version": {"1.42.0"}}); got.header.Get("Location") != path+"#shared" {
		t.Errorf("revoke leads to %q", got.header.Get("Location"))
	}
	if got := s.anonymous(t, "/s/st_view_1"); got.code != http.StatusNotFound || !strings.Contains(got.body, "This link leads nowhere") {
		t.Errorf("after it was revoked: %d", got.code)
	}
	s.world.Member.Viewer.Role = tenant.RoleViewer
	if got := s.post(t, path+"/snapshots", nil); got.code != http.StatusForbidden {
		t.Errorf("a viewer shares: %d", got.code)
	}
	if got := s.get(t, path); strings.Contains(got.body, "Make a link") {
		t.Error("a viewer is shown the form")
	}
}
