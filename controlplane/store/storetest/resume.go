package storetest

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// waits has a run of the fixture's cluster come to its pause.
func (f *fixture) waits(t *testing.T, c cluster.Cluster, attempt execution.AttemptID) {
	t.Helper()
	_, err := f.SaveReport(f.agent(t, c), execution.Report{
		Attempt: attempt, Status: execution.Paused, Reason: "Paused", Message: "go on?",
		Steps: []execution.Step{
			{Index: 0, Name: "install", Status: execution.Passed, StartedAt: f.now, FinishedAt: f.now},
			{Index: 1, Name: "test", Status: execution.Paused, Reason: "go on?", StartedAt: f.now},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func pauses() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"ResumedOnce": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.waits(t, f.cluster, n.AttemptID)
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Paused || attemptOf(t, e).Steps[1].Status != execution.Paused {
				t.Fatalf("execution is %s, %+v", e.Status, attemptOf(t, e))
			}
			for range 2 { // asking twice is asking once
				steps, wake, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{Reason: "Resumed by ada."})
				if err != nil || steps != 1 || len(wake) != 1 || wake[0] != f.cluster.ID {
					t.Fatalf("%d steps, wake %v, %v", steps, wake, err)
				}
			}
			list := f.take(t)
			if len(list) != 1 || list[0].Kind != cluster.Resume || list[0].Attempt != n.AttemptID || list[0].Step != 1 || list[0].Reason != "Resumed by ada." {
				t.Fatalf("commands %+v", list)
			}
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{
				{Index: 1, Name: "test", Status: execution.Passed, Reason: "Resumed by ada.", StartedAt: f.now, FinishedAt: f.now},
			}})
			e := f.execution(t, n.Execution.ID)
			if e.Status != execution.Running || attemptOf(t, e).Steps[1].Reason != "Resumed by ada." {
				t.Errorf("after it: %s, %+v", e.Status, attemptOf(t, e))
			}
			if _, _, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{}); !fault.Is(err, fault.Conflict) {
				t.Errorf("resuming what does not wait: %v", err)
			}
		},
		"OnlyWhatIsMeant": func(t *testing.T, f *fixture) {
			n, other := f.several(t, nil)
			f.waits(t, f.cluster, n.Runs[0].AttemptID)
			f.waits(t, other, n.Runs[1].AttemptID)
			for reason, which := range map[string]execution.Resume{
				"the step has another name": {Step: "deploy"},
				"the run does not wait":     {Run: n.Runs[2].ID},
				"the run is another's":      {Run: id(t)},
			} {
				if steps, wake, err := f.ResumeExecution(f.as(t), n.Execution.ID, which); !fault.Is(err, fault.Conflict) {
					t.Errorf("%s: %d steps, wake %v, %v", reason, steps, wake, err)
				}
			}
			steps, wake, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{Run: n.Runs[1].ID, Step: "test"})
			if err != nil || steps != 1 || len(wake) != 1 || wake[0] != other.ID {
				t.Errorf("one run: %d steps, wake %v, %v", steps, wake, err)
			}
			if steps, wake, err = f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{}); err != nil || steps != 2 || len(wake) != 2 {
				t.Errorf("all runs: %d steps, wake %v, %v", steps, wake, err)
			}
		},
		"KnownByItsStep": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.waits(t, f.cluster, n.AttemptID)
			// An agent that was restarted sees a running pod before the runner has told it of the pause.
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running})
			if steps, _, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{}); err != nil || steps != 1 {
				t.Errorf("%d steps, %v", steps, err)
			}
		},
		"AskedAnewAfterARefusal": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.waits(t, f.cluster, n.AttemptID)
			for i := range 2 {
				if _, _, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{}); err != nil {
					t.Fatal(err)
				}
				list := f.take(t)
				if len(list) != 1 {
					t.Fatalf("try %d: commands %+v", i+1, list)
				}
				if _, err := f.AckCommand(f.agent(t, f.cluster), list[0].ID, cluster.Rejected, "upgrade the agent"); err != nil {
					t.Fatal(err)
				}
			}
		},
		"EndedWhileItWaits": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.waits(t, f.cluster, n.AttemptID)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Errored, Reason: "Evicted", Message: "The pod was evicted."})
			if s := attemptOf(t, f.execution(t, n.Execution.ID)).Steps[1]; s.Status != execution.Errored || s.Reason == "go on?" {
				t.Errorf("the step is %s, because of %q", s.Status, s.Reason)
			}
		},
		"SentAgainWhileItWaits": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.waits(t, f.cluster, n.AttemptID)
			if _, _, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{Reason: "Resumed by ada."}); err != nil {
				t.Fatal(err)
			}
			for _, c := range f.take(t) {
				if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Done, ""); err != nil {
					t.Fatal(err)
				}
			}
			if list := f.take(t); len(list) != 0 {
				t.Fatalf("sent again without a reason: %+v", list)
			}
			inventory := func() {
				t.Helper()
				if _, err := f.Reconcile(f.agent(t, f.cluster), []execution.AttemptID{n.AttemptID}, time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			inventory() // of an agent that was restarted with the word in its hand
			if list := f.take(t); len(list) != 1 || list[0].Kind != cluster.Resume {
				t.Errorf("the word is lost: %+v", list)
			}
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{
				{Index: 1, Name: "test", Status: execution.Passed, StartedAt: f.now, FinishedAt: f.now},
			}})
			for _, c := range f.take(t) {
				if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Done, ""); err != nil {
					t.Fatal(err)
				}
			}
			inventory()
			if list := f.take(t); len(list) != 0 {
				t.Errorf("sent although the step does not wait any more: %+v", list)
			}
		},
		"AfterTheEnd": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Passed})
			if _, _, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{}); !fault.Is(err, fault.Conflict) {
				t.Errorf("err = %v, want conflict", err)
			}
		},
	}
}
