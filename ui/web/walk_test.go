package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/seatrial/seatrial/integration/harness"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// seat is what somebody sits in front of.
type seat struct {
	width  int64
	theme  string
	script bool
	judged bool // the rules of accessibility are tried on every page that is shown
}

func (s seat) String() string {
	return fmt.Sprintf("%d px, %s, script %t", s.width, s.theme, s.script)
}

// seats are all combinations of width and script. The rules of accessibility look at what a page says, which a script changes little, and
// at its colours: each theme is judged once, at either end of the widths.
func seats() []seat {
	return []seat{
		{320, "light", true, false},
		{768, "light", true, false},
		{1440, "dark", true, true},
		{320, "light", false, true},
		{768, "dark", false, false},
		{1440, "light", false, false},
	}
}

// walker is somebody who does a job in a tab of the browser, by what can be read on the pages.
type walker struct {
	*testing.T
	seat

	ctx    context.Context //nolint:containedctx // chromedp keeps the tab in it
	site   *site
	base   string
	loaded chan struct{}
	rules  string // of accessibility
	last   string // address of the page that was judged last
}

// step is one thing that somebody does or sees.
type step func(w *walker)

// aide is a script that finds things as people do: by their words, among what is shown.
const aide = `(() => {
const words = (e) => (e.getAttribute("aria-label") || e.innerText || e.textContent || "").replace(/\s+/g, " ").trim();
const shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
const pick = (selector, text, within) => {
  const all = [...(within ?? document).querySelectorAll(selector)].filter(shown);
  return all.find((e) => words(e) === text) ?? all.find((e) => words(e).startsWith(text)) ?? all.find((e) => words(e).includes(text));
};
const need = (e, what) => { if (!e) throw new Error("there is no " + what); return e; };
// Whoever cannot hit a thing cannot use it: it must not lie outside the screen or below something else.
const reach = (e) => {
  e.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
  const r = e.getClientRects()[0], x = r.x + r.width / 2, y = r.y + Math.min(r.height, innerHeight) / 2, top = document.elementFromPoint(x, y);
  if (!top || !(e.contains(top) || top.contains(e) && top.closest("label, main section, form, td, li") && !top.matches("body, html, main"))) {
    throw new Error(words(e) + " cannot be reached at " + x + ", " + y + ": " + (top ? top.outerHTML.slice(0, 80) : "it is outside of the screen"));
  }
  return e;
};
const input = (label) => {
  const l = pick("label", label) ?? [...document.querySelectorAll("label.hide")].find((e) => words(e) === label), aria = [...document.querySelectorAll("input, select, textarea")].filter(shown).find((e) => e.getAttribute("aria-label") === label);
  return reach(need(l?.control ?? aria, "input " + label));
};
const within = (text) => text ? need(pick("tr, li", text) ?? pick("section, form", text), "row with " + text) : document;
`

// call evaluates the body of a function that returns a text.
func (w *walker) call(body string, args ...any) string {
	w.Helper()
	out, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](aide+fmt.Sprintf(body, w.quoted(args)...)+"\n})()"))
	if err != nil {
		w.Fatalf("%s: %v; the page says:\n%.1500s", w.where(), err, w.text())
	}
	return out
}

// quoted makes literals of a script of texts.
func (w *walker) quoted(args []any) []any {
	w.Helper()
	out := make([]any, len(args))
	for i, a := range args {
		raw, err := json.Marshal(a)
		if err != nil {
			w.Fatal(err)
		}
		out[i] = string(raw)
	}
	return out
}

func (w *walker) where() string {
	at, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string]("location.href"))
	return strings.TrimPrefix(at, w.base)
}

