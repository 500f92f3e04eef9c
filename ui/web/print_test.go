package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/seatrial/seatrial/controlplane/release/report"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// A sheet of A4, in inches.
const (
	paperWidth  = 8.27
	paperHeight = 11.69
)

// maxSheets is what a report of three environments and four suites may take: what is longer is not read.
const maxSheets = 6

// TestBrowser_PrintsARelease proves that a release of four suites in three environments, with everything that can be said against one, fits on
// a few sheets: its page and the report that stands alone. With SHOTS set to a folder it leaves them there for people to look at.
func TestBrowser_PrintsARelease(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := setup(t, viewfake.Sample())
	r, err := s.world.Releases().Get(member(t, s), viewfake.Harbour, "2026.11.0")
	if err != nil {
		t.Fatal(err)
	}
	var out verdict.Output
	if err := json.Unmarshal(r.Verdict, &out); err != nil {
		t.Fatal(err)
	}
	var alone bytes.Buffer
	head := report.Release{
		Application: r.Application, Version: r.Version, Commit: r.Commit, Images: r.Images, Policy: r.Policy.Name, Revision: r.Policy.Revision, Actor: r.Actor,
		CreatedAt: r.CreatedAt, DecidedAt: r.Decided, URL: "https://seatrial.example.com" + of(r.Application, r.Version), Waivers: r.Waivers,
	}
	if err := report.Write(&alone, report.HTML, head, out); err != nil {
		t.Fatal(err)
	}
	file := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(alone.Bytes()) }))
	t.Cleanup(file.Close)
	for name, address := range map[string]string{"page": s.serve(t) + of(r.Application, r.Version), "report": file.URL} {
		open(ctx, t, address)
		if sheets := printed(ctx, t, name); sheets == 0 || sheets > maxSheets {
			t.Errorf("the %s takes %d sheets, want at most %d", name, sheets, maxSheets)
		}
	}
}

// sheet is a page of a PDF, as Chromium writes it; "/Pages" is the list of them.
var sheet = regexp.MustCompile(`/Type\s*/Page\b`)

// printed prints the page and returns how many sheets it takes.
func printed(ctx context.Context, t *testing.T, name string) int {
	t.Helper()
	got, err := chromedp.Call(ctx, page.PrintToPDF, page.PrintToPDFParams{PaperWidth: paperWidth, PaperHeight: paperHeight, PreferCSSPageSize: new(true), PrintBackground: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	pdf := []byte(got.Data)
	if dir := os.Getenv("SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "release-"+name+".pdf"), pdf, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return len(sheet.FindAll(pdf, -1))
}
