package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func member(t *testing.T, s *site) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), s.world.Member.Viewer)
}

// everyPage lists the pages of the sample by the names of their golden files.
func everyPage() map[string]string {
	return map[string]string{
		"overview": "/o/acme", "catalog": "/o/acme/catalog", "workflow": "/o/acme/workflows/checkout-api", "clusters": "/o/acme/clusters",
		"executions": "/o/acme/executions?status=failed", "failed": at(viewfake.Failed), "live": at(viewfake.Live), "paused": at(viewfake.Paused), "passed": at(viewfake.Passed),
		"errored": at(viewfake.Errored), "timed-out": at(viewfake.TimedOut), "cancelled": at(viewfake.Stopped), "queued": at(viewfake.Queued),
		"matrix": at(viewfake.Matrix), "suite": at(viewfake.Suite), "bad-step": at(viewfake.BadStep), "log": at(viewfake.TimedOut) + "/log/1?l=299-301", "live-log": at(viewfake.Live) + "/log/1",
		"templates": "/o/acme/templates", "history": "/o/acme/workflows/checkout-api/history", "template-history": "/o/acme/templates/playwright/history", "repositories": "/o/acme/settings/repositories", "template": "/o/acme/templates/playwright", "releases": "/o/acme/releases",
		"release-ready": of(viewfake.Checkout, "1.40.0"), "release-waived": of(viewfake.Checkout, "1.41.0"), "release-not-ready": of(viewfake.Checkout, "1.42.0"),
		"release-never-ran": of(viewfake.Cart, "0.9.0"), "release-running": of(viewfake.Cart, "0.9.1"), "release-matrix": of(viewfake.Harbour, "2026.11.0"),
		"tests": "/o/acme/tests", "test-flaky": story("api", 5), "test-broken": story("api", 2), "test-suspect": story("api", 4),
		"test-quarantined": story("browser", 1), "test-unknown": story("smoke", 3),
		"compare": at(viewfake.Failed) + "/compare?with=last-green", "compare-none": at(viewfake.Errored) + "/compare", "failures": "/o/acme/failures",
		"failure":  "/o/acme/failures/" + viewfake.Print("fixture 'ledger' could not be set up: connection refused by ledger.shop-tests.svc:5432"),
		"coverage": "/o/acme/catalog/coverage", "search": "/o/acme/search?q=check", "outlook": "/o/acme/releases/outlook", "components": "/o/acme/components", "keyboard": "/o/acme/keyboard",
		"schedules": "/o/acme/schedules", "schedule": "/o/acme/schedules/nightly", "schedule-suspended": "/o/acme/schedules/checkout-api.1",
		"audit":    "/o/acme/settings/audit",
		"triggers": "/o/acme/triggers", "webhooks": "/o/acme/settings/webhooks", "webhook": "/o/acme/settings/webhooks/chat", "webhook-paused": "/o/acme/settings/webhooks/incident-desk", "webhook-needs": "/o/acme/settings/webhooks/war-room", "events": "/o/acme/events",
		"account": "/o/acme/settings/account", "members": "/o/acme/settings/members", "teams": "/o/acme/settings/teams", "tokens": "/o/acme/settings/tokens", "usage": "/o/acme/settings/usage", "retention": "/o/acme/settings/retention", "policies": "/o/acme/settings/policies?policy=prod-gate",
		"snapshots": "/o/acme/settings/snapshots", "access": "/o/acme/settings/access", "pipelines": "/o/acme/settings/pipelines", "sso": "/login/sso?organization=acme",
		"invitation": "/invitations/" + viewfake.Link,
		"api":        "/api", "api-service": "/api/AuditService",
		"absent": "/o/acme/nothing",
	}
}

