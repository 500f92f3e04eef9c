package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// TestCatalog_Filter proves that the address alone says what the catalog shows, and that each filter narrows it.
func TestCatalog_Filter(t *testing.T) {
	t.Parallel()
	all := []string{"checkout-api", "nightly-load", "shell-check", "shop-browser"}
	for name, tc := range map[string]struct {
		query  string
		want   string
		reason string
	}{
		"All":         {"", "checkout-api nightly-load shell-check shop-browser", "nothing is asked for"},
		"Name":        {"q=CHECK", "checkout-api shell-check", "in capitals or not"},
		"Description": {"q=real+browser", "shop-browser", "what people remember of it"},
		"Owner":       {"owner=platform", "nightly-load shell-check", "of one team"},
		"Label":       {"label=app%3Dshop", "checkout-api nightly-load shell-check shop-browser", "all have it"},
		"Labels":      {"label=app%3Dshop,+tier%3Dui", "", "all labels must fit"},
		"Last":        {"last=paused", "shop-browser", "its newest execution waits for somebody"},
		"Together":    {"q=check&owner=platform", "shell-check", "each narrows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := setup(t, viewfake.Sample()).get(t, "/o/acme/catalog?"+tc.query)
			wellFormed(t, got.body)
			var shown []string
			for _, flow := range all {
				if strings.Contains(got.body, `<a href="/o/acme/workflows/`+flow+`">`) {
					shown = append(shown, flow)
				}
			}
			if strings.Join(shown, " ") != tc.want || got.code != http.StatusOK {
				t.Errorf("status %d with %q, want %q: %s", got.code, shown, tc.want, tc.reason)
			}
		})
	}
}

func TestCatalog_FilterSays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		query string
		code  int
		says  []string
	}{
		"Empty": {"q=%3Cb%3E&owner=payments&label=tier%3Dui&last=timed_out", http.StatusOK, []string{
			"No workflow of the catalog has “&lt;b&gt;” in name or description, has the label tier=ui, is owned by payments and has a last run that is timed out.",
			`href="/o/acme/catalog">Show the whole catalog`, `<option selected>payments</option>`, `<option value="timed_out" selected>`, `value="tier=ui"`,
		}},
		"Kept":    {"q=check&last=passed", http.StatusOK, []string{`name="q" type="search" value="check"`}},
		"Chip":    {"q=check&owner=platform", http.StatusOK, []string{`href="/o/acme/catalog?label=app%3Dshop&amp;owner=platform&amp;q=check"`}},
		"NoLabel": {"label=shop&q=check", http.StatusUnprocessableEntity, []string{"&#34;shop&#34; is no label.", `aria-invalid="true"`, `value="check"`}},
		"NoState": {"last=green", http.StatusUnprocessableEntity, []string{"There is no state &#34;green&#34;."}},
		"Long":    {"q=" + strings.Repeat("x", 201), http.StatusUnprocessableEntity, []string{"The text is longer than 200 bytes."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := setup(t, viewfake.Sample()).get(t, "/o/acme/catalog?"+tc.query)
			wellFormed(t, got.body)
			if got.code != tc.code {
				t.Errorf("status %d, want %d", got.code, tc.code)
			}
			says(t, got, tc.says, []string{"The catalog has no workflow yet"})
		})
	}
}

// TestCatalog_FilterPages proves that the next page is one of what was asked for.
func TestCatalog_FilterPages(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for range 60 {
		s.world.Workflows = append(s.world.Workflows, s.world.Workflows[0])
	}
	s.world.Workflows[0].Record.Labels = map[string]string{workflow.NeverRun: "x"}
	got := s.get(t, "/o/acme/catalog?q=checkout&owner=payments")
	if !strings.Contains(got.body, "owner=payments&amp;q=checkout\" rel=\"next\"") {
		t.Error("the next page forgets the filter")
	}
	says(t, got, nil, []string{`id="templates"`})
}
