package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// says checks what a page holds and what it does not.
func says(t *testing.T, got answer, wanted, unwanted []string) {
	t.Helper()
	for _, text := range wanted {
		if !strings.Contains(got.body, text) {
			t.Errorf("the page does not say %q: %s", text, got.body)
		}
	}
	for _, text := range unwanted {
		if strings.Contains(got.body, text) {
			t.Errorf("the page says %q", text)
		}
	}
}

// asking is the form for a waiver of the failure that nobody has asked about yet.
func asking() url.Values {
	return url.Values{
		"rule": {"no-unwaived-failures"}, "environment": {"staging-us"}, "suite": {"api"}, "test": {viewfake.TestKey("api", 2)}, "variant": {""},
		"fingerprint": {"fp1:6622a0d53850524f"}, "reason": {" Vouchers are off. "}, "for": {"24h0m0s"},
	}
}

// TestRelease_Slash proves that an application with a slash in its name is one segment of every address: of links, forms,
// redirections, events and the way back after signing in.
func TestRelease_Slash(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	const path = "/o/acme/releases/shop%2Fcheckout/1.42.0"
	if got := s.get(t, "/o/acme/releases"); !strings.Contains(got.body, `href="`+path+`"`) {
		t.Errorf("the list does not lead to it: %s", got.body)
	}
	page := s.get(t, path)
	says(t, page, []string{`data-events="` + path + `/events"`, `action="` + path + `/waivers#`, `href="/o/acme/releases?application=shop%2Fcheckout"`, `value="` + path + `"`}, nil)
	if got := s.post(t, path+"/waivers", asking()); got.code != http.StatusSeeOther || got.header.Get("Location") != path+"#waivers" {
		t.Errorf("asking for a waiver: status %d to %q", got.code, got.header.Get("Location"))
	}
	if got := s.get(t, "/o/acme/releases/shop/checkout/1.42.0"); got.code != http.StatusNotFound {
		t.Errorf("with a slash that is none: status %d", got.code)
	}
	if got := s.get(t, "/o/acme/releases/shop%2Fcheckout/9.9.9"); got.code != http.StatusNotFound {
		t.Errorf("a version that is not there: status %d", got.code)
	}
	out := s.do(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if got := out.header.Get("Location"); got != "/login?next="+url.QueryEscape(path) {
		t.Errorf("after signing in it goes on to %q", got)
	}
}

func TestReleases_Filter(t *testing.T) {
	t.Parallel()
	got := setup(t, viewfake.Sample()).get(t, "/o/acme/releases?application=shop%2Fcart")
	says(t, got, []string{"shop/cart", `value="shop/cart"`, "Clear"}, []string{"shop/checkout", "harbour"})
}

func TestRelease_Waive(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	path := of(viewfake.Checkout, "1.42.0")
	says(t, s.get(t, path), []string{`name="fingerprint" value="fp1:6622a0d53850524f"`, `value="24h0m0s"`, "A waiver of it was asked for"}, nil)
	if got := s.post(t, path+"/waivers", asking()); got.code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.code, got.body)
	}
	found, err := s.world.Releases().Get(member(t, s), viewfake.Checkout, "1.42.0")
	if err != nil {
		t.Fatal(err)
	}
	w := found.Waivers[len(found.Waivers)-1]
	if w.Rule != "no-unwaived-failures" || w.Environment != "staging-us" || w.Suite != "api" || w.Test != viewfake.TestKey("api", 2) || w.Reason != "Vouchers are off." ||
		w.Fingerprint != "fp1:6622a0d53850524f" || w.ExpiresAt.Sub(w.CreatedAt) != 24*time.Hour {
		t.Errorf("asked for %+v", w)
	}
	says(t, s.get(t, path), []string{"Vouchers are off.", "It has 0 of 1 approvals."}, []string{"Ask for a waiver", `/waivers/` + w.ID + "/approve"})
}

