package storetest

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

const keep = 400 * 24 * time.Hour

// strip writes the strip of a test by its letters.
func (f *fixture) strip(t *testing.T, key string) string {
	t.Helper()
	all, err := f.Strips(f.as(t), "smoke", "staging")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s testcase.Strip) bool { return s.Key == key })
	if i < 0 {
		return ""
	}
	return string(all[i].Letters)
}

func facts() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Strips": func(t *testing.T, f *fixture) {
			f.reported(t, execution.TestResult{Key: "k", Outcome: "failed"}, nil)
			f.reported(t, execution.TestResult{Key: "k", Outcome: "passed", Earlier: []string{"failed"}}, nil)
			f.reported(t, execution.TestResult{Key: "k", Outcome: "timed_out"}, nil)
			f.reported(t, execution.TestResult{Key: "other", Outcome: "skipped"}, nil)
			if got := f.strip(t, "k") + " " + f.strip(t, "other"); got != "tPf s" {
				t.Errorf("strips %q", got)
			}
			all, err := f.Strips(f.as(t), "smoke", "staging")
			if err != nil || len(all) != 2 || all[0].Key != "k" || all[0].Environment != "staging" {
				t.Errorf("%+v, %v", all, err)
			}
			if all, err := f.Strips(foreigner(t), "smoke", "staging"); err != nil || len(all) != 0 {
				t.Errorf("a stranger is told %+v, %v", all, err)
			}
		},
		"StripsOfOneReport": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			report := execution.File{Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "a.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
			list := []execution.TestResult{
				{Key: "k", Variant: "chromium", Outcome: "passed"},
				{Key: "other", Outcome: "blocked"},
				{Key: "k", Variant: "firefox", Outcome: "errored"},
				{Name: "«exit»", Outcome: "errored"},
			}
			for _, again := range []bool{false, true} {
				existed, err := f.SaveFile(f.agent(t, f.cluster), report, list)
				if err != nil || existed != again {
					t.Fatalf("existed %t, %v", existed, err)
				}
			}
			if got := f.strip(t, "k") + " " + f.strip(t, "other"); got != "ep b" {
				t.Errorf("strips %q: a report counts once, and has a test as often as it lists it", got)
			}
		},
		"StripsAreBounded": func(t *testing.T, f *fixture) {
			f.reported(t, execution.TestResult{Key: "k", Outcome: "failed"}, nil)
			for i := range testcase.MaxStrip {
				n := f.assigned(t)
				report := execution.File{Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "a.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
				if _, err := f.SaveFile(f.agent(t, f.cluster), report, []execution.TestResult{{Key: "k", Outcome: "passed"}}); err != nil {
					t.Fatal(i, err)
				}
			}
			if got := f.strip(t, "k"); got != strings.Repeat("p", testcase.MaxStrip) {
				t.Errorf("strip %q", got)
			}
		},
		"StripsOfLostAttempts": func(t *testing.T, f *fixture) {
			f.reported(t, execution.TestResult{Key: "k", Outcome: "skipped"}, nil)
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			f.enter(t, n)
			f.begun(t)
			lost := accepted{n, n.Runs[0]}
			save := func(on execution.AttemptID, path, key, outcome string) {
				t.Helper()
				report := execution.File{Attempt: on, Step: 1, Kind: execution.FileReport, Path: path, SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
				if _, err := f.SaveFile(f.agent(t, f.cluster), report, []execution.TestResult{{Key: key, Outcome: outcome}}); err != nil {
					t.Fatal(err)
				}
			}
			save(lost.AttemptID, "a.xml", "k", "failed")
			save(lost.AttemptID, "b.xml", "other", "failed")
			f.lose(t, lost.AttemptID, execution.Errored, "NodeLost")
			save(lost.AttemptID, "late.xml", "k", "errored")
			if got := f.strip(t, "k") + " " + f.strip(t, "other"); got != "s " {
				t.Errorf("strips %q: what was lost counts", got)
			}
			save(f.execution(t, n.Execution.ID).Runs[0].Attempts[1].ID, "a.xml", "k", "passed")
			if got := f.strip(t, "k"); got != "ps" {
				t.Errorf("strip %q", got)
			}
			if got, err := f.UnreliableTests(f.as(t), "", time.Now().Add(-time.Hour), 10); err != nil || len(got) != 0 {
				t.Errorf("unreliable %v, %v", got, err)
			}
		},
		"StripsMadeAnewAreBounded": func(t *testing.T, f *fixture) {
			f.now = time.Now() // ids tell the real time
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			f.enter(t, n)
			f.begun(t)
			lost := n.Runs[0].AttemptID
			report := execution.File{Attempt: f.assigned(t).AttemptID, Step: 1, Kind: execution.FileReport, Path: "a.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
			save := func(list ...execution.TestResult) {
				t.Helper()
				if _, err := f.SaveFile(f.agent(t, f.cluster), report, list); err != nil {
					t.Fatal(err)
				}
			}
			long := execution.TestResult{ID: idOf(t, f.now.AddDate(0, 0, -100)), Key: "old", Outcome: "passed"}
			many := []execution.TestResult{long}
			for range testcase.MaxStrip + 10 {
				many = append(many, execution.TestResult{Key: "k", Outcome: "passed"})
			}
			save(append(many, execution.TestResult{Key: "old", Outcome: "skipped"})...)
			if got := f.strip(t, "k"); got != strings.Repeat("p", testcase.MaxStrip) {
				t.Errorf("strip %q: one report lists it more often than a strip has outcomes", got)
			}
			report.Attempt = lost
			save(execution.TestResult{Key: "k", Outcome: "failed"}, execution.TestResult{Key: "old", Outcome: "failed"})
			f.lose(t, lost, execution.Errored, "NodeLost")
			if got := f.strip(t, "k") + " " + f.strip(t, "old"); got != strings.Repeat("p", testcase.MaxStrip)+" s" {
				t.Errorf("strips %q: the latest of some months", got)
			}
		},
		"OldResultsGo":         oldResultsGo,
		"LastResultsOfAllStay": lastResultsStay,
	}
}

// idOf makes an id of a time.
func idOf(t *testing.T, at time.Time) uuid.UUID {
	t.Helper()
	made := id(t)
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(made[:6], ms[2:])
	return made
}

// oldResultsGo proves what a sweep takes and what it leaves. Ids tell the real time, so the sweep is in the future.
func oldResultsGo(t *testing.T, f *fixture) {
	system := tenant.System(t.Context())
	f.now = time.Now()
	r := f.releasing(t, "1.0", "", shopImage)
	evidence := f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "failed"}, subject(f.now, shopImage))
	other := f.reported(t, execution.TestResult{Key: "gone", Outcome: "failed"}, nil)
	newer := func() { // the last ones of a workflow stay
		for range 10 {
			f.reported(t, execution.TestResult{Outcome: "passed"}, nil)
		}
	}
	newer()
	left := func(id execution.ID) int {
		t.Helper()
		list, _, err := f.Results(f.as(t), id, nil, 10, "")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	sweep := func(keep time.Duration) testcase.Swept {
		t.Helper()
		swept, err := f.SweepResults(system, keep)
		if err != nil {
			t.Fatal(err)
		}
		return swept
	}
	if _, err := f.SweepResults(f.as(t), keep); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a member sweeps: %v", err)
	}
	if sweep(keep); left(evidence) != 1 || left(other) != 1 || f.strip(t, "gone") != "f" {
		t.Error("what is young is gone")
	}
	f.now = f.now.Add(keep + 62*24*time.Hour) // the partition of before ends with the month
	if sweep(0); left(other) != 1 {
		t.Error("what is kept for all time is gone")
	}
	if swept := sweep(keep); left(evidence) != 1 || left(other) != 0 || f.strip(t, "gone") != "" || swept.Strips != 2 || swept.Results+int64(swept.Dropped) == 0 {
		t.Errorf("%+v; of the evidence %d are left, of the other %d", swept, left(evidence), left(other))
	}
	if swept := sweep(keep); swept != (testcase.Swept{}) {
		t.Errorf("again: %+v", swept)
	}
	if got, err := f.Evidence(f.as(t), r.ID); err != nil || len(got) != 1 || len(got[0].Results) != 1 {
		t.Errorf("evidence %+v, %v", got, err)
	}
	if got, err := f.TestRuns(f.as(t), []string{"k", "gone"}, time.Time{}, 10); err != nil || len(got) != 1 || got[0].Key != "k" {
		t.Errorf("runs %+v, %v", got, err)
	}
	// Whatever comes in is taken, also for a month that is gone, and goes with the next sweep.
	late := f.reported(t, execution.TestResult{Key: "late", Outcome: "passed"}, nil)
	if left(late) != 1 || f.strip(t, "late") != "p" {
		t.Error("what comes in late is refused")
	}
	newer()
	if swept := sweep(keep); left(late) != 0 || swept.Results != 11 {
		t.Errorf("late: %+v", swept)
	}
}

// lastResultsStay proves that a sweep leaves the results of the last executions of each workflow: they tell which tests there are, so a
// release of today misses one that is not run any more.
func lastResultsStay(t *testing.T, f *fixture) {
	f.now = time.Now()
	first := f.reported(t, execution.TestResult{Key: "first", Name: "first", Outcome: "passed"}, nil)
	for range 9 {
		f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "passed"}, nil)
	}
	f.now = f.now.Add(keep + 62*24*time.Hour)
	left := func() int {
		t.Helper()
		if _, err := f.SweepResults(tenant.System(t.Context()), keep); err != nil {
			t.Fatal(err)
		}
		list, _, err := f.Results(f.as(t), first, nil, 10, "")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if left() != 1 {
		t.Error("the tenth last execution is gone")
	}
	if known, err := f.KnownTests(f.as(t), "smoke", "staging"); err != nil || len(known) != 2 {
		t.Errorf("known tests %+v, %v", known, err)
	}
	f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: "passed"}, nil)
	if left() != 0 {
		t.Error("the eleventh last execution is left")
	}
}
