package web_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/integration/harness"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// browser returns a tab of Debian's Chromium, or skips the test where there is none. What the page complains about fails the
// test: a script that the policy forbids is a defect.
func browser(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(harness.Browser(t), 3*time.Minute)
	t.Cleanup(cancel)
	err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("the script failed: %s", e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func open(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	harness.Visit(ctx, t, address)
}

// until waits for an expression to become true in the page.
func until(ctx context.Context, t *testing.T, expression string) {
	t.Helper()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(2*time.Minute)))
		if err == nil {
			return
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "(-32000)") { // the page is being left
			t.Fatalf("%s: %v", expression, err)
		}
	}
}

// eval returns what an expression is in the page.
func eval[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func TestBrowser_FollowsAnExecution(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := setup(t, viewfake.Sample())
	base, attempt := s.serve(t), viewfake.AttemptID(viewfake.Live)
	open(ctx, t, base+at(viewfake.Live))
	until(ctx, t, `document.querySelector("#L31[data-open]") !== null`)

	s.world.Write(attempt, 1, "\x1b[32mPASSED\x1b[0m\n<img src=x onerror=\"document.title='owned'\"> https://a.example/x\nhalf a l", false)
	until(ctx, t, `document.querySelector("#L33[data-open]")?.textContent === "33half a l"`)
	s.world.Write(attempt, 1, "ine\n", false)
	until(ctx, t, `document.querySelector("#L33:not([data-open])")?.textContent === "33half a line"`)

	first, second := eval[string](ctx, t, `document.querySelector("#L31 > span").textContent`), eval[string](ctx, t, `document.querySelector("#L32 > span").textContent`)
	link, images := eval[string](ctx, t, `document.querySelector("#L32 span a").href`), eval[int](ctx, t, `document.querySelectorAll("#log img").length`)
	if first != "tests/test_pay.py::test_card PASSED" || !strings.HasPrefix(second, "<img src=x") || images != 0 || link != "https://a.example/x" {
		t.Errorf("lines are %q and %q, link %q, %d images", first, second, link, images)
	}

	finish(t, s, attempt)
	until(ctx, t, `document.querySelector("#sentence")?.innerText.includes("passed in staging-eu")`)
	until(ctx, t, `document.querySelector("#steps .running") === null && document.querySelector("#main").dataset.events === ""`)
	until(ctx, t, `document.querySelector("#said").textContent.includes("passed")`)
}

// TestBrowser_KeepsRunsOpen proves that news of an execution leave alone what somebody has unfolded, and that a run which fails
// meanwhile does not fold the others up.
func TestBrowser_KeepsRunsOpen(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := setup(t, viewfake.Sample())
	open(ctx, t, s.serve(t)+at(viewfake.Matrix))
	until(ctx, t, `document.querySelector("#run-2").open && !document.querySelector("#run-1").open`)
	eval[bool](ctx, t, `(() => { document.querySelector("#run-2").open = false; return document.querySelector("#run-1").open = true; })()`)
	e, err := s.world.Execution(member(t, s), viewfake.ExecutionID(viewfake.Matrix))
	if err != nil {
		t.Fatal(err)
	}
	e.Runs = slices.Clone(e.Runs)
	e.Runs[2].Status = execution.Failed
	s.world.Put(e)
	until(ctx, t, `document.querySelector("#steps").innerText.includes("shard 1/2: failed")`)
	if open := eval[string](ctx, t, `[...document.querySelectorAll("#steps details[id]")].map((d) => d.open ? 1 : 0).join("")`); open != "1000" {
		t.Errorf("open are %s, want what was left open: 1000", open)
	}
}

// finish ends the live execution of the sample.
func finish(t *testing.T, s *site, attempt execution.AttemptID) {
	t.Helper()
	t.Helper()
	e, err := s.world.Execution(member(t, s), viewfake.ExecutionID(viewfake.Live))
	if err != nil {
		t.Fatal(err)
	}
	e.Status, e.FinishedAt, e.Tests = execution.Passed, viewfake.Now(), execution.Counts{Total: 2, Passed: 2}
	r := e.Runs[0]
	a := r.Attempts[0]
	a.Status, a.FinishedAt, a.Delivered = execution.Passed, viewfake.Now(), true
	a.Steps = append([]execution.Step{}, a.Steps...)
	for i := range a.Steps {
		a.Steps[i].Status, a.Steps[i].FinishedAt, a.Steps[i].Log.Complete = execution.Passed, viewfake.Now(), true
	}
	r.Status, r.Attempts = execution.Passed, []execution.Attempt{a}
	e.Runs = []execution.Run{r}
	s.world.Write(attempt, 1, "done\n", true)
	s.world.Put(e)
}

// TestBrowser_Widths proves that no page needs sideways scrolling, down to 320 pixels. With SHOTS set to a folder it leaves pictures
// there for people to look at, of a phone and of a desk.
func TestBrowser_Widths(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := setup(t, viewfake.Sample())
	base := s.serve(t)
	for name, path := range everyPage() {
		show(ctx, t, base+path)
		for _, width := range []int64{320, 390, 768, 1440} {
			for _, theme := range []string{"light", "dark"} {
				look(ctx, t, theme, width)
				wide := eval[int64](ctx, t, `document.documentElement.scrollWidth`)
				if wide > width {
					t.Errorf("%s is %d pixels wide on a screen of %d", name, wide, width)
				}
				if dir := os.Getenv("SHOTS"); dir != "" && (width == 390 || width == 1440) {
					shoot(ctx, t, filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, theme)))
				}
			}
		}
	}
}

