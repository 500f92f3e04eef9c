package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
)

// Reissue makes assignments anew for the contract: their text tells which attempt they are for.
func Reissue(spec []byte, _ execution.AttemptID, number int) (again []byte, digest string, err error) {
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
			if err := f.AckCommand(f.agent(t, f.cluster), list[0].ID, cluster.Done, ""); err != nil {
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
			if _, _, _, err := f.Reconcile(f.agent(t, f.cluster), nil, time.Minute); err != nil {
				t.Fatal(err)
			}
			e := f.execution(t, n.Execution.ID)
			if list := e.Runs[0].Attempts; len(list) != 2 || list[0].Reason != execution.ReasonAgentLost || e.Status.Terminal() {
				t.Errorf("%s with attempts %+v", e.Status, list)
			}
		},
	}
}
