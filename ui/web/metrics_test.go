package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// TestArchive_Away holds that people are told what is wrong, rather than given an empty download.
func TestArchive_Away(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	page := s.get(t, at(viewfake.Failed))
	s.world.Unreadable = fault.New(fault.Unavailable, "the store of files is away")
	got := s.get(t, at(viewfake.Failed)+"/files.zip")
	if got.code != http.StatusServiceUnavailable || !strings.Contains(got.body, "store of files is away") {
		t.Errorf("status %d: %s", got.code, got.body)
	}
	for _, name := range []string{"Content-Type", "Content-Security-Policy", "Content-Disposition"} {
		if got.header.Get(name) != page.header.Get(name) {
			t.Errorf("%s is %q, as for a page: %q", name, got.header.Get(name), page.header.Get(name))
		}
	}
}

// TestExecution_Usage holds that the page is there whatever the store of bytes does, and that a live one does not read it again and again.
func TestExecution_Usage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail   error
		live   bool
		drawn  bool
		opened int
		logged bool
		reason string
	}{
		"Drawn": {nil, false, true, 1, false, "one record"},
		"Gone":  {fault.New(fault.NotFound, "not stored"), false, false, 1, false, "records do not stay for ever"},
		"Away":  {fault.New(fault.Unavailable, "S3 is away"), false, false, 1, true, "the totals are known all the same"},
		"Live":  {nil, true, false, 0, false, "the page is rendered at every change"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			s.world.Unreadable = tc.fail
			if tc.live {
				e, err := s.world.Execution(member(t, s), viewfake.ExecutionID(viewfake.Failed))
				if err != nil {
					t.Fatal(err)
				}
				e.Status = execution.Running
				s.world.Put(e)
			}
			got := s.get(t, at(viewfake.Failed))
			if got.code != http.StatusOK || !strings.Contains(got.body, `id="usage-title"`) {
				t.Fatalf("%s: status %d", tc.reason, got.code)
			}
			if drawn := strings.Contains(got.body, "over time, at most"); drawn != tc.drawn || s.world.Opened() != tc.opened {
				t.Errorf("%s: drawn %t, %d files opened", tc.reason, drawn, s.world.Opened())
			}
			if logged := strings.Contains(s.logged.String(), "record of a step not opened"); logged != tc.logged {
				t.Errorf("%s: logged %t", tc.reason, logged)
			}
		})
	}
}