func (w *walker) text() string {
	text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.body.innerText.replace(/\s+/g, " ")`))
	return text
}

// arrive waits until a page is there and looks at it.
func (w *walker) arrive() {
	w.Helper()
	select {
	case <-w.loaded:
	case <-time.After(20 * time.Second):
		w.Fatalf("no page came; the page %s says:\n%.1500s", w.where(), w.text())
	}
	w.look()
}

// look holds the page to what holds for every page.
func (w *walker) look() {
	w.Helper()
	at := w.where()
	if wide := eval[int64](w.ctx, w.T, `document.documentElement.scrollWidth`); wide > w.width {
		w.Errorf("%s is %d pixels wide", at, wide)
	}
	if !w.judged || at == w.last {
		return
	}
	w.last = at
	w.judge(at)
}

// shorten takes most of a long log away: its first and last lines and the marked ones stand for all, and each takes its time to be judged.
const shorten = `[...document.querySelectorAll(".log .l")].slice(60, -20).filter((e) => !e.matches(".on")).forEach((e) => e.remove())`

// judge tries the rules of accessibility. They are a script: it may run while they do.
func (w *walker) judge(at string) {
	w.Helper()
	w.scripts(true)
	defer w.scripts(w.script)
	if !eval[bool](w.ctx, w.T, `typeof axe === "object"`) {
		eval[chromedp.Void](w.ctx, w.T, w.rules)
	}
	eval[chromedp.Void](w.ctx, w.T, shorten)
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](judge, chromedp.EvalAwaitPromise))
	if err != nil {
		w.Fatalf("%s: %v", at, err)
	}
	for _, v := range broken(w.T, text) {
		if v.ID == "meta-refresh" && strings.Contains(w.text(), "Leave it as it is") {
			continue // whoever reads can switch it off, which is what the rule is for
		}
		w.Errorf("%s: %s (%s)\n  %s", at, v.Help, v.ID, strings.Join(v.Nodes, "\n  "))
	}
}

// scripts says whether pages may run their script.
func (w *walker) scripts(may bool) {
	w.Helper()
	if _, err := chromedp.Call(w.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !may}); err != nil {
		w.Fatal(err)
	}
}

// moved does something that leads to another page, or to another place of this one.
func (w *walker) moved(leads bool, body string, args ...any) {
	w.Helper()
	for len(w.loaded) > 0 {
		<-w.loaded
	}
	if where := w.call(body, args...); leads && where != "same" {
		w.arrive()
		return
	}
	w.look()
}

// visit opens a page by its address.
func visit(path string) step {
	return func(w *walker) {
		w.Helper()
		for len(w.loaded) > 0 {
			<-w.loaded
		}
		harness.Visit(w.ctx, w.T, w.base+path)
		w.arrive()
	}
}

// follow follows a link by its words; in names the row or the section that it stands in, and may be empty.
func follow(text, in string) step {
	return func(w *walker) {
		w.Helper()
		w.moved(true, `const a = reach(need(pick("a[href]", %s, within(%s)), "link " + %[1]s)), to = new URL(a.href);
const same = to.pathname === location.pathname && to.search === location.search && to.hash; a.click(); return same ? "same" : "";`, text, in)
	}
}

// press presses the button of a form, which leads to another page.
func press(text, in string) step {
	return func(w *walker) {
		w.Helper()
		w.moved(true, `reach(need(pick("button", %s, within(%s)), "button " + %[1]s)).click(); return "";`, text, in)
	}
}

// unfold opens what is folded up.
func unfold(text, in string) step {
	return func(w *walker) {
		w.Helper()
		w.moved(false, `reach(need(pick("summary", %s, within(%s)), "part to unfold " + %[1]s)).click(); return "";`, text, in)
	}
}

// fill writes into the input with a label.
func fill(label, value string) step {
	return func(w *walker) {
		w.Helper()
		w.call(`const i = input(%s); i.value = %s; if (i.value !== %[2]s) throw new Error("it takes no " + %[2]s); return "";`, label, value)
	}
}

// tick ticks a box, or takes the tick away.
func tick(label string) step {
	return func(w *walker) {
		w.Helper()
		w.call(`input(%s).click(); return "";`, label)
	}
}

// key presses a key that leads to another page.
func key(name string) step {
	return func(w *walker) {
		w.Helper()
		for len(w.loaded) > 0 {
			<-w.loaded
		}
		w.call(`document.activeElement.blur(); return "";`)
		if err := chromedp.Do(w.ctx, chromedp.KeyEvent(name)); err != nil {
			w.Fatal(err)
		}
		w.arrive()
	}
}

// filled says what must stand in the input with a label.
func filled(label, value string) step {
	return func(w *walker) {
		w.Helper()
		if got := w.call(`return input(%s).value;`, label); got != value {
			w.Errorf("%s: %s is %q, want %q", w.where(), label, got, value)
		}
	}
}

// see says what must be on the page.
func see(texts ...string) step {
	return func(w *walker) {
		w.Helper()
		got := w.text()
		for _, text := range texts {
			if !strings.Contains(got, text) {
				w.Errorf("%s does not say %q but:\n%.1500s", w.where(), text, got)
			}
		}
	}
}

// miss says what must not be on the page.
func miss(text string) step {
	return func(w *walker) {
		w.Helper()
		if got := w.text(); strings.Contains(got, text) {
			w.Errorf("%s says %q", w.where(), text)
		}
	}
}

// on says which page it must be.
func on(path string) step {
	return func(w *walker) {
		w.Helper()
		if got := w.where(); !strings.HasPrefix(got, path) {
			w.Errorf("the page is %s, want %s", got, path)
		}
	}
}

// holds says what must be true of the page, as an expression of a script.
func holds(expression string) step {
	return func(w *walker) {
		w.Helper()
		if !eval[bool](w.ctx, w.T, expression) {
			w.Errorf("%s: %s is false; the page says\n%.1500s", w.where(), expression, w.text())
		}
	}
}

// scripted are steps for those who have the script, and plain ones for those who do not.
func scripted(steps ...step) step { return either(true, steps) }

func plain(steps ...step) step { return either(false, steps) }

func either(script bool, steps []step) step {
	return func(w *walker) {
		w.Helper()
		for _, do := range steps {
			if w.script == script {
				do(w)
			}
		}
	}
}

// sit gives somebody a tab of the browser with a screen.
func sit(t *testing.T, browser context.Context, rules string, s seat) *walker { //nolint:revive // the context is the browser's
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext()) // with cookies of their own
	t.Cleanup(cancel)
	w := &walker{T: t, seat: s, ctx: ctx, rules: rules, loaded: make(chan struct{}, 16)}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *page.EventLoadEventFired:
			select {
			case w.loaded <- struct{}{}:
			default:
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("the script failed: %s", e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	look(ctx, t, s.theme, s.width)
	w.scripts(s.script)
	return w
}

// enter gives somebody an organization of their own.
func (w *walker) enter(t *testing.T, world *viewfake.World, signedIn bool) {
	t.Helper()
	w.T, w.last = t, ""
	if _, err := chromedp.Call(w.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	w.site = setup(t, world)
	if signedIn {
		w.base = w.site.serve(t)
		return
	}
	w.site.server = httptest.NewServer(w.site.handler)
	t.Cleanup(func() {
		w.site.stop()
		w.site.server.Close()
	})
	w.base = w.site.server.URL
}

// TestBrowser_Walk does the main job of every page as a person would, at every width, with the script and without.
func TestBrowser_Walk(t *testing.T) {
	t.Parallel()
	rules := harness.Axe(t)
	browser := harness.Browser(t)
	if err := chromedp.Do(browser); err != nil { // the tabs are of one browser
		t.Fatal(err)
	}
	for _, s := range seats() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			w := sit(t, browser, rules, s)
			for _, j := range jobs() {
				t.Run(j.does, func(t *testing.T) {
					world := viewfake.Sample()
					if j.empty {
						world = viewfake.New(viewfake.Now)
					}
					w.enter(t, world, !j.outside)
					for _, do := range j.steps {
						do(w)
					}
				})
			}
		})
	}
}
