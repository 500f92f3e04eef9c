package app_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// tab is a browser in which somebody works.
type tab struct {
	*testing.T
	ctx  context.Context //nolint:containedctx // chromedp keeps the tab in it
	base string
}

// newTab returns a tab of a browser without cookies, or skips the test where there is none.
func newTab(t *testing.T, base string) tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(harness.Browser(t), 3*time.Minute)
	t.Cleanup(cancel)
	return tab{t, ctx, base}
}

func (b tab) open(path string) {
	b.Helper()
	harness.Visit(b.ctx, b.T, b.base+path)
}

// until waits for an expression to become true, also when the page is replaced meanwhile.
func (b tab) until(expression string) {
	b.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && b.ctx.Err() == nil; {
		if _, err = chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(5*time.Second))); err == nil {
			return
		}
	}
	b.Fatalf("%s: %v; the page says:\n%.2000s", expression, err, b.eval("document.body.innerText"))
}

func (b tab) eval(expression string) string {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// send fills a form in, as a person would, and sends it. The form is the one whose address ends so.
func (b tab) send(action string, fields map[string]string) {
	b.Helper()
	form := fmt.Sprintf(`document.querySelector('form[action$=%q]')`, action)
	b.until(form + " !== null")
	for name, value := range fields {
		b.eval(fmt.Sprintf(`(() => { const i = %s.elements[%q]; i.value = %q; return i.value; })()`, form, name, value))
	}
	b.eval(fmt.Sprintf(`(() => { const f = %s; setTimeout(() => f.requestSubmit()); return ""; })()`, form))
}

func (b tab) signIn(email, password string) {
	b.Helper()
	b.open("/login")
	b.send("/login", map[string]string{"email": email, "password": password})
}

// secretShown returns what the page shows once.
func (b tab) secretShown() string {
	b.Helper()
	b.until(`document.querySelector(".note pre") !== null`)
	return b.eval(`document.querySelector(".note pre").textContent.trim()`)
}

var firstPassword = regexp.MustCompile(`Password +(\S+)`)

// TestRun_People goes the way of people in a browser: an invitation, a token, a second factor, and the end of a membership.
func TestRun_People(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	admin := newTab(t, p.url)
	admin.signIn("admin@localhost", firstPassword.FindStringSubmatch(p.out.String())[1])
	admin.until(`location.pathname === "/o/default"`)
	admin.open("/o/default/settings/members")
	admin.send("/settings/members", map[string]string{"email": "bea@example.test", "role": "maintainer"})
	link := admin.secretShown()
	_, secret, ok := strings.Cut(link, "/invitations/")
	if !ok || !strings.HasPrefix(secret, "st_inv_") {
		t.Fatalf("link %q", link)
	}
	path := "/invitations/" + secret

	bea := newTab(t, p.url)
	bea.open(path)
	bea.send(path, map[string]string{"name": "Bea", "password": "correct horse"})
	bea.until(`location.pathname === "/o/default"`)
	admin.open(path)
	admin.until(`document.body.innerText.includes("has been used already")`)

	token(t, p, bea)
	codes := secondFactor(bea)
	again := newTab(t, p.url)
	again.signIn("bea@example.test", "correct horse")
	again.until(`document.querySelector('form[action$="/login"]').elements["code"] !== undefined`)
	again.send("/login", map[string]string{"code": "000000"})
	again.until(`document.body.innerText.includes("The code is wrong")`)
	again.send("/login", map[string]string{"code": codes[0]})
	again.until(`location.pathname === "/o/default"`)

	// Two browsers are signed in; one signs the other out.
	bea.open("/o/default/settings/account")
	bea.until(`document.querySelectorAll('form[action$="/end"]').length === 1`)
	bea.send("/end", nil)
	bea.until(`document.querySelector('form[action$="/end"]') === null`)
	again.open("/o/default")
	again.until(`location.pathname === "/login"`)

	admin.open("/o/default/settings/members")
	admin.send("/members/bea@example.test/remove", nil)
	admin.until(`!document.body.innerText.includes("bea@example.test")`)
	bea.open("/o/default")
	bea.until(`location.pathname === "/login"`)
}

// token makes an API token on its page, uses it, and revokes it.
func token(t *testing.T, p *program, bea tab) {
	t.Helper()
	bea.open("/o/default/settings/tokens")
	bea.send("/settings/tokens", map[string]string{"name": "ci", "workflows": "pay-*"})
	secret := bea.secretShown()
	identity := apiv1connect.NewIdentityServiceClient(&http.Client{Transport: bearer(secret)}, p.url)
	who, err := identity.WhoAmI(t.Context(), &apiv1.WhoAmIRequest{})
	if err != nil || who.GetTeam() != "default" || strings.Join(who.GetScopes(), ",") != "read,run" {
		t.Fatalf("the token is of %v, %v", who, err)
	}
	run := apiv1connect.NewExecutionServiceClient(&http.Client{Transport: bearer(secret)}, p.url)
	c := p.clients(p.token)
	if _, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: document}); err != nil {
		t.Fatal(err)
	}
	if _, err := run.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout"}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a token for pay-* ran checkout: %v", err)
	}
	bea.open("/o/default/settings/tokens")
	bea.until(`document.querySelector("tbody").innerText.includes("ci")`)
	if strings.Contains(bea.eval("document.body.innerText"), secret) {
		t.Error("the token is shown a second time")
	}
	bea.eval(`(() => { const row = [...document.querySelectorAll("tbody tr")].find((r) => r.innerText.includes("pay-*")); setTimeout(() => row.querySelector("form").requestSubmit()); return ""; })()`)
	bea.until(`!document.body.innerText.includes("pay-*, ") && ![...document.querySelectorAll("tbody tr")].some((r) => r.innerText.includes("pay-*"))`)
	if _, err := identity.WhoAmI(t.Context(), &apiv1.WhoAmIRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("after it was revoked: %v", err)
	}
}

// secondFactor turns it on with what the page shows, and returns the recovery codes.
func secondFactor(bea tab) []string {
	bea.Helper()
	bea.open("/o/default/settings/account")
	bea.send("/account/factor", nil)
	bea.until(`document.querySelector("#secret") !== null && document.querySelector("svg.qr path").getBBox().width > 20`)
	code, err := totp.GenerateCode(strings.ReplaceAll(bea.eval(`document.querySelector("#secret").textContent`), " ", ""), time.Now())
	if err != nil {
		bea.Fatal(err)
	}
	bea.send("/account/factor/on", map[string]string{"code": code})
	codes := strings.Fields(bea.secretShown())
	if len(codes) != 10 {
		bea.Fatalf("recovery codes %q", codes)
	}
	return codes
}