// noPages lists the addresses that show no page of their own, and why.
func noPages() map[string]string {
	return map[string]string{
		"GET /{$}":              "it leads to the organization",
		"GET /o/{org}/settings": "it leads to the account",
		"GET /s/{secret}":       "a document that stands alone, as TestSnapshot shows", "GET /s/{secret}/report.json": "a download",
		"GET /login":                      "who is signed in is led away from it",
		"GET /login/sso/{org}/{provider}": "it leads to the provider", "GET /login/sso/{org}/{provider}/callback": "it leads back from there",
		"GET /o/{org}/executions/{id}/events": "a stream", "GET /o/{org}/executions/{id}/log/{step}/events": "a stream",
		"GET /o/{org}/executions/{id}/service-log/{service}/events": "a stream", "GET /o/{org}/releases/{application}/{version}/events": "a stream",
		"GET /o/{org}/executions/{id}/log/{step}/raw": "a download", "GET /o/{org}/executions/{id}/service-log/{service}/raw": "a download",
		"GET /o/{org}/executions/{id}/files/{file}/{name}": "a download", "GET /o/{org}/executions/{id}/files.zip": "a download",
		"GET /o/{org}/executions/{id}/service-log/{service}": "the page of a log, as TestPages_Services shows",
	}
}

// TestPages_All proves that no page is forgotten: whatever has an address is shown, looked at in a browser, and held to the rules of
// accessibility.
func TestPages_All(t *testing.T) {
	t.Parallel()
	mux, shown := http.NewServeMux(), map[string]bool{}
	for _, pattern := range web.Patterns() {
		mux.HandleFunc(pattern, http.NotFound)
	}
	for _, path := range everyPage() {
		_, pattern := mux.Handler(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		shown[pattern] = true
	}
	for _, pattern := range web.Patterns() {
		if why := noPages()[pattern]; !strings.HasPrefix(pattern, http.MethodPost+" ") && !shown[pattern] && why == "" {
			t.Errorf("%s is not in everyPage: add it, or say in noPages why it is no page", pattern)
		}
	}
}

// TestPages_Walked proves that the table of main jobs knows every page.
func TestPages_Walked(t *testing.T) {
	t.Parallel()
	walked := map[string]bool{}
	for _, j := range jobs() {
		for _, name := range j.pages {
			walked[name] = true
			if everyPage()[name] == "" {
				t.Errorf("the job %q is of the page %q, which is none", j.does, name)
			}
		}
	}
	for name := range everyPage() {
		if !walked[name] {
			t.Errorf("nobody does the main job of the page %q: add a row to jobs, or the page to the row that does it", name)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestPages_Golden(t *testing.T) {
	t.Parallel()
	for name, path := range everyPage() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			got := s.get(t, path)
			want := http.StatusOK
			if name == "absent" || name == "compare-none" {
				want = http.StatusNotFound
			}
			if got.code != want {
				t.Errorf("status %d, want %d", got.code, want)
			}
			wellFormed(t, got.body)
			golden(t, name, readable(t, got.body))
		})
	}
}

// TestPages_Empty covers the pages of an organization without anything: each says why it is empty and what to do next.
func TestPages_Empty(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ path, why, next string }{
		"Overview":   {"/o/acme", "no cluster is enrolled", "/o/acme/clusters#enroll"},
		"Catalog":    {"/o/acme/catalog", "no workflow yet", "seatrial apply -f workflow.yaml"},
		"Triggers":   {"/o/acme/triggers", "There is no trigger yet", "seatrial apply -f trigger.yaml"},
		"Events":     {"/o/acme/events", "Nothing has happened yet", "/o/acme/triggers"},
		"Webhooks":   {"/o/acme/settings/webhooks", "Nobody is told yet", `action="/o/acme/settings/webhooks"`},
		"Schedules":  {"/o/acme/schedules", "There is no schedule yet", "seatrial apply -f schedule.yaml"},
		"Templates":  {"/o/acme/templates", "There is no template yet", "seatrial apply -f template.yaml"},
		"Executions": {"/o/acme/executions", "Nothing has run yet", "/o/acme/catalog"},
		"Releases":   {"/o/acme/releases", "no readiness policy that would say what one has to show", "ReadinessPolicy"},
		"Outlook":    {"/o/acme/releases/outlook", "No release was created in the last 12 weeks", `href="/o/acme/releases"`},
		"Tests":      {"/o/acme/tests", "This page lists the tests whose failures say little", "/o/acme/executions"},
		"NoTests":    {"/o/acme/tests?workflow=x", "No test of the workflow x is known to be unreliable", `href="/o/acme/tests"`},
		"NoSuch":     {"/o/acme/releases?application=x", "No release is of the application x.", `href="/o/acme/releases"`},
		"Filtered":   {"/o/acme/executions?workflow=x", "No execution matches", `href="/o/acme/executions"`},
		"Failures":   {"/o/acme/failures", "No test has failed in the last 14 days", "/o/acme/executions"},
		"NoFailures": {"/o/acme/failures?workflow=x&days=3", "No failure matches in the last 3 days", `href="/o/acme/failures"`},
		"Coverage":   {"/o/acme/catalog/coverage", "There is no environment", "/o/acme/clusters#enroll"},
		"Clusters":   {"/o/acme/clusters", "No cluster is enrolled yet", `action="/o/acme/clusters"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := setup(t, viewfake.New(viewfake.Now)).get(t, tc.path)
			if got.code != http.StatusOK || !strings.Contains(got.body, tc.why) || !strings.Contains(got.body, tc.next) {
				t.Errorf("status %d; want %q and %q in %s", got.code, tc.why, tc.next, got.body)
			}
			wellFormed(t, got.body)
		})
	}
}

// TestPages_Refresh proves that a page that changes is loaded again without a script, and one that does not change is not.
func TestPages_Refresh(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	const refresh = `<noscript><meta http-equiv="refresh" content="5"></noscript>`
	for path, want := range map[string]bool{
		at(viewfake.Live): true, at(viewfake.Paused): true, at(viewfake.Queued): true, at(viewfake.Failed): false, at(viewfake.Live) + "/log/1": true,
		at(viewfake.Live) + "/log/0": false, at(viewfake.Live) + "/log/1?l=3": false,
	} {
		if got := strings.Contains(s.get(t, path).body, refresh); got != want {
			t.Errorf("%s: refresh is %t, want %t", path, got, want)
		}
	}
}

// readable puts tags on lines of their own, so that a difference can be read.
func readable(t *testing.T, body string) string {
	t.Helper()
	body = assetHash.ReplaceAllString(body, "$1.HASH.$2")
	return strings.ReplaceAll(body, "><", ">\n<") + "\n"
}

var assetHash = regexp.MustCompile(`(/static/\w+)\.[0-9a-f]{12}\.(\w+)`)

// wellFormed checks what holds for every page: tags close, ids are unique, labels and descriptions point at something, tables have
// captions and scopes, pictures have texts, and nothing is inline that the policy forbids.
func wellFormed(t *testing.T, body string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	ids, wanted, headings := map[string]int{}, []string{}, 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				ids[a.Val]++
			case a.Key == "for" || a.Key == "aria-labelledby" || a.Key == "aria-describedby":
				wanted = append(wanted, strings.Fields(a.Val)...)
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s> has the attribute %s, which the policy forbids", n.Data, a.Key)
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				wanted = append(wanted, a.Val[1:])
			}
		}
		if n.Data == "h1" {
			headings++
		}
		checkElement(t, n)
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%d elements have the id %q", n, id)
		}
	}
	for _, id := range wanted {
		if ids[id] == 0 {
			t.Errorf("nothing has the id %q, which something points at", id)
		}
	}
	if headings != 1 {
		t.Errorf("the page has %d main headings", headings)
	}
}

func checkElement(t *testing.T, n *html.Node) {
	t.Helper()
	switch n.Data {
	case "table":
		if n.FirstChild == nil || n.FirstChild.Data != "caption" {
			t.Errorf("a table has no caption")
		}
	case "th":
		if attribute(n, "scope") == "" {
			t.Errorf("a heading of a table has no scope")
		}
	case "img":
		if attribute(n, "alt") == "" {
			t.Errorf("a picture has no text")
		}
	case "script":
		if n.FirstChild != nil || attribute(n, "src") == "" {
			t.Errorf("a script is inline")
		}
	case "style":
		t.Errorf("a style sheet is inline")
	case "time":
		if attribute(n, "datetime") == "" || attribute(n, "title") == "" {
			t.Errorf("a time has no absolute form")
		}
	case "input", "select":
		within := n.Parent != nil && n.Parent.Data == "label"
		if attribute(n, "type") != "hidden" && attribute(n, "id") == "" && attribute(n, "aria-label") == "" && !within {
			t.Errorf("an input has no label")
		}
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// withServices gives an execution of the sample services: one that was started again, one that is given a secret, one that never began.
func withServices(t *testing.T, s *site, name string) execution.Attempt {
	t.Helper()
	e, err := s.world.Execution(member(t, s), viewfake.ExecutionID(name))
	if err != nil {
		t.Fatal(err)
	}
	a := &e.Runs[0].Attempts[0]
	a.Services = []execution.Service{
		{
			Name: "db", Status: execution.ServiceStopped, Restarts: 2, Message: "Ended with exit code 3: <panic>", StartedAt: a.StartedAt, FinishedAt: a.FinishedAt,
			Log: execution.Log{Bytes: 6, Lines: 1, Complete: true, ViaKubeAPI: true},
		},
		{Name: "vault", Status: execution.ServiceStopped, StartedAt: a.StartedAt, LogWithheld: true, Log: execution.Log{Complete: true}},
		{Name: "web", Status: execution.ServiceWaiting},
	}
	s.world.WriteTo(a.ID, execution.ServiceStream("db"), "ready\n", true)
	s.world.Put(e)
	return *a
}

func TestPages_Services(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	withServices(t, s, viewfake.Passed)
	for name, path := range map[string]string{"services": at(viewfake.Passed), "service-log": at(viewfake.Passed) + "/service-log/db"} {
		got := s.get(t, path)
		wellFormed(t, got.body)
		golden(t, name, readable(t, got.body))
	}
	if got := s.get(t, at(viewfake.Passed)+"/service-log/db/raw"); got.body != "ready\n" || !strings.Contains(got.header.Get("Content-Disposition"), "service-db.log") {
		t.Errorf("raw log %q, %v", got.body, got.header)
	}
	for path, why := range map[string]string{"vault": "the service is given a secret", "web": "The service has not started yet."} {
		if got := s.get(t, at(viewfake.Passed)+"/service-log/"+path); got.code != http.StatusOK || !strings.Contains(got.body, why) {
			t.Errorf("%s: status %d, no %q", path, got.code, why)
		}
	}
	if got := s.get(t, at(viewfake.Passed)+"/service-log/none"); got.code != http.StatusNotFound {
		t.Errorf("a service that is not there: status %d", got.code)
	}
}

// TestPages_ServiceIsWaitedFor proves that the page shows the log of the service for which the steps wait, and follows it.
func TestPages_ServiceIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	e, err := s.world.Execution(member(t, s), viewfake.ExecutionID(viewfake.Queued))
	if err != nil {
		t.Fatal(err)
	}
	e.Status, e.Runs[0].Status = execution.Pending, execution.Pending
	a := &e.Runs[0].Attempts[0]
	a.Status, a.Message = execution.Pending, "Service db is not ready yet: no response"
	a.Services = []execution.Service{{Name: "db", Status: execution.ServiceStarting, StartedAt: viewfake.Now(), Message: "Not ready yet: no response"}}
	s.world.WriteTo(a.ID, execution.ServiceStream("db"), "recovering\n", false)
	s.world.Put(e)
	got := s.get(t, at(viewfake.Queued))
	for _, want := range []string{"Service db is not ready yet: no response", "Log of service db", "recovering", "/service-log/db/events?"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("no %q in %s", want, got.body)
		}
	}
}
