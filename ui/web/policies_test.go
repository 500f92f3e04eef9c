package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/ui/web/pages"
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
	wellFormed(t, got.body)
	says(t, got, []string{
		"line 1, metadata.name: is missing", "line 7, spec.rules[0].expr: there is no variable passt; did you mean passed?", "&lt;b&gt;nothing",
		`aria-invalid="true"`, "The policy has 2 faults.", `id="found"`,
	}, []string{"would have said", "Save as tried"})
}

// TestPolicies_Save proves that what is saved is what was tried, by whoever may.
func TestPolicies_Save(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	const path, source = "/o/acme/settings/policies", "kind: ReadinessPolicy\nmetadata: {name: prod-gate}\nspec: {}\n"
	tried := s.post(t, path, url.Values{"source": {strings.ReplaceAll(source, "\n", "\r\n")}})
	wellFormed(t, tried.body)
	says(t, tried, []string{"Saving it makes revision 4 of prod-gate", "Save as tried", `name="source" value="` + source + `"`}, nil)
	golden(t, "policy-tried", readable(t, tried.body))
	got := s.post(t, path+"/save", url.Values{"source": {source}})
	if got.code != http.StatusSeeOther || got.header.Get("Location") != path+"?saved=prod-gate" {
		t.Fatalf("status %d to %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	says(t, s.get(t, path+"?saved=prod-gate"), []string{"prod-gate is saved as revision 4."}, nil)
	says(t, s.post(t, path, url.Values{"source": {source}}), []string{"there is nothing to save"}, []string{"Save as tried"})
	says(t, s.post(t, path, url.Values{"source": {"metadata: {name: new}"}}), []string{"Saving it makes the policy new.", "Save as tried", "<option>payments</option>"}, nil)
	if got := s.post(t, path+"/save", url.Values{"source": {"nothing"}}); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "metadata.name: is missing") {
		t.Errorf("a document without a name: %d", got.code)
	}
	s.world.Member.Viewer.Role = tenant.RoleViewer
	says(t, s.post(t, path, url.Values{"source": {"metadata: {name: other}"}}), []string{"may save it"}, []string{"Save as tried"})
	if got := s.post(t, path+"/save", url.Values{"source": {source}}); got.code != http.StatusForbidden {
		t.Errorf("whoever may only look saved it: %d", got.code)
	}
}

// TestPolicies_First proves that the document to begin with is one.
func TestPolicies_First(t *testing.T) {
	t.Parallel()
	for name, world := range map[string]*viewfake.World{"?new=1": viewfake.Sample(), "": viewfake.New(viewfake.Now)} {
		if got := setup(t, world).get(t, "/o/acme/settings/policies"+name); !strings.Contains(got.body, "metadata: {name: gate}") {
			t.Errorf("%q: nothing to begin with in the form", name)
		}
	}
	read := parse.Read([]byte(pages.FirstPolicy))
	if faults := slices.Concat(read.Faults, policy.Check(read)); len(faults) > 0 || read.Kind != document.ReadinessPolicyKind {
		t.Errorf("a %s with %v", read.Kind, faults)
	}
}
