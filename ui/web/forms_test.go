package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

const runs = "/o/acme/workflows/checkout-api/runs"

func filledIn() url.Values {
	return url.Values{
		"environment": {"staging-eu"}, "key": {"key-1"}, "param.base_url": {""}, "param.workers": {"8"}, "param.ratio": {""},
		"param.currency": {"EUR"}, "param.slow": {"true"}, "param.unknown": {"x"},
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, runs, filledIn())
	if got.code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.code, got.body)
	}
	if page := s.get(t, got.header.Get("Location")); page.code != http.StatusOK || !strings.Contains(page.body, "checkout-api is queued in staging-eu") {
		t.Errorf("the form leads to %s, status %d", got.header.Get("Location"), page.code)
	}
	asked, _, _ := s.world.Asked()
	want := []execution.Request{{
		Workflow: "checkout-api", Environments: []string{"staging-eu"}, IdempotencyKey: "key-1", Trigger: "web", Actor: "ada@acme.example",
		// An empty text was meant to be empty because there is a default; an empty number says nothing.
		Params: map[string]string{"base_url": "", "workers": "8", "currency": "EUR", "slow": "true"},
	}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := s.post(t, runs, filledIn()); again.header.Get("Location") != got.header.Get("Location") {
		t.Errorf("the same form sent twice started %s and %s", got.header.Get("Location"), again.header.Get("Location"))
	}
}

func TestRun_Faults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    *fault.Error
		code   int
		want   []string
		reason string
	}{
		"Param": {
			fault.New(fault.Invalid, "8 is more than 4").WithField("params.workers").WithHint("Use at most 4."), http.StatusUnprocessableEntity,
			[]string{"8 is more than 4.", "Use at most 4.", `id="param.workers-wrong"`, `value="8"`, `value="key-1"`},
			"what was typed in stays, and the input at fault is marked",
		},
		"Environment": {
			fault.New(fault.Invalid, "no environment").WithField("environment"), http.StatusUnprocessableEntity,
			[]string{`id="environment-wrong"`, `<option value="EUR" selected>`},
			"the other inputs stay",
		},
		"Conflict": {
			fault.New(fault.Conflict, "the key was used for something else"), http.StatusConflict,
			[]string{"The key was used for something else.", `name="key" value="id-1"`},
			"a new key, or the form could never be sent",
		},
		"Unavailable": {fault.New(fault.Unavailable, "the database is away"), http.StatusServiceUnavailable, []string{"The database is away."}, "it can be sent again"},
		"Internal":    {fault.New(fault.Internal, "secret"), http.StatusInternalServerError, []string{"Something went wrong"}, "nothing to correct"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			s.world.RunErr = tc.err
			got := s.post(t, runs, filledIn())
			if got.code != tc.code {
				t.Errorf("status %d, want %d", got.code, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.body, want) {
					t.Errorf("no %q in the page: %s", want, tc.reason)
				}
			}
			wellFormed(t, got.body)
		})
	}
}

func TestRun_NoEnvironment(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.Places = s.world.Places[:0]
	if got := s.get(t, "/o/acme/workflows/checkout-api"); !strings.Contains(got.body, "there is no environment to run in") || strings.Contains(got.body, runs) {
		t.Errorf("the page must say why nothing can run: %s", got.body)
	}
}

func TestRun_TheOnlyEnvironmentIsChosen(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.world.Places = s.world.Places[:1]
	if got := s.get(t, "/o/acme/workflows/checkout-api"); !strings.Contains(got.body, `<option value="staging-eu" selected>`) {
		t.Error("it must be chosen already")
	}
}

