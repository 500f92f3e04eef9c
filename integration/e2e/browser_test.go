package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seatrial/seatrial/integration/harness"
)

// tab is a tab of Debian's Chromium in which somebody has signed in.
type tab struct {
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in it
}

func signIn(t *testing.T, p *plane) tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(harness.Browser(t), 2*patience)
	t.Cleanup(cancel)
	b := tab{ctx}
	b.open(t, p.url+"/login")
	err := chromedp.Do(b.ctx, chromedp.SendKeys("#email", p.email), chromedp.SendKeys("#password", p.password+"\r"))
	if err != nil {
		t.Fatal(err)
	}
	b.until(t, `location.pathname.startsWith("/o/")`)
	return b
}

func (b tab) open(t *testing.T, address string) {
	t.Helper()
	harness.Visit(b.ctx, t, address)
}

// until waits for an expression to become true in the page, also when the page is replaced meanwhile.
func (b tab) until(t *testing.T, expression string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && b.ctx.Err() == nil; {
		_, err = chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(10*time.Second)))
		if err == nil {
			return
		}
	}
	t.Fatalf("%s: %v; the page says:\n%.3000s", expression, err, b.text(t))
}

// text returns what the page says.
func (b tab) text(t *testing.T) string {
	t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// path returns the organization's part of the page's address, such as /o/acme.
func (b tab) path(t *testing.T) string {
	t.Helper()
	path, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname.split("/").slice(0, 3).join("/")`))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// submit sends a form as its button does.
func (b tab) submit(t *testing.T, form string) {
	t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.querySelector(`"+form+"`).requestSubmit(), true")); err != nil {
		t.Fatal(err)
	}
}
