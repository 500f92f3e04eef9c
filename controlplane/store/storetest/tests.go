package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
)

// reported makes an execution with one result of a test.
func (f *fixture) reported(t *testing.T, r execution.TestResult, on *execution.Subject) execution.ID {
	t.Helper()
	n := f.assigned(t)
	file := execution.File{ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "junit.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
	r.Suite, r.ID = "cart", uuid.Must(uuid.NewV7())
	if _, err := f.SaveFile(f.agent(t, f.cluster), file, []execution.TestResult{r}); err != nil {
		t.Fatal(err)
	}
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Passed, SubjectStart: on, SubjectEnd: on})
	return n.Execution.ID
}

func cases() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Runs": func(t *testing.T, f *fixture) {
			first := f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "failed", Message: "no", Fingerprint: "fp1:1", Duration: time.Second}, subject(f.now, shopImage))
			second := f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "passed", Variant: "chromium", Earlier: []string{"failed"}}, nil)
			f.reported(t, execution.TestResult{Key: "other", Name: "adds", Outcome: "passed"}, nil)
			got, err := f.TestRuns(f.as(t), []string{"k", "none"}, time.Time{}, 10)
			if err != nil || len(got) != 1 || len(got[0].Runs) != 2 {
				t.Fatalf("%+v, %v", got, err)
			}
			if c := got[0].Case; c != (testcase.Case{Key: "k", Workflow: "smoke", Name: "cart › pays"}) {
				t.Errorf("case %+v", c)
			}
			newest, oldest := got[0].Runs[0], got[0].Runs[1]
			if newest.Execution != second || newest.Variant != "chromium" || len(newest.Earlier) != 1 || newest.Subject != "" {
				t.Errorf("newest %+v", newest)
			}
			if oldest.Execution != first || oldest.Fingerprint != "fp1:1" || oldest.Duration != time.Second || oldest.Subject != shopImage || oldest.Environment != "staging" {
				t.Errorf("oldest %+v", oldest)
			}
			if got, err := f.TestRuns(f.as(t), []string{"k"}, time.Time{}, 1); err != nil || len(got[0].Runs) != 1 || got[0].Runs[0].Execution != second {
				t.Errorf("the latest alone: %+v, %v", got, err)
			}
			if got, err := f.TestRuns(foreigner(t), []string{"k"}, time.Time{}, 10); err != nil || len(got) != 0 {
				t.Errorf("a stranger is told %+v, %v", got, err)
			}
		},
		"LaterRuns": func(t *testing.T, f *fixture) {
			f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "failed"}, nil)
			last := f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "passed"}, nil)
			f.reported(t, execution.TestResult{Key: "other", Name: "adds", Outcome: "passed"}, nil)
			soon := time.Now().Add(time.Hour)
			got, err := f.LaterRuns(f.as(t), []board.Later{{Key: "other", Since: soon}, {Key: "k", Since: long()}, {Key: "none"}}, 10)
			if err != nil || len(got) != 1 || got[0].Key != "k" || len(got[0].Runs) != 2 || got[0].Runs[0].Execution != last {
				t.Fatalf("%+v, %v: want the runs of each test since its own time, newest first", got, err)
			}
			if got[0].Runs[0].Result == got[0].Runs[1].Result || got[0].Runs[0].Result == uuid.Nil {
				t.Error("results have no ids that set them apart")
			}
			if got, err := f.LaterRuns(f.as(t), []board.Later{{Key: "k", Since: long()}, {Key: "other", Since: long()}}, 1); err != nil || len(got) != 2 || len(got[0].Runs) != 1 {
				t.Errorf("the latest alone: %+v, %v", got, err)
			}
			if got, err := f.LaterRuns(foreigner(t), []board.Later{{Key: "k"}, {Key: "other"}}, 10); err != nil || len(got) != 0 {
				t.Errorf("a stranger is told %+v, %v", got, err)
			}
		},
		"Unreliable": func(t *testing.T, f *fixture) {
			for _, r := range []execution.TestResult{
				{Key: "passes", Outcome: "passed"},
				{Key: "fails", Outcome: "failed"},
				{Key: "fails", Outcome: "errored"},
				{Key: "retried", Outcome: "passed", Earlier: []string{"failed"}},
				{Key: "skipped", Outcome: "skipped"},
				{Outcome: "failed"},
			} {
				f.reported(t, r, nil)
			}
			ask := func(workflow string, since time.Time, limit int) []string {
				got, err := f.UnreliableTests(f.as(t), workflow, since, limit)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			long := time.Now().Add(-time.Hour) // ids tell the real time
			if got := ask("", long, 10); !slices.Equal(got, []string{"fails", "retried"}) {
				t.Errorf("unreliable %v: want those that failed, most often first", got)
			}
			if got := ask("", long, 1); !slices.Equal(got, []string{"fails"}) {
				t.Errorf("the worst %v", got)
			}
			if got, err := f.UnreliableTests(foreigner(t), "", long, 10); err != nil || len(got) != 0 {
				t.Errorf("a stranger is told %v, %v", got, err)
			}
			if got := ask("load", long, 10); len(got) != 0 {
				t.Errorf("of another workflow %v", got)
			}
			if got := ask("", time.Now().Add(time.Hour), 10); len(got) != 0 {
				t.Errorf("since then %v", got)
			}
		},
		"Quarantine": func(t *testing.T, f *fixture) {
			r := f.releasing(t, "1.0", "", shopImage)
			f.decided(t, r, verdict.NotReady)
			f.now = f.now.Add(time.Second)
			q := testcase.Quarantine{
				ID: uuid.NewString(), Test: "k", Name: "cart › pays", Owner: "ann", Reason: "slow", Ticket: "https://t.example.test/1", Actor: "bob",
				CreatedAt: f.now, Until: f.now.Add(time.Hour),
			}
			if err := f.SaveQuarantine(f.as(t), q); err != nil {
				t.Fatal(err)
			}
			if f.whole(t, "1.0").Stale {
				t.Error("no result of the test is evidence for the release")
			}
			f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "failed"}, subject(f.now, shopImage))
			f.decided(t, r, verdict.NotReady)
			q.ID, f.now = uuid.NewString(), f.now.Add(time.Second)
			q.CreatedAt = f.now
			if err := f.SaveQuarantine(f.as(t), q); err != nil {
				t.Fatal(err)
			}
			if !f.whole(t, "1.0").Stale {
				t.Error("the release may look different now")
			}
			if err := f.EndQuarantine(foreigner(t), "k", "eve", f.now); !fault.Is(err, fault.NotFound) {
				t.Errorf("a stranger ends it: %v", err)
			}
			active := func() []testcase.Quarantine {
				got, err := f.Quarantines(f.as(t), f.now)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			if got := active(); len(got) != 1 || got[0] != q {
				t.Errorf("active %+v, want %+v", got, q)
			}
			again := q
			again.ID, again.Owner = uuid.NewString(), "cid"
			if err := f.SaveQuarantine(f.as(t), again); err != nil {
				t.Fatal(err)
			}
			if got := active(); len(got) != 1 || got[0].Owner != "cid" {
				t.Errorf("a new one ends the old one: %+v", got)
			}
			if got, err := f.Quarantines(foreigner(t), f.now); err != nil || len(got) != 0 {
				t.Errorf("a stranger sees %+v, %v", got, err)
			}
			if err := f.EndQuarantine(f.as(t), "k", "ann", f.now); err != nil || len(active()) != 0 {
				t.Errorf("ended: %v, %+v", err, active())
			}
			if err := f.EndQuarantine(f.as(t), "k", "ann", f.now); !fault.Is(err, fault.NotFound) {
				t.Errorf("ended twice: %v", err)
			}
			then := q
			then.ID, then.CreatedAt, then.Until = uuid.NewString(), f.now.Add(time.Second), f.now.Add(time.Hour)
			if err := errors.Join(f.SaveQuarantine(f.as(t), then), f.EndQuarantine(f.as(t), "k", "ann", f.now.Add(3*time.Second))); err != nil {
				t.Fatal(err)
			}
			for after, want := range map[time.Duration]int{0: 0, time.Second: 1, 2 * time.Second: 1, 3 * time.Second: 0, 2 * time.Hour: 0} {
				if got, err := f.QuarantinesAt(f.as(t), f.now.Add(after)); err != nil || len(got) != want {
					t.Errorf("%s later there were %+v, %v; want %d", after, got, err, want)
				}
			}
			q.ID = uuid.NewString()
			if err := f.SaveQuarantine(f.as(t), q); err != nil {
				t.Fatal(err)
			}
			if f.now = f.now.Add(time.Hour); len(active()) != 0 {
				t.Errorf("its time is over: %+v", active())
			}
		},
	}
}