// TestBrowser_LongNames proves that names which are long, or written from right to left, neither widen a page nor turn it round.
func TestBrowser_LongNames(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := setup(t, viewfake.Sample())
	base := s.serve(t)
	for _, name := range []string{strings.Repeat("x", 190), strings.Repeat("שלום-", 30), strings.Repeat("long name ", 18)} {
		s.world.PutRelease(poisonedRelease(name))
		poisonTest(s.world, name)
		for _, path := range []string{of(name, name), "/o/acme/releases", "/o/acme", "/o/acme/tests", story("poisoned", 1)} {
			show(ctx, t, base+path)
			for _, width := range []int64{320, 1280} {
				look(ctx, t, "light", width)
				if wide := eval[int64](ctx, t, `document.documentElement.scrollWidth`); wide > width {
					t.Errorf("%s is %d pixels wide on a screen of %d", path, wide, width)
				}
			}
		}
	}
}

// TestBrowser_FollowsARelease proves that a verdict which changes shows on an open page, and that a form in use stays.
func TestBrowser_FollowsARelease(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := setup(t, viewfake.Sample())
	path := of(viewfake.Checkout, "1.42.0")
	open(ctx, t, s.serve(t)+path)
	eval[bool](ctx, t, `(() => { const d = document.querySelector("details[id$=-waive]"); d.open = true; const a = d.querySelector("textarea"); a.value = "half"; a.focus(); return true; })()`)
	s.post(t, path+"/waivers/"+waiverOf("asked")+"/approve", nil)
	until(ctx, t, `document.querySelector("#waivers").innerText.includes("in use")`)
	if got := eval[string](ctx, t, `document.querySelector("details[id$=-waive] textarea").value`); got != "half" {
		t.Errorf("what was written became %q", got)
	}
	in, _ := s.world.Input(viewfake.Checkout, "1.42.0")
	r, err := s.world.Releases().Get(member(t, s), viewfake.Checkout, "1.42.0")
	if err != nil {
		t.Fatal(err)
	}
	r.Verdict, in.Cells = nil, in.Cells[1:2]
	s.world.PutRelease(r, in)
	until(ctx, t, `document.querySelector("#sentence").innerText.includes("is ready") && document.querySelector("#said").textContent.includes("is ready")`)
}

// show opens a page.
func show(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	harness.Visit(ctx, t, address)
}

// look gives the page a screen of a width, and the colours that a system prefers.
func look(ctx context.Context, t *testing.T, theme string, width int64) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)); err != nil {
		t.Fatal(err)
	}
}

func shoot(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
}
