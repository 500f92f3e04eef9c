package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func TestTests_Filter(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.get(t, "/o/acme/tests?workflow=nightly-load")
	says(t, got, []string{"p99 below 120 ms", "no error under load", `value="nightly-load"`, "Clear", `href="` + story("load", 1) + `"`}, []string{"refund reaches the ledger"})
	says(t, s.get(t, "/o/acme/tests"), []string{"refund reaches the ledger", `aria-current="page">Tests`}, []string{"Clear"})
}

// TestTests_Order proves that the board keeps the order of the service: what wastes most time stands first.
func TestTests_Order(t *testing.T) {
	t.Parallel()
	body := setup(t, viewfake.Sample()).get(t, "/o/acme/tests").body
	at := 0
	for _, name := range []string{"p99 below 120 ms", "buy a boat with a voucher", "refund reaches the ledger", "expired voucher is refused"} {
		i := strings.Index(body[at:], name)
		if i < 0 {
			t.Fatalf("%s does not come next", name)
		}
		at += i
	}
}

func TestTest_Absent(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	if got := s.get(t, "/o/acme/tests/none"); got.code != http.StatusNotFound {
		t.Errorf("status %d", got.code)
	}
	if got := s.post(t, "/o/acme/tests/none/quarantine", url.Values{"reason": {"x"}}); got.code != http.StatusNotFound {
		t.Errorf("quarantine of none: status %d", got.code)
	}
	s.world.Err = fault.New(fault.Unavailable, "the database is away")
	if got := s.get(t, "/o/acme/tests"); got.code != http.StatusServiceUnavailable {
		t.Errorf("status %d", got.code)
	}
}

// TestTest_Many proves that a page lists a bounded number of runs, and all when asked.
func TestTest_Many(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	few, many := s.get(t, story("api", 5)), s.get(t, story("api", 5)+"?all=1")
	says(t, few, []string{"and 24 older runs", `href="` + story("api", 5) + `?all=1#runs"`, "The last 60 runs"}, nil)
	if a, b := strings.Count(few.body, "<tr>"), strings.Count(many.body, "<tr>"); b-a != 24 {
		t.Errorf("%d rows, and %d when all are asked for", a, b)
	}
	if a, b := strings.Count(few.body, "<g class="), strings.Count(many.body, "<g class="); a != 60 || b != 60 {
		t.Errorf("the strips show %d and %d runs", a, b)
	}
	wellFormed(t, many.body)
}

// TestTest_Storm covers a run that says nothing, one without a commit, and a test of which all runs are gone.
func TestTest_Storm(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	runs := viewfake.Runs("W", time.Hour)
	runs[0].Commit = ""
	s.world.PutTest(testcase.Case{Key: "storm", Workflow: "smoke", Name: "storm"}, runs)
	s.world.PutTest(testcase.Case{Key: "gone", Workflow: "smoke", Name: "gone"}, nil)
	says(t, s.get(t, "/o/acme/tests/storm"), []string{"Nearly everything failed in this execution", "The one run"}, []string{"Failing since"})
	gone := s.get(t, "/o/acme/tests/gone")
	says(t, gone, []string{"It has not run of late", "little known"}, []string{"<table>"})
	wellFormed(t, gone.body)
}

// TestTest_Alternating hints at what flips by turns although no subject saw both outcomes.
func TestTest_Alternating(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.PutTest(testcase.Case{Key: "turns", Workflow: "smoke", Name: "turns"}, viewfake.Runs("P F P F P F P F P F", time.Hour))
	says(t, s.get(t, "/o/acme/tests/turns"), []string{"pass and fail by turns", "no proof"}, nil)
}

// quarantining is the form that puts a test into quarantine.
func quarantining() url.Values {
	return url.Values{"reason": {" The ledger is slow. "}, "owner": {"bob"}, "ticket": {"https://tickets.example.com/9"}, "days": {"7"}}
}

