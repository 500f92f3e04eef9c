package harness

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

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
