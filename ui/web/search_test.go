package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for name, tc := range map[string]struct {
		query  string
		code   int
		want   []string
		reason string
	}{
		"Everything": {"q=checkout", http.StatusOK, []string{`href="/o/acme/workflows/checkout-api"`, "Executions", `href="/o/acme/releases/shop%2Fcheckout/1.42.0"`}, "one question finds things of all kinds"},
		"OneKind":    {"q=checkout&kind=release", http.StatusOK, []string{`name="kind" value="release"`, "shop/checkout"}, "a kind is kept in the form"},
		"Nothing":    {"q=bitcoin", http.StatusOK, []string{"Nothing that you may see has all of these words", "/o/acme/executions"}, "it says why, and what next"},
		"NoneOfKind": {"q=checkout&kind=failure", http.StatusOK, []string{"Search for everything"}, "there may be something else"},
		"Empty":      {"", http.StatusOK, []string{"What is found", "first four characters"}, "without a question it says what can be asked"},
		"ErrLong":    {"q=" + strings.Repeat("a", 201), http.StatusUnprocessableEntity, []string{`aria-invalid="true"`, "Search for a few words of it."}, "what is wrong stands beside the field"},
		"ErrKind":    {"q=a&kind=person", http.StatusUnprocessableEntity, []string{"nothing that can be searched for"}, "an address may be anything"},
		"Hostile":    {"q=" + url.QueryEscape(`"><script>alert(1)</script>`), http.StatusOK, []string{`&lt;script&gt;`}, "texts stay texts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.get(t, "/o/acme/search?"+tc.query)
			if got.code != tc.code {
				t.Errorf("status %d, want %d", got.code, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.body, want) {
					t.Errorf("%s: %q is not in %s", tc.reason, want, got.body)
				}
			}
			if strings.Contains(got.body, "<script>alert") {
				t.Error("a text became a script")
			}
			wellFormed(t, got.body)
		})
	}
}

func TestSearch_JSON(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	r := signed(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/o/acme/search?q=checkout", nil))
	r.Header.Set("Accept", "application/json")
	got := s.do(t, r)
	var groups []struct {
		Kind string `json:"kind"`
		Hits []struct {
			Title string `json:"title"`
			Path  string `json:"path"`
			State string `json:"state"`
		} `json:"hits"`
	}
	if err := json.Unmarshal([]byte(got.body), &groups); err != nil || got.header.Get("Content-Type") != "application/json" || got.header.Get("Vary") != "Accept" {
		t.Fatalf("%v: %s", err, got.body)
	}
	if len(groups) < 3 || groups[0].Kind != "Workflows" || groups[0].Hits[0].Path != "/o/acme/workflows/checkout-api" || len(groups[2].Hits) > 5 || groups[2].Hits[0].State == "" {
		t.Errorf("%+v", groups)
	}
}

func TestKeyboard_SwitchedOff(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	if got := s.get(t, "/o/acme/keyboard"); !strings.Contains(got.body, `name="keys" value="off"`) || strings.Contains(got.body, `data-keys="off"`) {
		t.Errorf("keys are off from the start: %s", got.body)
	}
	done := s.post(t, "/keys", url.Values{"keys": {"off"}, "next": {"/o/acme/keyboard"}})
	cookie := strings.Split(done.header.Get("Set-Cookie"), ";")[0]
	if done.code != http.StatusSeeOther || cookie != "seatrial_keys=off" || done.header.Get("Location") != "/o/acme/keyboard" {
		t.Fatalf("%d, cookie %q", done.code, cookie)
	}
	r := signed(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/o/acme/keyboard", nil))
	r.Header.Add("Cookie", cookie)
	if got := s.do(t, r); !strings.Contains(got.body, `data-keys="off"`) || !strings.Contains(got.body, `name="keys" value="on"`) {
		t.Errorf("keys are still on: %s", got.body)
	}
	if done := s.post(t, "/keys", url.Values{"keys": {"on"}, "next": {"https://elsewhere.example"}}); done.header.Get("Location") != "/" || !strings.Contains(done.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%v", done.header)
	}
}

// TestBrowser_Keyboard finds something and goes there without a mouse.
func TestBrowser_Keyboard(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	base := setup(t, viewfake.Sample()).serve(t)
	press := func(keys string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.KeyEvent(keys)); err != nil {
			t.Fatal(err)
		}
	}
	open(ctx, t, base+"/o/acme")
	press("/")
	until(ctx, t, `document.activeElement.id === "q"`)
	eval[bool](ctx, t, `(document.querySelector("#q").value = "", true)`) // the made-up key is written, though the page does not want it
	press("checkout-b")
	until(ctx, t, `document.querySelectorAll("#found a").length > 1 && document.querySelector("#q").getAttribute("aria-expanded") === "true"`)
	press(kb.ArrowDown)
	until(ctx, t, `document.querySelector("#" + document.querySelector("#q").getAttribute("aria-activedescendant")).getAttribute("aria-selected") === "true"`)
	press(kb.Escape)
	until(ctx, t, `document.querySelector("#found") === null && location.pathname === "/o/acme"`)
	press("r")
	until(ctx, t, `document.querySelectorAll("#found a").length === 1`)
	press(kb.ArrowDown)
	press(kb.Enter)
	until(ctx, t, `location.pathname.startsWith("/o/acme/executions/")`)

	open(ctx, t, base+"/o/acme")
	press("g")
	press("e")
	until(ctx, t, `location.pathname === "/o/acme/executions" && document.readyState === "complete"`)
	press("j")
	press("j")
	press("k")
	until(ctx, t, `document.querySelector("tbody tr").contains(document.activeElement)`)
	press("n")
	until(ctx, t, `document.activeElement.closest("tr")?.querySelector(".failed, .errored, .timed_out") != null`)
	open(ctx, t, base+at(viewfake.Failed))
	press("c")
	until(ctx, t, `location.pathname.endsWith("/compare")`)
	press("?")
	until(ctx, t, `location.pathname === "/o/acme/keyboard" && document.readyState === "complete"`)
	if err := chromedp.Do(ctx, chromedp.Click(`button[name="keys"]`)); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, `document.body.dataset.keys === "off"`)
	press("/")
	if id := eval[string](ctx, t, `document.activeElement.id`); id == "q" {
		t.Error("keys that are off do something")
	}
}