func TestForm_TooLarge(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	form := filledIn()
	form.Set("param.base_url", strings.Repeat("x", 100<<10))
	if got := s.post(t, runs, form); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "64 KiB") {
		t.Errorf("status %d: %s", got.code, got.body)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, at(viewfake.Live)+"/cancel", url.Values{"reason": {"wrong branch"}})
	if got.code != http.StatusSeeOther || got.header.Get("Location") != at(viewfake.Live) {
		t.Fatalf("status %d to %q", got.code, got.header.Get("Location"))
	}
	if _, asked, _ := s.world.Asked(); len(asked) != 1 || asked[0] != "ada@acme.example: wrong branch" {
		t.Errorf("asked for %q", asked)
	}
	if page := s.get(t, at(viewfake.Live)); !strings.Contains(page.body, "was cancelled") || strings.Contains(page.body, "/cancel") {
		t.Error("the page still offers to cancel")
	}
	if again := s.post(t, at(viewfake.Live)+"/cancel", nil); again.code != http.StatusConflict || !strings.Contains(again.body, "ended already") {
		t.Errorf("cancelling what is over: status %d", again.code)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	page := s.get(t, at(viewfake.Paused))
	for _, says := range []string{"is paused", "Step approve waits for a person", "Does staging look right?", `action="` + at(viewfake.Paused) + `/resume"`} {
		if !strings.Contains(page.body, says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	if got := s.post(t, at(viewfake.Paused)+"/resume", url.Values{"run": {"all"}}); got.code != http.StatusUnprocessableEntity {
		t.Errorf("a run that is none: status %d", got.code)
	}
	form := url.Values{"step": {"approve"}, "comment": {"yes"}}
	for range 2 { // somebody else may have been quicker
		got := s.post(t, at(viewfake.Paused)+"/resume", form)
		if got.code != http.StatusSeeOther || got.header.Get("Location") != at(viewfake.Paused) {
			t.Fatalf("status %d to %q", got.code, got.header.Get("Location"))
		}
	}
	if asked := s.world.Resumed(); len(asked) != 1 || asked[0].Step != "approve" || asked[0].Reason != "yes" {
		t.Errorf("asked for %v", asked)
	}
	if page := s.get(t, at(viewfake.Paused)); strings.Contains(page.body, "/resume") {
		t.Error("the page still asks")
	}
}

// half ends the execution of a matrix: half of its runs have passed.
func half(t *testing.T, s *site) execution.Execution {
	t.Helper()
	e, err := s.world.Execution(member(t, s), viewfake.ExecutionID(viewfake.Matrix))
	if err != nil {
		t.Fatal(err)
	}
	e.Status, e.FinishedAt, e.Runs = execution.Failed, viewfake.Now(), slices.Clone(e.Runs)
	e.Runs[2].Status, e.Runs[3].Status = execution.Passed, execution.TimedOut
	s.world.Put(e)
	return e
}

func TestRerun(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	e := half(t, s)
	page := s.get(t, at(viewfake.Matrix))
	wellFormed(t, page.body)
	golden(t, "rerun", readable(t, page.body))
	form := url.Values{"runs": {"failed"}, "key": {"key-1"}}
	got := s.post(t, at(viewfake.Matrix)+"/rerun", form)
	if got.code != http.StatusSeeOther || got.header.Get("Location") == at(viewfake.Matrix) {
		t.Fatalf("status %d to %s: %s", got.code, got.header.Get("Location"), got.body)
	}
	if again := s.post(t, at(viewfake.Matrix)+"/rerun", form); again.header.Get("Location") != got.header.Get("Location") {
		t.Error("the same form sent twice started two executions")
	}
	if got := s.post(t, at(viewfake.Matrix)+"/rerun", url.Values{"runs": {"all"}, "key": {"key-2"}}); got.code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.code, got.body)
	}
	asked, _, _ := s.world.Asked()
	if len(asked) != 3 || len(asked[0].Only) != 2 || !asked[0].Only[0].Is(e.Runs[1].Cell()) || !asked[0].Only[1].Is(e.Runs[3].Cell()) || len(asked[2].Only) != 4 {
		t.Errorf("asked for %+v", asked)
	}
}

func TestRerun_Cannot(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for name, says := range map[string]string{viewfake.Passed: "Nothing has failed.", viewfake.Failed: "It has one run, which Rerun runs again."} {
		if page := s.get(t, at(name)); !strings.Contains(page.body, says) || !strings.Contains(page.body, `aria-describedby="rerun-means" disabled>Rerun failed only`) {
			t.Errorf("%s: the page does not say that nothing can be run apart", name)
		}
	}
	if page := s.get(t, at(viewfake.Live)); strings.Contains(page.body, "/rerun") {
		t.Error("what has not ended cannot be run again")
	}
	if got := s.post(t, at(viewfake.Live)+"/rerun", url.Values{"runs": {"all"}}); got.code != http.StatusConflict {
		t.Errorf("what has not ended: status %d", got.code)
	}
	s.world.Member.Viewer.Role = tenant.RoleViewer
	if page := s.get(t, at(viewfake.Failed)); strings.Contains(page.body, "/rerun") || !strings.Contains(page.body, "Whoever may run workflows may run it again.") {
		t.Error("who may not run workflows is not told so")
	}
	if got := s.post(t, at(viewfake.Failed)+"/rerun", url.Values{"runs": {"all"}}); got.code != http.StatusForbidden {
		t.Errorf("who may not run workflows: status %d", got.code)
	}
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, "/o/acme/clusters", url.Values{"name": {" ap-3 "}, "namespace": {"tests"}})
	if got.code != http.StatusOK || !strings.Contains(got.body, "--set bootstrapToken=stb_once") || !strings.Contains(got.body, "2026-11-03 11:00:00 UTC") {
		t.Fatalf("status %d: %s", got.code, got.body)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Error("a page with a token must not be stored")
	}
	wellFormed(t, got.body)
	golden(t, "enrolled", readable(t, got.body))
	if _, _, asked := s.world.Asked(); len(asked) != 1 || asked[0] != (view.Enrollment{Name: "ap-3", Namespace: "tests"}) {
		t.Errorf("asked for %+v", asked)
	}
	if again := s.get(t, "/o/acme/clusters"); strings.Contains(again.body, "stb_once") {
		t.Error("the token is shown a second time")
	}
}