func TestRelease_WaiveFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    error
		change func(url.Values)
		code   int
		want   []string
		reason string
	}{
		"NoReason": {
			nil, func(v url.Values) { v.Set("reason", "  ") }, http.StatusUnprocessableEntity,
			[]string{"A waiver needs a reason.", "Say why it may ship in spite of this.", `aria-invalid="true"`, `<option value="24h0m0s" selected>`, "-waive\" open>"},
			"the form is open and what was chosen stays",
		},
		"NoTime": {
			nil, func(v url.Values) { v.Set("for", "tomorrow") }, http.StatusUnprocessableEntity,
			[]string{"&#34;tomorrow&#34; is no length of time.", ">Vouchers are off.</textarea>"},
			"what is no duration is not sent on",
		},
		"Gone": {
			fault.New(fault.Invalid, "the policy has no rule %q", "x").WithField("rule"), func(v url.Values) { v.Set("rule", "x") }, http.StatusUnprocessableEntity,
			[]string{"The policy has no rule"},
			"no form is about it, so the page says it",
		},
		"Away": {fault.New(fault.Unavailable, "the database is away"), nil, http.StatusServiceUnavailable, []string{"The database is away."}, "it can be sent again"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			s.world.WaiveErr = tc.err
			form := asking()
			if tc.change != nil {
				tc.change(form)
			}
			got := s.post(t, of(viewfake.Checkout, "1.42.0")+"/waivers", form)
			if got.code != tc.code {
				t.Errorf("status %d, want %d: %s", got.code, tc.code, tc.reason)
			}
			// The answer to a form has no address of its own that could be loaded again.
			says(t, got, append(tc.want, `data-events=""`), nil)
			wellFormed(t, got.body)
		})
	}
}

// waiverOf returns the id of a waiver of the sample.
func waiverOf(name string) string { return viewfake.ID("waiver " + name).String() }

func TestRelease_Decide(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	path := of(viewfake.Checkout, "1.42.0")
	asked, over := path+"/waivers/"+waiverOf("asked"), path+"/waivers/"+waiverOf("over")
	says(t, s.get(t, path), []string{`action="` + asked + `/approve#waivers"`, `action="` + asked + `/revoke#waivers"`, "expired"}, []string{over})
	if got := s.post(t, asked+"/approve", nil); got.code != http.StatusSeeOther || got.header.Get("Location") != path+"#waivers" {
		t.Fatalf("status %d to %q", got.code, got.header.Get("Location"))
	}
	says(t, s.get(t, path), []string{"in use", "1 failed", "1 waived"}, []string{asked + "/approve"})
	if got := s.post(t, asked+"/revoke", nil); got.code != http.StatusSeeOther {
		t.Fatalf("status %d", got.code)
	}
	says(t, s.get(t, path), []string{"revoked"}, []string{asked})
	if got := s.post(t, asked+"/approve", nil); got.code != http.StatusConflict || !strings.Contains(got.body, "The waiver was revoked.") {
		t.Errorf("approving what was revoked: status %d", got.code)
	}
	if got := s.post(t, path+"/waivers/none/approve", nil); got.code != http.StatusNotFound {
		t.Errorf("a waiver that is not there: status %d", got.code)
	}
}

// TestRelease_Forbidden proves that whoever may not approve is told why on the page of the release.
func TestRelease_Forbidden(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.Member.Viewer.Name = "linus@acme.example"
	got := s.post(t, of(viewfake.Checkout, "1.42.0")+"/waivers/"+waiverOf("asked")+"/approve", nil)
	if got.code != http.StatusForbidden {
		t.Errorf("status %d", got.code)
	}
	says(t, got, []string{"linus@acme.example may not approve waivers of this release.", "lets team:release-managers approve", `id="waivers-title"`, "not ready"}, nil)
	wellFormed(t, got.body)
}

