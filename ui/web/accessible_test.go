package web_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/seatrial/seatrial/integration/harness"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// violation is a rule of accessibility that a page breaks, and where.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// judge runs the rules over the page and returns, as JSON, what breaks them. The rules are WCAG 2.2 AA and what axe-core calls best practice.
const judge = `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations.map((v) => ({
  id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.target.join(" ") + ": " + n.html.slice(0, 160) + " " + (n.any[0] || n.all[0] || n.none[0] || {message: ""}).message),
}))))`

// TestBrowser_Accessible holds every page to the rules of accessibility, in both themes, and at the width of a phone.
func TestBrowser_Accessible(t *testing.T) {
	t.Parallel()
	rules := harness.Axe(t)
	ctx := harness.Browser(t) // it takes as long as it takes
	base := setup(t, viewfake.Sample()).serve(t)
	for _, screen := range []struct {
		theme string
		width int64
	}{{"light", 1440}, {"dark", 1440}, {"light", 320}} {
		look(ctx, t, screen.theme, screen.width)
		for _, name := range slices.Sorted(maps.Keys(everyPage())) {
			open(ctx, t, base+everyPage()[name])
			eval[chromedp.Void](ctx, t, rules)
			text, err := chromedp.Run(ctx, chromedp.Evaluate[string](judge, chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, v := range broken(t, text) {
				t.Errorf("%s, %s, %d px: %s (%s)\n  %s", name, screen.theme, screen.width, v.Help, v.ID, strings.Join(v.Nodes, "\n  "))
			}
		}
	}
}

// broken reads what judge found.
func broken(t *testing.T, text string) []violation {
	t.Helper()
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return found
}
