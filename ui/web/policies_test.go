package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// TestPolicies_Try proves that a document is tried as it was sent, and stays in the form whatever came of it.
func TestPolicies_Try(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, "/o/acme/settings/policies", url.Values{"source": {"kind: ReadinessPolicy\nmetadata: {name: stricter}"}})
	says(t, got, []string{
		"stricter would change the verdict on 1 of", "no-unwaived-failures: broken → holds", "requires production/checkout-api in addition",
		"Its evidence was deleted", "metadata: {name: stricter}",
	}, nil)
	got = s.post(t, "/o/acme/settings/policies", url.Values{"source": {"<b>nothing"}})
	if got.code != http.StatusUnprocessableEntity {
		t.Errorf("a document without a name: %d", got.code)
	}
	says(t, got, []string{"metadata.name is missing", "&lt;b&gt;nothing"}, []string{"would have said"})
}