// TestRelease_Viewer proves that who only looks has no forms, and can send none.
func TestRelease_Viewer(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.Member.Viewer.Role = tenant.RoleViewer
	path := of(viewfake.Checkout, "1.42.0")
	says(t, s.get(t, path), []string{"Your role, viewer, may look but not ask for waivers."}, []string{path + "/waivers"})
	for _, verb := range []string{"", "/" + waiverOf("asked") + "/approve", "/" + waiverOf("asked") + "/revoke"} {
		if got := s.post(t, path+"/waivers"+verb, asking()); got.code != http.StatusForbidden {
			t.Errorf("%q: status %d", verb, got.code)
		}
	}
}

// TestRelease_Refresh proves that a page without forms is loaded again while tests are under way, and no other.
func TestRelease_Refresh(t *testing.T) {
	t.Parallel()
	const refresh = `http-equiv="refresh"`
	s := setup(t, viewfake.Sample())
	says(t, s.get(t, of(viewfake.Cart, "0.9.1")), nil, []string{refresh})
	s.world.Member.Viewer.Role = tenant.RoleViewer
	says(t, s.get(t, of(viewfake.Cart, "0.9.1")), []string{refresh}, nil)
	says(t, s.get(t, of(viewfake.Cart, "0.9.0")), nil, []string{refresh})
}

func TestRelease_Events(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	path := of(viewfake.Checkout, "1.42.0")
	r := listen(t, s.serve(t)+path+"/events", "")
	var first, second struct{ Status, Sentence, Version string }
	for _, into := range []any{&first, &second} {
		e, ok := r.next()
		if !ok || e.name != "status" {
			t.Fatalf("got %+v", e)
		}
		if err := json.Unmarshal([]byte(e.data), into); err != nil {
			t.Fatal(err)
		}
		if into == &first {
			if got := s.post(t, path+"/waivers/"+waiverOf("asked")+"/approve", nil); got.code != http.StatusSeeOther {
				t.Fatalf("status %d", got.code)
			}
		}
	}
	if first.Status != "NOT_READY" || first.Sentence != "shop/checkout 1.42.0 is not ready." || first.Version == second.Version {
		t.Errorf("told %+v, then %+v", first, second)
	}
	if page := s.get(t, path); !strings.Contains(page.body, `data-version="`+second.Version+`"`) {
		t.Error("the page has another version than its events")
	}
	if got := s.get(t, of("none", "1")+"/events"); got.code != http.StatusNotFound {
		t.Errorf("of no release: status %d", got.code)
	}
}

// TestRelease_Unknown covers a rule that cannot be evaluated, a rule without a test at fault, and a cell of which nothing is known.
func TestRelease_Unknown(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	r := release.Release{ID: viewfake.ID("odd"), Application: "odd", Version: "1", Policy: verdict.Policy{Name: "odd", Rules: []verdict.Rule{
		{ID: "wrong", Kind: verdict.Missing, Expr: `cell.labels["tier"] == "api"`}, {ID: "never", Kind: verdict.Negative, Expr: "false"},
	}}}
	s.world.PutRelease(r, verdict.Input{Cells: []verdict.Cell{{Environment: "staging-eu", Suite: "api"}}})
	got := s.get(t, of("odd", "1"))
	says(t, got, []string{
		"It could not be evaluated, which speaks against the release", "no such key", "No test is at fault by itself.", "Nothing is known of staging-eu/api",
		"2 rules are broken in staging-eu. Besides, evidence is missing", "which cannot be waived",
	}, nil)
	wellFormed(t, got.body)
}

// TestReleases_Policy proves that the policy which an empty list offers to copy is one that is accepted.
func TestReleases_Policy(t *testing.T) {
	t.Parallel()
	w := viewfake.New(viewfake.Now)
	doc, err := html.Parse(strings.NewReader(setup(t, w).get(t, "/o/acme/releases").body))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for n := range doc.Descendants() {
		if attribute(n, "aria-label") != "A readiness policy" {
			continue
		}
		for inner := range n.Descendants() {
			if inner.Type == html.TextNode {
				text.WriteString(inner.Data)
			}
		}
	}
	read := parse.Read([]byte(text.String()))
	if _, ok := read.Value.(*document.ReadinessPolicyDocument); !ok || len(read.Faults) > 0 {
		t.Errorf("%v in %s", read.Faults, text.String())
	}
	w.Policies = []workflow.Record{{Name: "gate"}}
	says(t, setup(t, w).get(t, "/o/acme/releases"), []string{"There is no release yet.", "seatrial release create"}, []string{"ReadinessPolicy"})
}

