package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/ui/web"
)

// probeData asks for the data of every page as everybody who must not see it, and as the owner, who does.
func (w *world) probeData(t *testing.T, f *figures) {
	t.Helper()
	header := http.Header{"Accept": {"application/json"}}
	for _, pattern := range web.DataPatterns() {
		seen := false
		for _, k := range kinds(w.theirs) {
			method, path := address(pattern, w.theirs, k)
			own := strings.ReplaceAll(path, "{org}", w.theirs["organization"])
			for _, caller := range []string{"no one", "expired token", "wrong audience"} {
				o := w.visit(t, method, own, w.cookies[caller], header)
				if f.judge(t, w, caller+" at the data of "+pattern, own, o); o.code != "unauthenticated" || !strings.HasPrefix(o.text, "{") {
					t.Errorf("the data of %s as %s: %s %.200s", pattern, caller, o.code, o.text)
				}
			}
			spy := w.cookies["wrong organization"]
			o := w.visit(t, method, own, spy, header)
			if f.judge(t, w, "another organization at the data of "+pattern, own, o); o.code != "not_found" || !strings.HasPrefix(o.text, "{") {
				t.Errorf("the data of %s of a foreign organization: %s %.200s", pattern, o.code, o.text)
			}
			w.comparePages(t, f, pattern, k, spy, header)
			o = w.visit(t, method, own, w.cookies["owner"], header)
			seen = seen || o.code == "" && strings.HasPrefix(o.text, "{")
			if !wildcard.MatchString(strings.ReplaceAll(pattern, "{org}", "")) {
				break // it names nothing
			}
		}
		if !seen && !strings.HasSuffix(pattern, "/compare") { // there is no green one to compare with
			t.Errorf("the owner gets no data of %s: nothing is proven about it", pattern)
		}
	}
}
