package bench_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/seatrial/seatrial/integration/harness"
	"github.com/seatrial/seatrial/ui/web"
)

// row is a page that is asked for.
type row struct {
	name, path string
	why        string // why it is not measured, of what is no page
}

const uiHome = "/o/default"

// uiRows lists the pages as the organization of the benchmark has them.
func uiRows(s *seeds) []row {
	failed, step := uiHome+"/executions/"+s.Failed, "/log/0"
	return []row{
		{"start", "/", ""},
		{"sign in", "/login", ""},
		{"sign in by provider", "/login/sso?organization=default", ""},
		{"API", "/api", ""},
		{"API of a service", "/api/ExecutionService", ""},
		{"overview", uiHome, ""},
		{"catalog", uiHome + "/catalog", ""},
		{"coverage", uiHome + "/catalog/coverage", ""},
		{"coverage, all", uiHome + "/catalog/coverage?all", ""},
		{"workflow", uiHome + "/workflows/" + s.Flows[0], ""},
		{"workflow of many tests", uiHome + "/workflows/everything-regression", ""},
		{"workflow history", uiHome + "/workflows/" + s.Flows[0] + "/history", ""},
		{"templates", uiHome + "/templates", ""},
		{"template", uiHome + "/templates/base-1", ""},
		{"template history", uiHome + "/templates/base-1/history", ""},
		{"executions", uiHome + "/executions", ""},
		{"executions that failed", uiHome + "/executions?status=failed", ""},
		{"executions cancelled (rare)", uiHome + "/executions?status=cancelled", ""},
		{"executions queued", uiHome + "/executions?status=queued", ""},
		{"executions of a workflow", uiHome + "/executions?workflow=" + s.Flows[0], ""},
		{"executions of a workflow, failed", uiHome + "/executions?workflow=" + s.Flows[0] + "&status=failed", ""},
		{"execution that failed", failed, ""},
		{"execution of many tests", uiHome + "/executions/" + s.Big, ""},
		{"execution in all clusters", uiHome + "/executions/" + s.Wide, ""},
		{"execution under way", uiHome + "/executions/" + s.Running, ""},
		{"comparison", failed + "/compare", ""},
		{"comparison of many tests", uiHome + "/executions/" + s.Big + "/compare?with=" + s.Failed, ""},
		{"log", failed + step, ""},
		{"log at a line", failed + step + "?l=40-42", ""},
		{"releases", uiHome + "/releases", ""},
		{"releases of an application", uiHome + "/releases?application=shop", ""},
		{"release ready", uiHome + "/releases/shop/1.40.0", ""},
		{"release not ready", uiHome + "/releases/shop/1.41.0", ""},
		{"release without evidence", uiHome + "/releases/shop/1.42.0", ""},
		{"release of many cells", uiHome + "/releases/platform/2026.11.0", ""},
		{"how releases fare", uiHome + "/releases/outlook", ""},
		{"search", uiHome + "/search?q=checkout", ""},
		{"search of several words", uiHome + "/search?q=adds+item+page", ""},
		{"search of an id", uiHome + "/search?q=" + s.Failed, ""},
		{"keyboard", uiHome + "/keyboard", ""},
		{"components", uiHome + "/components", ""},
		{"tests", uiHome + "/tests", ""},
		{"tests of a workflow", uiHome + "/tests?workflow=" + s.Flows[0], ""},
		{"test", uiHome + "/tests/" + s.Test, ""},
		{"failures", uiHome + "/failures", ""},
		{"failures of 90 days", uiHome + "/failures?days=90", ""},
		{"failures of a workflow", uiHome + "/failures?workflow=" + s.Flows[0], ""},
		{"failures that are alike", uiHome + "/failures/" + s.Alike, ""},
		{"triggers", uiHome + "/triggers", ""},
		{"events", uiHome + "/events", ""},
		{"schedules", uiHome + "/schedules", ""},
		{"schedule", uiHome + "/schedules/nightly-0", ""},
		{"clusters", uiHome + "/clusters", ""},
		{"audit", uiHome + "/settings/audit", ""},
		{"audit by person", uiHome + "/settings/audit?actor=admin%40localhost", ""},
		{"account", uiHome + "/settings/account", ""},
		{"members", uiHome + "/settings/members", ""},
		{"teams", uiHome + "/settings/teams", ""},
		{"tokens", uiHome + "/settings/tokens", ""},
		{"repositories", uiHome + "/settings/repositories", ""},
		{"policies", uiHome + "/settings/policies", ""},
		{"policy", uiHome + "/settings/policies?policy=shop-gate", ""},
		{"usage", uiHome + "/settings/usage", ""},
		{"retention", uiHome + "/settings/retention", ""},
		{"access", uiHome + "/settings/access", ""},
		{"pipelines", uiHome + "/settings/pipelines", ""},
		{"webhooks", uiHome + "/settings/webhooks", ""},
		{"snapshots", uiHome + "/settings/snapshots", ""},
		{"webhook", uiHome + "/settings/webhooks/chat-0", ""},
		{"nothing", uiHome + "/nothing", ""},

		{"settings", uiHome + "/settings", "it leads to the account"},
		{"news of an execution", failed + "/events", "a stream"},
		{"news of a log", failed + step + "/events", "a stream"},
		{"raw log", failed + step + "/raw", "a download"},
		{"log of a service", failed + "/service-log/db", "it is the page of a log"},
		{"news of a log of a service", failed + "/service-log/db/events", "a stream"},
		{"raw log of a service", failed + "/service-log/db/raw", "a download"},
		{"file", failed + "/files/1/junit.xml", "a download"},
		{"files", failed + "/files.zip", "a download"},
		{"news of a release", uiHome + "/releases/shop/1.40.0/events", "a stream"},
		{"begin sign in", "/login/sso/default/idp", "it leads to the provider"},
		{"end sign in", "/login/sso/default/idp/callback", "it leads back from the provider"},
		{"snapshot", "/s/secret", "it is the report of a release, whose page is measured"},
		{"data of a snapshot", "/s/secret/report.json", "a download"},
		{"invitation", "/invitations/secret", "it needs a secret that is shown once"},
	}
}

