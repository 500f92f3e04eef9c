package web_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"testing"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// TestAudit_EveryForm sends every form that the site has, as it is written in the routes, once by an owner and once by somebody who may
// only look. Each leaves exactly one entry, under a name that the API has as well.
func TestAudit_EveryForm(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("web.go")
	if err != nil {
		t.Fatal(err)
	}
	forms := regexp.MustCompile(`"POST (/o/\{org\}[^"]*)"`).FindAllStringSubmatch(string(source), -1)
	if len(forms) < 9 {
		t.Fatalf("%d forms were found in the routes", len(forms))
	}
	for _, form := range forms {
		path := regexp.MustCompile(`\{(\w+)\}`).ReplaceAllStringFunc(form[1], func(name string) string {
			if name == "{org}" {
				return "acme"
			}
			return viewfake.ID(name).String()
		})
		for _, role := range []tenant.Role{tenant.RoleOwner, tenant.RoleViewer} {
			s := setup(t, viewfake.New(viewfake.Now))
			s.world.Member.Viewer.Role = role
			got := s.post(t, path, url.Values{})
			entries := s.world.Recorded()
			if len(entries) != 1 {
				t.Errorf("%s as %s: %d entries", form[1], role, len(entries))
				continue
			}
			e := entries[0]
			if (got.code < http.StatusBadRequest) != (e.Outcome == audit.Done) || (got.code == http.StatusForbidden) != (e.Outcome == audit.Refused) {
				t.Errorf("%s as %s: answered %d, entry %+v", form[1], role, got.code, e)
			}
			if regexp.MustCompile(`\W`).MatchString(e.Action) || e.Actor.Name != s.world.Member.Viewer.Name || e.From != "192.0.2.1" {
				t.Errorf("%s as %s: entry %+v", form[1], role, e)
			}
		}
	}
}

// TestAudit_Lookers proves that looking is not put on record, nor is what nobody does who is signed in.
func TestAudit_Lookers(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.New(viewfake.Now))
	s.get(t, "/o/acme")
	s.get(t, "/o/acme/settings/audit")
	s.post(t, "/theme", url.Values{"theme": {"dark"}})
	s.do(t, formRequest(t, "/o/acme/clusters", url.Values{"name": {"x"}}))
	if got := s.world.Recorded(); len(got) != 0 {
		t.Errorf("entries %+v", got)
	}
}

func TestAudit_PageThatBreaks(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.New(viewfake.Now))
	s.world.RunErr = fault.New(fault.Internal, "broken")
	s.post(t, "/o/acme/workflows/x/runs", url.Values{})
	if got := s.world.Recorded(); len(got) != 1 || got[0].Outcome != audit.Failed {
		t.Errorf("entries %+v", got)
	}
}

func TestAudit_Page(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	says(t, s.get(t, "/o/acme/settings/audit?action=ApplyWorkflow"), []string{"checkout-api", "token of ada@acme.example", "Clear"}, []string{"harbour"})
	says(t, s.get(t, "/o/acme/settings/audit?actor=nobody"), []string{"No entry matches.", "Show all entries"}, nil)
	bad := s.get(t, "/o/acme/settings/audit?since=yesterday")
	if bad.code != http.StatusUnprocessableEntity {
		t.Errorf("a day that there is not: %d", bad.code)
	}
	says(t, bad, []string{`id="since-wrong"`}, nil)
	wellFormed(t, bad.body)
	empty := setup(t, viewfake.New(viewfake.Now))
	says(t, empty.get(t, "/o/acme/settings/audit"), []string{"Nothing is on record yet."}, nil)
	empty.world.Member.Viewer.Role = tenant.RoleMaintainer
	if got := empty.get(t, "/o/acme/settings/audit"); got.code != http.StatusForbidden {
		t.Errorf("a maintainer sees the log: %d", got.code)
	}
}