func TestTest_Quarantine(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	path := story("api", 5)
	says(t, s.get(t, path), []string{"Put it into quarantine", `action="` + path + `/quarantine#quarantine"`}, []string{"/quarantine/end"})
	if got := s.post(t, path+"/quarantine", quarantining()); got.code != http.StatusSeeOther || got.header.Get("Location") != path+"#quarantine" {
		t.Fatalf("status %d to %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	all := s.world.Quarantined()
	q := all[len(all)-1]
	if q.Test != viewfake.TestKey("api", 5) || q.Reason != "The ledger is slow." || q.Owner != "bob" || q.Ticket != "https://tickets.example.com/9" ||
		q.Actor != "ada@acme.example" || q.Until.Sub(q.CreatedAt) != 7*24*time.Hour {
		t.Errorf("asked for %+v", q)
	}
	says(t, s.get(t, path), []string{"The ledger is slow.", `href="https://tickets.example.com/9" rel="noopener nofollow"`, `action="` + path + `/quarantine/end#quarantine"`}, nil)
	for range 2 { // somebody else may have been quicker
		if got := s.post(t, path+"/quarantine/end", nil); got.code != http.StatusSeeOther || got.header.Get("Location") != path+"#quarantine" {
			t.Fatalf("ending it: status %d to %q", got.code, got.header.Get("Location"))
		}
	}
	says(t, s.get(t, path), []string{"Its failures count against a release."}, []string{"The ledger is slow.", "/quarantine/end"})
}

// TestTest_QuarantineDefaults proves that only the reason has to be given.
func TestTest_QuarantineDefaults(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	if got := s.post(t, story("api", 2)+"/quarantine", url.Values{"reason": {"x"}}); got.code != http.StatusSeeOther {
		t.Fatalf("status %d", got.code)
	}
	all := s.world.Quarantined()
	if q := all[len(all)-1]; q.Owner != "ada@acme.example" || q.Until.Sub(q.CreatedAt) != testcase.MaxQuarantine {
		t.Errorf("asked for %+v", q)
	}
}

func TestTest_QuarantineFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    error
		change func(url.Values)
		code   int
		want   []string
		reason string
	}{
		"NoReason": {
			nil, func(v url.Values) { v.Set("reason", "  ") }, http.StatusUnprocessableEntity,
			[]string{"A quarantine needs a reason.", `id="reason-wrong"`, `value="bob"`, `value="7"`, `<details class="noprint" open>`},
			"the form is open and what was filled in stays",
		},
		"Ticket": {
			nil, func(v url.Values) { v.Set("ticket", "javascript:alert(1)") }, http.StatusUnprocessableEntity,
			[]string{`id="ticket-wrong"`, `value="javascript:alert(1)"`, "The ledger is slow.</textarea>"},
			"an address is asked for",
		},
		"NoDays":   {nil, func(v url.Values) { v.Set("days", "a week") }, http.StatusUnprocessableEntity, []string{`id="days-wrong"`, "is no number of days."}, "what is no number is not sent on"},
		"ZeroDays": {nil, func(v url.Values) { v.Set("days", "0") }, http.StatusUnprocessableEntity, []string{`id="days-wrong"`}, "none is not the longest"},
		"ManyDays": {nil, func(v url.Values) { v.Set("days", "31") }, http.StatusUnprocessableEntity, []string{`id="days-wrong"`, "lasts at most 30 days."}, "the service's word for it is another"},
		"VeryManyDays": {
			nil, func(v url.Values) { v.Set("days", "9000000000") }, http.StatusUnprocessableEntity,
			[]string{`id="days-wrong"`, "lasts at most 30 days."},
			"it must not pass what a duration can hold",
		},
		"Away": {fault.New(fault.Unavailable, "the database is away"), nil, http.StatusServiceUnavailable, []string{"The database is away."}, "it can be sent again"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			s.world.QuarantineErr = tc.err
			form := quarantining()
			if tc.change != nil {
				tc.change(form)
			}
			got := s.post(t, story("api", 5)+"/quarantine", form)
			if got.code != tc.code || len(s.world.Quarantined()) != 2 {
				t.Errorf("status %d, want %d: %s", got.code, tc.code, tc.reason)
			}
			says(t, got, tc.want, nil)
			wellFormed(t, got.body)
		})
	}
}

// TestTest_EndFaults proves that what keeps a quarantine from ending is told where it was to be ended.
func TestTest_EndFaults(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.QuarantineErr = fault.New(fault.Unavailable, "the database is away")
	got := s.post(t, story("browser", 1)+"/quarantine/end", nil)
	if got.code != http.StatusServiceUnavailable {
		t.Errorf("status %d", got.code)
	}
	says(t, got, []string{"The database is away.", "End the quarantine"}, nil)
	s.world.QuarantineErr = fault.New(fault.Internal, "secret")
	if got := s.post(t, story("browser", 1)+"/quarantine/end", nil); got.code != http.StatusInternalServerError || strings.Contains(got.body, "secret") {
		t.Errorf("status %d: %s", got.code, got.body)
	}
}

// TestTest_Viewer proves that who only looks has no forms, and can send none.
func TestTest_Viewer(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.Member.Viewer.Role = tenant.RoleViewer
	path := story("browser", 1)
	says(t, s.get(t, path), []string{"Your role, viewer, may look but not put tests into quarantine.", "The button moves"}, []string{path + "/quarantine"})
	for _, verb := range []string{"/quarantine", "/quarantine/end"} {
		if got := s.post(t, path+verb, quarantining()); got.code != http.StatusForbidden {
			t.Errorf("%q: status %d", verb, got.code)
		}
	}
}

// TestTest_Ticket proves that a ticket which is no address is a text, whoever stored it.
func TestTest_Ticket(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for _, ticket := range []string{"javascript:alert(1)", "//evil.example", "https:evil", "data:text/html,x"} {
		s.world.PutQuarantine(testcase.Quarantine{Test: viewfake.TestKey("api", 4), Ticket: ticket, Until: viewfake.Now().Add(time.Hour)})
		for _, path := range []string{"/o/acme/tests", story("api", 4)} {
			says(t, s.get(t, path), []string{ticket}, []string{`href="` + ticket})
		}
	}
}

// TestTest_Linked proves that results lead to the history of their test, if they have one.
func TestTest_Linked(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	body := s.get(t, at(viewfake.Failed)).body
	if got := strings.Count(body, `href="/o/acme/tests/`); got != 4 { // the first failure stands apart too
		t.Errorf("the execution leads to %d histories, want those of 3 tests with a key", got)
	}
	page := s.get(t, of(viewfake.Checkout, "1.42.0"))
	if got := strings.Count(page.body, `href="`+story("api", 2)+`"`); got != 4 { // in both environments, as what breaks a rule and as evidence
		t.Errorf("the release leads to the history of what failed %d times", got)
	}
	says(t, page, []string{`href="` + story("api", 2) + `"`, `href="` + story("api", 5) + `"`}, []string{`href="` + story("api", 0) + `"`})
	s.world.PutRelease(poisonedRelease("no key"))
	says(t, s.get(t, of("no key", "no key")), nil, []string{`href="/o/acme/tests/`})
}