// TestUI_Rows proves that no page is forgotten.
func TestUI_Rows(t *testing.T) {
	t.Parallel()
	mux, known := http.NewServeMux(), map[string]bool{}
	for _, pattern := range web.Patterns() {
		mux.HandleFunc(pattern, http.NotFound)
	}
	rows := uiRows(&seeds{Flows: []string{"checkout-smoke"}, Failed: "f", Big: "b", Wide: "w", Running: "r", Test: "t", Alike: "a"})
	for _, r := range rows {
		_, pattern := mux.Handler(httptest.NewRequest(http.MethodGet, r.path, http.NoBody))
		known[pattern] = true
	}
	for _, pattern := range web.Patterns() {
		if !strings.HasPrefix(pattern, http.MethodPost+" ") && !known[pattern] {
			t.Errorf("%s has no row: add one to uiRows, or say there why it is not measured", pattern)
		}
	}
}

// ask has clients ask for a page until each has its share of answers. What each waits is the time of the server, but for the way over
// loopback.
func (p *program) ask(tb testing.TB, r row, asked int) measured {
	tb.Helper()
	m := measured{name: r.name, bytes: p.get(tb, r)}
	p.getAtOnce(tb, r, 3*clients) // connections are opened, and statements prepared, once for each
	before := spent(tb)
	took := p.getAtOnce(tb, r, asked)
	m.cost = spent(tb).each(before, asked)
	slices.Sort(took)
	m.half, m.top = took[asked/2], took[asked*99/100]
	return m
}

// getAtOnce has clients take turns until they have asked so many times together.
func (p *program) getAtOnce(tb testing.TB, r row, asked int) []time.Duration {
	tb.Helper()
	took := make([]time.Duration, asked)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := c; i < asked; i += clients {
				begun := time.Now()
				p.get(tb, r)
				took[i] = time.Since(begun)
			}
		})
	}
	all.Wait()
	return took
}

// get returns how many bytes a page has.
func (p *program) get(tb testing.TB, r row) int {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, p.url+r.path, http.NoBody)
	if err != nil {
		tb.Error(err)
		return 0
	}
	browser := p.signed
	if strings.HasPrefix(r.path, "/login") {
		browser = http.DefaultClient // who is signed in is led away from there
	}
	res, err := browser.Do(req)
	if err != nil {
		tb.Error(err)
		return 0
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if want := map[string]int{"start": http.StatusSeeOther, "nothing": http.StatusNotFound}[r.name]; err != nil || res.StatusCode != http.StatusOK && res.StatusCode != want {
		tb.Errorf("%s (%s): %s, %v", r.name, r.path, res.Status, err)
	}
	return int(n)
}

// painter returns what says how soon a browser shows the first content of a page: the median of a few visits. Without a browser it says
// nothing.
func painter(tb testing.TB, p *program) func(r row) time.Duration {
	tb.Helper()
	const visits = 5
	if !harness.HasBrowser() {
		return func(row) time.Duration { return 0 }
	}
	ctx := harness.Browser(tb)
	c := p.cookie(tb)
	ok(tb, chromedp.Do(ctx, chromedp.Navigate(p.url+"/login")))
	if _, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: p.url}); err != nil {
		tb.Fatal(err)
	}
	once := func(r row) (at float64, err error) {
		harness.Visit(ctx, tb, p.url+r.path)
		if _, err = chromedp.Run(ctx, chromedp.Poll[bool](`performance.getEntriesByName("first-contentful-paint").length > 0`)); err != nil {
			return 0, err
		}
		return chromedp.Run(ctx, chromedp.Evaluate[float64](`performance.getEntriesByName("first-contentful-paint")[0].startTime`))
	}
	return func(r row) time.Duration {
		var seen []time.Duration
		for range visits {
			at, err := once(r)
			if err != nil {
				at, err = once(r) // the page was exchanged for another one meanwhile
			}
			if err != nil {
				tb.Fatalf("%s: %v", r.name, err)
			}
			seen = append(seen, time.Duration(at*float64(time.Millisecond)))
		}
		slices.Sort(seen)
		return seen[visits/2]
	}
}