// TestRelease_Many proves that a page lists a bounded number of tests, and all of a cell when asked, on as many pages as that takes.
func TestRelease_Many(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	in, ok := s.world.Input(viewfake.Checkout, "1.40.0")
	if !ok {
		t.Fatal("no such release")
	}
	r, err := s.world.Releases().Get(member(t, s), viewfake.Checkout, "1.40.0")
	if err != nil {
		t.Fatal(err)
	}
	r.Verdict, in.Cells = nil, in.Cells[:1]
	for range 250 {
		in.Cells[0].Required = append(in.Cells[0].Required, verdict.Test{Key: viewfake.ID(string(rune(len(in.Cells[0].Required)))).String()})
	}
	s.world.PutRelease(r, in)
	path := of(viewfake.Checkout, "1.40.0")
	all := path + "?all=cell-1"
	few, many := s.get(t, path), s.get(t, all)
	says(t, few, []string{"and 160 other tests", `href="` + all + `#cell-1"`, "and 230 other tests"}, nil)
	if a, b := strings.Count(few.body, "<tr>"), strings.Count(many.body, "<tr>"); b-a != 110 {
		t.Errorf("%d rows, and %d when all are asked for", a, b)
	}
	wellFormed(t, many.body)
	next := following(t, many.body, "Show the next")
	if !strings.Contains(next, "all=cell-1") {
		t.Fatalf("the rest is at %q", next)
	}
	next, _, _ = strings.Cut(next, "#")
	last := s.get(t, next)
	says(t, last, []string{"200 other tests", "Show the worst"}, []string{"Show the next"})
	if a, b := strings.Count(many.body, "<tr>"), strings.Count(last.body, "<tr>"); a-b != 141 {
		t.Errorf("%d rows, and %d on the second page", a, b)
	}
}

// following is where the link with a text leads to.
func following(t *testing.T, body, text string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data == "a" && n.FirstChild != nil && strings.TrimSpace(n.FirstChild.Data) == text {
			return attribute(n, "href")
		}
	}
	return ""
}

// TestRelease_Large proves that the page of a release with very many cells stays small, has what decides the verdict, and leads to the rest.
func TestRelease_Large(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	in, ok := s.world.Input(viewfake.Checkout, "1.40.0")
	if !ok {
		t.Fatal("no such release")
	}
	r, err := s.world.Releases().Get(member(t, s), viewfake.Checkout, "1.40.0")
	if err != nil {
		t.Fatal(err)
	}
	r.Verdict = nil
	in.Cells = nil
	for i := range 300 {
		c := verdict.Cell{Suite: fmt.Sprintf("suite-%03d", i/6), Environment: fmt.Sprintf("staging-%d", i%6)}
		for n := range 5 {
			c.Required = append(c.Required, verdict.Test{Key: fmt.Sprint("key", i, n), Name: fmt.Sprintf("tests.suite_%03d › it_does_what_is_asked_of_it_%d", i/6, n)})
		}
		in.Cells = append(in.Cells, c)
	}
	s.world.PutRelease(r, in)
	page := s.get(t, of(viewfake.Checkout, "1.40.0"))
	if most := 200 << 10; len(page.body) > most {
		t.Errorf("%d bytes", len(page.body))
	}
	for _, c := range in.Cells {
		if name := c.Suite + " in " + c.Environment; !strings.Contains(page.body, "<span class=\"hide\">: "+name) {
			t.Errorf("the matrix lacks %s", name)
		}
	}
	says(t, page, []string{"other cells is not on this page"}, nil)
	wellFormed(t, page.body)
}
