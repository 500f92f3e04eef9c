package harness

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// HasBrowser reports whether there is Debian's Chromium, for what can do without.
func HasBrowser() bool {
	_, err := exec.LookPath("chromium")
	return err == nil
}

// Browser returns a tab of Debian's Chromium, closed when the test ends, with what it wrote. Without one the test is skipped and
// says so.
func Browser(tb testing.TB) context.Context {
	tb.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		tb.Skip("no chromium: install the Debian package chromium to see the pages")
	}
	dir, err := os.MkdirTemp("", "seatrial-browser") //nolint:usetesting // Chromium may write in it while it ends, which must not fail the test
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Env("TMPDIR="+dir),
		chromedp.UserDataDir(dir+"/profile"), chromedp.Flag("disable-background-networking", true), chromedp.WindowSize(1440, 1000))
	alloc, stop := chromedp.NewExecAllocator(tb.Context(), options...)
	tb.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(alloc)
	tb.Cleanup(closeTab)
	return tab
}

// Visit loads a page. Chromium gives up what it loads when a network interface comes or goes, as those of pods do all the time on a
// node: it is loaded again then.
func Visit(ctx context.Context, tb testing.TB, address string) {
	tb.Helper()
	const tries = 5
	for n := 1; ; n++ {
		err := chromedp.Do(ctx, chromedp.Navigate(address))
		if err == nil {
			return
		}
		if n == tries || !strings.Contains(err.Error(), "ERR_NETWORK_CHANGED") {
			tb.Fatalf("open %s: %v", address, err)
		}
	}
}