func TestEnroll_Taken(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	got := s.post(t, "/o/acme/clusters", url.Values{"name": {"eu-1"}, "environment": {"prod"}})
	if got.code != http.StatusConflict || !strings.Contains(got.body, `id="name-wrong"`) || !strings.Contains(got.body, `value="prod"`) {
		t.Errorf("status %d: %s", got.code, got.body)
	}
	wellFormed(t, got.body)
}

func TestQueueOfCluster(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	if page := s.get(t, "/o/acme/clusters"); !strings.Contains(page.body, "20 of 20") || !strings.Contains(page.body, "Drained 40 min ago by ada@example.test: new nodes.") {
		t.Error("the page does not say what clusters are busy with, and which are drained")
	}
	for _, step := range []struct {
		path  string
		form  url.Values
		says  string
		hides string
	}{
		{"limit", url.Values{"runs": {" 7 "}}, "20 of 7", "20 of 20"},
		{"limit", url.Values{"runs": {""}}, `value=""`, "20 of"},
		{"drain", url.Values{"reason": {" the nodes are old "}}, "Drained just now by ada@example.test: the nodes are old.", "eu-1/drain"},
		{"undrain", nil, "eu-1/drain", "the nodes are old"},
	} {
		if got := s.post(t, "/o/acme/clusters/eu-1/"+step.path, step.form); got.code != http.StatusSeeOther || got.header.Get("Location") != "/o/acme/clusters#cluster-eu-1" {
			t.Fatalf("%s: status %d: %s", step.path, got.code, got.body)
		}
		page := s.get(t, "/o/acme/clusters")
		wellFormed(t, page.body)
		if !strings.Contains(page.body, step.says) || strings.Contains(page.body, step.hides) {
			t.Errorf("after %s %v: %q is there %t, %q is there %t", step.path, step.form, step.says, strings.Contains(page.body, step.says), step.hides, strings.Contains(page.body, step.hides))
		}
	}
	if got := s.post(t, "/o/acme/clusters/eu-1/limit", url.Values{"runs": {"many"}}); got.code != http.StatusUnprocessableEntity || !strings.Contains(got.body, "many") {
		t.Errorf("a word for a limit: status %d", got.code)
	}
}

func TestRevokeAgent(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	page := s.get(t, "/o/acme/clusters")
	for _, says := range []string{`action="/o/acme/clusters/eu-1/revoke"`, `action="/o/acme/clusters/eu-1/rotate-key"`, "registry.example/qa/*"} {
		if !strings.Contains(page.body, says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	got := s.post(t, "/o/acme/clusters/eu-1/rotate-key", nil)
	if got.code != http.StatusSeeOther || got.header.Get("Location") != "/o/acme/clusters#cluster-eu-1" {
		t.Fatalf("status %d to %q", got.code, got.header.Get("Location"))
	}
	if page := s.get(t, "/o/acme/clusters"); !strings.Contains(page.body, "was asked to take another key") || strings.Contains(page.body, "eu-1/rotate-key") {
		t.Error("the page does not say that another key was asked for")
	}
	if got := s.post(t, "/o/acme/clusters/eu-1/revoke", url.Values{"reason": {" stolen "}}); got.code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.code, got.body)
	}
	page = s.get(t, "/o/acme/clusters")
	wellFormed(t, page.body)
	if !strings.Contains(page.body, "was revoked just now: stolen.") && !strings.Contains(page.body, ": stolen. Enroll the cluster again") {
		t.Error("the page does not say that the agent was revoked, and why")
	}
	if strings.Contains(page.body, "eu-1/revoke") {
		t.Error("the page still offers to revoke")
	}
	if got := s.post(t, "/o/acme/clusters/none/revoke", nil); got.code != http.StatusNotFound {
		t.Errorf("a cluster that is none: status %d", got.code)
	}
}
