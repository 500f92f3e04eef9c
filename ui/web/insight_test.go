package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	says(t, s.get(t, at(viewfake.Failed)), []string{`href="` + at(viewfake.Failed) + `/compare?with=last-green"`}, nil)
	says(t, s.get(t, at(viewfake.Live)), nil, []string{"/compare"}) // what runs has nothing to compare yet
	green := s.get(t, at(viewfake.Failed)+"/compare?with=last-green")
	says(t, green, []string{
		">the last green one<", at(viewfake.Green), "Newly failing: 2", "Newly absent", "Still failing: 1", "Another cause than before", "1 of them fails for another cause",
		"shop in staging-eu", "charged 2 times", `href="` + story("api", 2) + `"`,
	}, nil)
	named := s.get(t, at(viewfake.Failed)+"/compare?with="+viewfake.ExecutionID(viewfake.Green).String()+"&environment=staging-eu")
	says(t, named, []string{"Newly failing: 2"}, []string{">the last green one<"})
	wellFormed(t, named.body)
}

// unsteady is insight that cannot count.
type unsteady struct{ view.Insight }

func (unsteady) Alike(context.Context, []string) (map[string]int, error) {
	return nil, fault.New(fault.Unavailable, "the database is busy")
}

// TestExecution_WithoutCounts proves that a page of an execution is shown when nobody can count what fails alike.
func TestExecution_WithoutCounts(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	o := options(w, "")
	o.Insight = unsteady{w.Insight()}
	handler, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := setup(t, w)
	s.handler = handler
	if got := s.get(t, at(viewfake.Failed)); got.code != http.StatusOK || !strings.Contains(got.body, "charged 2 times") {
		t.Errorf("status %d", got.code)
	}
}

// TestExecution_Swept proves that results which are no longer kept are not said to have never been.
func TestExecution_Swept(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	delete(w.Tests, viewfake.ExecutionID(viewfake.Failed))
	says(t, setup(t, w).get(t, at(viewfake.Failed)), []string{"no longer kept"}, []string{"No tests were reported"})
}

// unprinted is insight into failures without a fingerprint.
type unprinted struct{ view.Insight }

func (unprinted) Failures(context.Context, insight.Filter) (insight.Clusters, error) {
	return insight.Clusters{Unclustered: 2, Days: insight.DefaultDays}, nil
}

// TestFailures_Unclustered proves that failures which cannot be put together are not said to be none.
func TestFailures_Unclustered(t *testing.T) {
	t.Parallel()
	w := viewfake.Sample()
	o := options(w, "")
	o.Insight = unprinted{w.Insight()}
	handler, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := setup(t, w)
	s.handler = handler
	says(t, s.get(t, "/o/acme/failures"), []string{"has a fingerprint", "2 failures cannot be put together by cause"}, []string{"No test has failed"})
}

// TestCompare_Faults proves that what cannot be compared is said where another one can be chosen.
func TestCompare_Faults(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	path := at(viewfake.Failed) + "/compare"
	for name, tc := range map[string]struct {
		path string
		code int
		says string
	}{
		"NeverGreen":  {at(viewfake.Errored) + "/compare", http.StatusNotFound, "No earlier execution of the workflow has passed"},
		"NoID":        {path + "?with=x", http.StatusUnprocessableEntity, `id="with-wrong"`},
		"Unknown":     {path + "?with=" + uuid.NewString(), http.StatusNotFound, "There is no such execution"},
		"Running":     {at(viewfake.Live) + "/compare?with=" + viewfake.ExecutionID(viewfake.Green).String(), http.StatusConflict, "has not ended"},
		"Environment": {path + "?environment=moon", http.StatusUnprocessableEntity, `id="environment-wrong"`},
		"Absent":      {"/o/acme/executions/" + uuid.NewString() + "/compare", http.StatusNotFound, "Not found"},
	} {
		got := s.get(t, tc.path)
		if got.code != tc.code || !strings.Contains(got.body, tc.says) {
			t.Errorf("%s: status %d, want %d and %q", name, got.code, tc.code, tc.says)
		}
		wellFormed(t, got.body)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	says(t, s.get(t, "/o/acme/tests"), []string{`href="/o/acme/failures"`}, nil)
	load := s.get(t, "/o/acme/failures?workflow=nightly-load&environment=staging-eu&days=30")
	says(t, load, []string{"p99 of 131 ms is above 120 ms", `?days=30"`, "Clear"}, []string{"charged 2 times"})
	for _, days := range []string{"0", "-1", "91", "x", "99999999999999999999"} {
		got := s.get(t, "/o/acme/failures?days="+days)
		if got.code != http.StatusUnprocessableEntity {
			t.Errorf("%s days: status %d", days, got.code)
		}
		says(t, got, []string{`id="days-wrong"`, `value="` + days + `"`}, nil)
		wellFormed(t, got.body)
	}
	if got := s.get(t, "/o/acme/failures/none"); got.code != http.StatusNotFound {
		t.Errorf("a failure that nobody knows: status %d", got.code)
	}
	s.world.Err = fault.New(fault.Unavailable, "the database is away")
	if got := s.get(t, "/o/acme/failures"); got.code != http.StatusServiceUnavailable {
		t.Errorf("status %d", got.code)
	}
}

// TestFailures_Alike proves that a failure leads to those that are alike when there are others.
func TestFailures_Alike(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	print := viewfake.Print("assert 200 == 422")
	says(t, s.get(t, at(viewfake.Failed)), nil, []string{"fails alike", "fail alike"})
	for i, want := range []string{"1 other test fails alike", "2 other tests fail alike"} {
		c, runs := viewfake.Failing(i, print)
		s.world.PutTest(c, runs)
		says(t, s.get(t, at(viewfake.Failed)), []string{want, `href="/o/acme/failures/` + print + `"`}, nil)
	}
	says(t, s.get(t, "/o/acme/failures/"+print), []string{"3 tests fail like this"}, nil)
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	says(t, s.get(t, "/o/acme/catalog"), []string{`href="/o/acme/catalog/coverage"`}, nil)
	got := s.get(t, "/o/acme/catalog/coverage")
	says(t, got, []string{"never ran", "only red", `scope="col" title="staging-us"`}, nil)
	if got := s.get(t, "/o/acme/catalog/coverage?days=91"); got.code != http.StatusUnprocessableEntity {
		t.Errorf("status %d", got.code)
	}
	wellFormed(t, s.get(t, "/o/acme/catalog/coverage?days=91").body)
	wellFormed(t, s.get(t, "/o/acme/catalog/coverage?all=1&days=1").body)
}
