package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
)

// unreadable is an assignment that Reissue refuses.
const unreadable = "unreadable"

// Reissue makes assignments anew for the contract: their text tells which attempt they are for.
func Reissue(spec []byte, _ execution.AttemptID, number int) (again []byte, digest string, err error) {
	if string(spec) == unreadable {
		return nil, "", errors.New("not an assignment")
	}
	return fmt.Appendf(nil, "%s, attempt %d", spec, number), "digest", nil
}

// lose ends an attempt as an agent does.
func (f *fixture) lose(t *testing.T, id execution.AttemptID, status execution.Status, reason string) execution.Saved {
	t.Helper()
	saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: id, Status: status, Reason: reason, Message: "why"})
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func retries() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"AfterALossOnly": func(t *testing.T, f *fixture) {
			for reason, want := range map[string]int{"Evicted": 2, "OOMKilled": 1} {
				n := f.request(t, "")
				n.Runs[0].Retries = 2
				f.enter(t, n)
				f.begun(t)
				saved := f.lose(t, n.Runs[0].AttemptID, execution.Errored, reason)
				e := f.execution(t, n.Execution.ID)
				if got := len(e.Runs[0].Attempts); got != want || e.Status.Terminal() == (want == 2) || e.Runs[0].Retries != 2 {
					t.Errorf("%s: %d attempts, %s; want %d", reason, got, e.Status, want)
				}
				if woken := slices.Contains(saved.Wake, f.cluster.ID); woken != (want == 2) {
					t.Errorf("%s: the agent is woken: %t", reason, woken)
				}
			}
		},
		"NeverAfterATest": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 2
			f.enter(t, n)
			f.begun(t)
			f.lose(t, n.Runs[0].AttemptID, execution.Failed, "Evicted")
			if e := f.execution(t, n.Execution.ID); len(e.Runs[0].Attempts) != 1 || e.Status != execution.Failed {
				t.Errorf("%d attempts, %s", len(e.Runs[0].Attempts), e.Status)
			}
		},
		// The run keeps its place in the group from one attempt to the next, and goes on until it may no more.
		"GoesOnInItsPlace": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			n.Runs[0].Group = execution.Group{Name: "g", Limit: 1, OnConflict: execution.QueueUp}
			f.enter(t, n)
			next, _ := f.grouped(t, n.Runs[0].Group)
			f.starts(t, n.Runs[0].AttemptID)
			f.lose(t, n.Runs[0].AttemptID, execution.Errored, "NodeLost")
			list := f.take(t)
			if len(list) != 1 || list[0].Kind != cluster.Start || !strings.HasSuffix(string(list[0].Spec), ", attempt 2") {
				t.Fatalf("commands %+v, want the start of the second attempt alone", list)
			}
			again := list[0].Attempt
			e := f.execution(t, n.Execution.ID)
			second := e.Runs[0].Attempts[1]
			if second.ID != again || second.Number != 2 || len(second.Steps) != 2 || !strings.Contains(second.Message, "NodeLost") {
				t.Errorf("second attempt %+v", second)
			}
			if _, err := f.AckCommand(f.agent(t, f.cluster), list[0].ID, cluster.Done, ""); err != nil {
				t.Fatal(err)
			}
			f.lose(t, again, execution.Errored, "Evicted")
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Errored || len(e.Runs[0].Attempts) != 2 {
				t.Errorf("%s after %d attempts; want an end", e.Status, len(e.Runs[0].Attempts))
			}
			f.starts(t, next.AttemptID)
		},
		"NotWhenCancelled": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			f.enter(t, n)
			f.begun(t)
			if _, err := f.CancelExecution(f.as(t), n.Execution.ID, "stop"); err != nil {
				t.Fatal(err)
			}
			f.lose(t, n.Runs[0].AttemptID, execution.Errored, "Evicted")
			if e := f.execution(t, n.Execution.ID); !e.Status.Terminal() {
				t.Errorf("it goes on: %s", e.Status)
			}
		},
		"LostWithItsAgent": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			f.enter(t, n)
			f.begun(t)
			f.now = f.now.Add(time.Hour)
			f.take(t) // the agent is back
			if _, err := f.Reconcile(f.agent(t, f.cluster), nil, time.Minute); err != nil {
				t.Fatal(err)
			}
			e := f.execution(t, n.Execution.ID)
			if list := e.Runs[0].Attempts; len(list) != 2 || list[0].Reason != execution.ReasonAgentLost || e.Status.Terminal() {
				t.Errorf("%s with attempts %+v", e.Status, list)
			}
		},
		// A session that is merely made anew, as by a proxy's time limit, is no absence: somebody deleted the Job.
		"NotAfterAnotherSession": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			f.enter(t, n)
			f.begun(t)
			for range 10 {
				f.now = f.now.Add(cluster.OfflineAfter - time.Second)
				f.take(t)
			}
			if _, err := f.Reconcile(f.agent(t, f.cluster), nil, time.Minute); err != nil {
				t.Fatal(err)
			}
			e := f.execution(t, n.Execution.ID)
			if list := e.Runs[0].Attempts; len(list) != 1 || list[0].Reason != "JobDeleted" || !e.Status.Terminal() {
				t.Errorf("%s with attempts %+v", e.Status, list)
			}
		},
		// The test had its say before the node went: the loss in a teardown changes nothing.
		"NotAfterAFailedStep": func(t *testing.T, f *fixture) {
			for allowed, want := range map[bool]int{false: 1, true: 2} {
				n := f.request(t, "")
				n.Runs[0].Retries = 1
				f.enter(t, n)
				f.begun(t)
				code := 1
				f.report(t, execution.Report{Attempt: n.Runs[0].AttemptID, Status: execution.Running, Steps: []execution.Step{
					{Index: 0, Status: execution.Failed, ExitCode: &code, Allowed: allowed}, {Index: 1, Status: execution.Running},
				}})
				f.lose(t, n.Runs[0].AttemptID, execution.Errored, "NodeLost")
				if e := f.execution(t, n.Execution.ID); len(e.Runs[0].Attempts) != want {
					t.Errorf("allowed to fail: %t: %d attempts, want %d", allowed, len(e.Runs[0].Attempts), want)
				}
			}
		},
		// What a lost attempt had found stays, marked, behind everything else; it counts no more, whenever it arrives.
		"ResultsAreSuperseded": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			f.enter(t, n)
			f.begun(t)
			first := accepted{n, n.Runs[0]}
			f.arrive(t, first, 0, execution.Running, arrival{file: "before.xml", bad: 2})
			f.lose(t, first.AttemptID, execution.Errored, "NodeLost")
			f.arrive(t, first, 0, execution.Running, arrival{file: "late.xml", bad: 1})
			f.arrive(t, first, 1, execution.Failed, arrival{}) // its exit code
			second := first
			second.AttemptID = f.execution(t, n.Execution.ID).Runs[0].Attempts[1].ID
			f.begun(t)
			f.arrive(t, second, 0, execution.Running, arrival{file: "again.xml", bad: 1})
			if got := f.execution(t, n.Execution.ID).Tests; got != (execution.Counts{Total: 2, Passed: 1, Failed: 1}) {
				t.Errorf("counted %+v, want those of the second attempt alone", got)
			}
			list, _, err := f.Results(f.as(t), n.Execution.ID, nil, 100, "")
			if err != nil || len(list) != 7 {
				t.Fatalf("%d results, %v", len(list), err)
			}
			for i, r := range list {
				if mine := r.Attempt == second.AttemptID; mine != (i < 2) || r.Superseded == mine {
					t.Errorf("place %d: %+v", i, r)
				}
			}
		},
		"WithItsServices": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			n.Runs[0].Services = []execution.Service{{Name: "db"}, {Name: "mail", LogWithheld: true}}
			f.enter(t, n)
			f.begun(t)
			f.lose(t, n.Runs[0].AttemptID, execution.Errored, "NodeLost")
			got := f.execution(t, n.Execution.ID).Runs[0].Attempts[1].Services
			if len(got) != 2 || got[0].Name != "db" || got[1].Name != "mail" || !got[1].LogWithheld || got[0].Status != execution.ServiceWaiting {
				t.Errorf("services of the second attempt: %+v", got)
			}
		},
		// An assignment that cannot be made anew must not keep the end of the attempt from being stored.
		"Unreadable": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			n.Runs[0].Spec = []byte(unreadable)
			f.enter(t, n)
			f.begun(t)
			f.lose(t, n.Runs[0].AttemptID, execution.Errored, "NodeLost")
			e := f.execution(t, n.Execution.ID)
			if a := attemptOf(t, e); e.Status != execution.Errored || !strings.Contains(strings.Join(a.Notes, " "), "not be tried anew") {
				t.Errorf("%s with notes %q", e.Status, a.Notes)
			}
		},
	}
}
