package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

func dispatching() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Create": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			e := f.execution(t, n.Execution.ID)
			a := attemptOf(t, e)
			if e.Status != execution.Queued || e.Params["users"] != "10" || e.Actor == "" || a.Number != 1 || len(a.Steps) != 2 || a.Steps[1].Name != "test" {
				t.Errorf("stored %+v", e)
			}
			if a.Steps[0].Status != execution.Waiting || e.Runs[0].Cluster != "harbour" || e.Runs[0].Environment != "staging" || e.Runs[0].Namespace != "tests" {
				t.Errorf("stored run %+v", e.Runs[0])
			}
		},
		"IdempotencyKeyStartsOnce": func(t *testing.T, f *fixture) {
			first, second := f.request(t, "push-1"), f.request(t, "push-1")
			if _, existed, err := f.CreateExecution(f.as(t), first); err != nil || existed {
				t.Fatalf("first: %t, %v", existed, err)
			}
			got, existed, err := f.CreateExecution(f.as(t), second)
			if err != nil || !existed || got != first.Execution.ID {
				t.Errorf("second: %s existed %t, %v; want the first, %s", got, existed, err, first.Execution.ID)
			}
			other := f.request(t, "push-1")
			other.Execution.Workflow = "other"
			if _, _, err := f.CreateExecution(f.as(t), other); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), first.Execution.Workflow) {
				t.Errorf("the key for another workflow: %v", err)
			}
			if list := f.take(t); len(list) != 1 {
				t.Errorf("%d commands, want 1", len(list))
			}
		},
		"EnvironmentByNameOrTheOnlyOne": func(t *testing.T, f *fixture) {
			for _, name := range []string{"staging", ""} {
				if e, err := f.Environment(f.as(t), name); err != nil || e.Name != "staging" || e.ClusterName != "harbour" {
					t.Errorf("environment %q: %+v, %v", name, e, err)
				}
			}
			f.enroll(t, "second", "production")
			if _, err := f.Environment(f.as(t), ""); !fault.Is(err, fault.Invalid) {
				t.Errorf("with two environments and none named: %v", err)
			}
			if _, err := f.Environment(f.as(t), "nowhere"); !fault.Is(err, fault.NotFound) {
				t.Errorf("absent environment: %v", err)
			}
		},
		"WayOfAnAttempt": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			hops := &execution.Hops{Job: time.Second}
			passed := execution.Report{Attempt: n.AttemptID, Status: execution.Passed, Hops: hops}
			sent := f.now
			f.take(t)
			f.now = f.now.Add(time.Minute)
			saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: n.AttemptID, Status: execution.Running, Hops: hops})
			if err != nil || saved.Way != nil {
				t.Errorf("under way: %+v, %v", saved.Way, err)
			}
			saved, err = f.SaveReport(f.agent(t, f.cluster), passed)
			if err != nil || saved.Way == nil || saved.Way.Total-saved.Way.Queue != f.now.Sub(sent) {
				t.Errorf("ended: %+v, %v, want %s since the command was sent", saved.Way, err, f.now.Sub(sent))
			}
			if saved, err = f.SaveReport(f.agent(t, f.cluster), passed); err != nil || saved.Way != nil {
				t.Errorf("told again: %+v, %v: it counts once", saved.Way, err)
			}
		},
		"CancelBeforeSent": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			effects, err := f.CancelExecution(f.as(t), n.Execution.ID, "no longer needed")
			if err != nil || len(effects.Wake) != 0 {
				t.Fatalf("wake %v, %v: nobody has it yet", effects.Wake, err)
			}
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Cancelled || e.FinishedAt.IsZero() {
				t.Errorf("execution is %s, finished %s", e.Status, e.FinishedAt)
			}
			if list := f.take(t); len(list) != 0 {
				t.Errorf("a cancelled start was sent: %+v", list)
			}
		},
		"CancelAfterSent": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			for range 2 { // asking twice is asking once
				if effects, err := f.CancelExecution(f.as(t), n.Execution.ID, "stop"); err != nil || len(effects.Wake) > 1 {
					t.Fatalf("wake %v, %v", effects.Wake, err)
				}
			}
			list := f.take(t)
			if len(list) != 1 || list[0].Kind != cluster.Cancel || list[0].Attempt != n.AttemptID || list[0].Reason != "stop" {
				t.Fatalf("commands %+v", list)
			}
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Cancelled})
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Cancelled {
				t.Errorf("execution is %s", e.Status)
			}
		},
		"CancelWithoutTheAgent": cancelWithoutTheAgent,
		"CancelAfterEnd": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Passed})
			if _, err := f.CancelExecution(f.as(t), n.Execution.ID, "late"); !fault.Is(err, fault.Conflict) {
				t.Errorf("err = %v, want conflict", err)
			}
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Passed {
				t.Errorf("a late cancel made it %s", e.Status)
			}
		},
	}
}

// cancelWithoutTheAgent cancels what runs in a cluster that is not heard of any more, and then has the agent come back.
func cancelWithoutTheAgent(t *testing.T, f *fixture) {
	n := f.assigned(t)
	ctx := f.agent(t, f.cluster)
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{{Index: 0, Status: execution.Running}}})
	cancel := func() execution.Execution {
		t.Helper()
		if _, err := f.CancelExecution(f.as(t), n.Execution.ID, "Cancelled by ada."); err != nil {
			t.Fatal(err)
		}
		return f.execution(t, n.Execution.ID)
	}
	f.now = f.now.Add(cluster.GiveUpAfter - time.Second)
	if e := cancel(); e.Status != execution.Running {
		t.Fatalf("%s after a short absence: the agent may be back at once", e.Status)
	}
	f.now = f.now.Add(2 * time.Second)
	e := cancel()
	if a := attemptOf(t, e); e.Status != execution.Cancelled || a.Reason != cluster.ReasonGivenUp || !a.Delivered || a.Steps[0].Status != execution.Cancelled {
		t.Fatalf("after a long absence: %+v", e)
	}
	for _, says := range []string{"Cancelled by ada.", f.cluster.Name, "offline since"} {
		if !strings.Contains(e.Message, says) {
			t.Errorf("%q is not said: %s", says, e.Message)
		}
	}
	list := f.take(t)
	if len(list) != 1 || list[0].Kind != cluster.Cancel {
		t.Errorf("the agent that is back gets %+v", list)
	}
	if r, err := f.Reconcile(ctx, []execution.AttemptID{n.AttemptID}, time.Minute); err != nil || len(r.Cancel) != 1 || len(r.Release) != 0 {
		t.Errorf("the Job still runs: %+v, %v", r, err)
	}
	for _, late := range []execution.Report{{Status: execution.Running}, {Status: execution.Passed, Node: "node7"}} {
		late.Attempt = n.AttemptID
		if got := f.report(t, late); got != execution.Cancelled {
			t.Errorf("a late %s made it %s", late.Status, got)
		}
	}
	if states, err := f.AppendChunks(ctx, []execution.Chunk{chunk(n, 0, "late\n", 0, 1)}); err != nil || len(states) != 1 || states[0].Refused != "" {
		t.Errorf("late log: %+v, %v", states, err)
	}
	if r, err := f.Reconcile(ctx, []execution.AttemptID{n.AttemptID}, time.Minute); err != nil || len(r.Cancel) != 1 || len(r.Release) != 0 {
		t.Errorf("before the agent has delivered: %+v, %v", r, err)
	}
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Cancelled, Delivered: true})
	if r, err := f.Reconcile(ctx, []execution.AttemptID{n.AttemptID}, time.Minute); err != nil || len(r.Release) != 1 {
		t.Errorf("after it has: %+v, %v", r, err)
	}
	if a := attemptOf(t, f.execution(t, n.Execution.ID)); a.Node != "node7" || a.Reason != cluster.ReasonGivenUp {
		t.Errorf("what came late is not kept: %+v", a)
	}
}

func commands() map[string]func(t *testing.T, f *fixture) {
	const resend, expiry = 15 * time.Second, time.Minute
	return map[string]func(t *testing.T, f *fixture){
		"TakenOnceUntilResend": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			ctx := f.agent(t, f.cluster)
			epoch, err := f.OpenSession(ctx, cluster.Hello{})
			if err != nil {
				t.Fatal(err)
			}
			take := func() []cluster.Command {
				list, err := f.TakeCommands(ctx, epoch, 10, resend, expiry)
				if err != nil {
					t.Fatal(err)
				}
				return list
			}
			list := take()
			if len(list) != 1 || list[0].Attempt != n.AttemptID || string(list[0].Spec) != "assignment" || !list[0].ExpiresAt.Equal(f.now.Add(expiry)) {
				t.Fatalf("taken %+v", list)
			}
			if again := take(); len(again) != 0 {
				t.Errorf("taken twice: %+v", again)
			}
			f.now = f.now.Add(resend + time.Second)
			if again := take(); len(again) != 1 || again[0].ID != list[0].ID || again[0].Tries != 2 {
				t.Errorf("without an answer: %+v", again)
			}
		},
		"NewSessionGetsWhatTheOldOneLeft": func(t *testing.T, f *fixture) {
			f.queued(t)
			first := f.take(t)
			if again := f.take(t); len(first) != 1 || len(again) != 1 || again[0].ID != first[0].ID {
				t.Errorf("first session %+v, second %+v: the answer of the first may be lost", first, again)
			}
		},
		"AckEndsIt": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.now = f.now.Add(time.Hour)
			if again := f.take(t); len(again) != 0 {
				t.Errorf("answered and sent again: %+v", again)
			}
			if a := attemptOf(t, f.execution(t, n.Execution.ID)); a.Status != execution.Assigned {
				t.Errorf("attempt is %s", a.Status)
			}
		},
		"ReportProvesTheStart": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			if first := f.take(t); len(first) != 1 {
				t.Fatalf("%d commands", len(first))
			}
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Pending})
			if again := f.take(t); len(again) != 0 {
				t.Errorf("sent again although its Job was reported: %+v; had somebody deleted that, it would run twice", again)
			}
		},
		"RejectedEndsTheAttempt": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			c := f.take(t)[0]
			if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Rejected, "namespace tests is forbidden"); err != nil {
				t.Fatal(err)
			}
			e := f.execution(t, n.Execution.ID)
			if e.Status != execution.Errored || e.Message != "namespace tests is forbidden" {
				t.Errorf("execution is %s: %q", e.Status, e.Message)
			}
			if a := attemptOf(t, e); a.Steps[0].Status == execution.Waiting {
				t.Error("a step still waits for an attempt that never started")
			}
		},
		"ExpiredComesAgain": func(t *testing.T, f *fixture) {
			f.queued(t)
			c := f.take(t)[0]
			if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Expired, ""); err != nil {
				t.Fatal(err)
			}
			f.now = f.now.Add(resend + time.Second)
			if again := f.take(t); len(again) != 1 {
				t.Errorf("%d commands, want the expired one again", len(again))
			}
		},
		"UnknownAckIsIgnored": func(t *testing.T, f *fixture) {
			if _, err := f.AckCommand(f.agent(t, f.cluster), id(t), cluster.Done, ""); err != nil {
				t.Errorf("err = %v", err)
			}
		},
		"LimitHoldsForStarts": func(t *testing.T, f *fixture) {
			for range 3 {
				f.queued(t)
			}
			ctx := f.agent(t, f.cluster)
			epoch, err := f.OpenSession(ctx, cluster.Hello{})
			if err != nil {
				t.Fatal(err)
			}
			if list, err := f.TakeCommands(ctx, epoch, 2, resend, expiry); err != nil || len(list) != 2 {
				t.Errorf("%d commands, %v; want 2", len(list), err)
			}
		},
		"OldSessionTakesNothing": func(t *testing.T, f *fixture) {
			f.queued(t)
			ctx := f.agent(t, f.cluster)
			old, err := f.OpenSession(ctx, cluster.Hello{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.OpenSession(ctx, cluster.Hello{}); err != nil {
				t.Fatal(err)
			}
			if list, err := f.TakeCommands(ctx, old, 10, resend, expiry); err == nil && len(list) > 0 {
				t.Errorf("a superseded session took %+v", list)
			}
		},
		"WaitingIsSeenBySweep": func(t *testing.T, f *fixture) {
			ids := []cluster.ID{f.cluster.ID}
			if list, err := f.WaitingCommands(t.Context(), ids, resend); err != nil || len(list) != 0 {
				t.Errorf("idle: %v, %v", list, err)
			}
			f.queued(t)
			if list, err := f.WaitingCommands(t.Context(), ids, resend); err != nil || len(list) != 1 {
				t.Errorf("queued: %v, %v", list, err)
			}
		},
		"Assignment": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			spec, digest, err := f.Assignment(f.agent(t, f.cluster), n.AttemptID)
			if err != nil || string(spec) != "assignment" || digest != n.SpecDigest {
				t.Errorf("%q %s, %v", spec, digest, err)
			}
		},
	}
}

func reports() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"WholeLife":            wholeLife,
		"TerminalStays":        terminalStays,
		"NotesEnd":             notesEnd,
		"OldStepDoesNotReturn": oldStep,
		"AllowedFailureStays": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			for _, allowed := range []bool{true, false} { // the pod's last words may not know it
				f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{
					{Index: 0, Name: "install", Status: execution.Failed, Allowed: allowed}, {Index: 1, Name: "test", Status: execution.Failed},
				}})
			}
			if got := attemptOf(t, f.execution(t, n.Execution.ID)).Steps; got[0].Failed() || !got[1].Failed() {
				t.Errorf("steps are %+v", got)
			}
		},
		"EndClosesSteps": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{{Index: 0, Name: "install", Status: execution.Running, StartedAt: f.now}}})
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Errored, Reason: "Evicted", Message: "The pod was evicted."})
			for _, s := range attemptOf(t, f.execution(t, n.Execution.ID)).Steps {
				if !s.Status.Terminal() {
					t.Errorf("step %s is still %s", s.Name, s.Status)
				}
				if s.Status == execution.Passed {
					t.Errorf("step %s passed, though nobody saw it end", s.Name)
				}
			}
		},
		"UnheardStepMayHaveWritten": func(t *testing.T, f *fixture) {
			for reason, told := range map[string]bool{"Evicted": false, "the runner says so": true} {
				n := f.assigned(t)
				f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Errored, Reason: reason, FromRunner: told})
				for _, s := range attemptOf(t, f.execution(t, n.Execution.ID)).Steps {
					if s.Status != execution.Skipped || s.Log.Complete != told || (s.Reason == "") != told {
						t.Errorf("%s: step %s is %s (%s), its log complete: %t", reason, s.Name, s.Status, s.Reason, s.Log.Complete)
					}
				}
			}
			n := f.queued(t)
			if _, err := f.CancelExecution(f.as(t), n.Execution.ID, "no longer needed"); err != nil {
				t.Fatal(err)
			}
			if s := attemptOf(t, f.execution(t, n.Execution.ID)).Steps[0]; !s.Log.Complete || s.Reason != "" {
				t.Errorf("never begun: %+v", s)
			}
		},
		"ReconcileFindsLostJobs": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			ctx := f.agent(t, f.cluster)
			if _, err := f.Reconcile(ctx, nil, time.Minute); err != nil {
				t.Fatal(err)
			}
			if e := f.execution(t, n.Execution.ID); e.Status.Terminal() {
				t.Fatalf("ended as %s within the grace", e.Status)
			}
			f.now = f.now.Add(2 * time.Minute)
			r, err := f.Reconcile(ctx, nil, time.Minute)
			if err != nil || !slices.Contains(r.Changed, n.Execution.ID) {
				t.Fatalf("who watches it is not told: %+v, %v", r, err)
			}
			e := f.execution(t, n.Execution.ID)
			if e.Status != execution.Errored || attemptOf(t, e).Reason != "JobDeleted" || e.Message == "" {
				t.Errorf("execution is %s %q %q", e.Status, e.Reason, e.Message)
			}
		},
		"ReconcileSortsJobs": func(t *testing.T, f *fixture) {
			live, ended, partial, stopping, stranger := f.assigned(t), f.assigned(t), f.assigned(t), f.assigned(t), id(t)
			f.report(t, execution.Report{Attempt: partial.AttemptID, Status: execution.Passed})
			f.report(t, execution.Report{Attempt: ended.AttemptID, Status: execution.Passed, Delivered: true})
			if _, err := f.CancelExecution(f.as(t), stopping.Execution.ID, "stop"); err != nil {
				t.Fatal(err)
			}
			present := []execution.AttemptID{live.AttemptID, ended.AttemptID, partial.AttemptID, stopping.AttemptID, stranger}
			r, err := f.Reconcile(f.agent(t, f.cluster), present, time.Minute)
			if err != nil || !slices.Equal(r.Cancel, []execution.AttemptID{stopping.AttemptID}) ||
				!slices.Equal(r.Unknown, []execution.AttemptID{stranger}) || !slices.Equal(r.Release, []execution.AttemptID{ended.AttemptID}) {
				t.Errorf("%+v, %v", r, err)
			}
			if !slices.Equal(r.Open, []execution.AttemptID{live.AttemptID, stopping.AttemptID}) || !slices.Equal(r.Partial, []execution.AttemptID{partial.AttemptID}) {
				t.Errorf("open %v, partial %v", r.Open, r.Partial)
			}
		},
	}
}

func wholeLife(t *testing.T, f *fixture) {
	n := f.assigned(t)
	start := f.now
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Pending, Reason: "ImagePull", Message: "pulling"})
	if e := f.execution(t, n.Execution.ID); e.Status != execution.Pending || attemptOf(t, e).Message != "pulling" {
		t.Errorf("pending: %s %+v", e.Status, attemptOf(t, e))
	}
	code := 1
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Node: "node1", Pod: "p", StartedAt: start, Steps: []execution.Step{
		{Index: 0, Name: "install", Status: execution.Passed, StartedAt: start, FinishedAt: start.Add(time.Second)},
		{Index: 1, Name: "test", Status: execution.Running, StartedAt: start.Add(time.Second)},
	}})
	end := start.Add(3 * time.Second)
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Failed, StartedAt: start, FinishedAt: end, Message: "step test ended with exit code 1", Steps: []execution.Step{
		{Index: 1, Name: "test", Status: execution.Failed, ExitCode: &code, StartedAt: start.Add(time.Second), FinishedAt: end},
	}})
	e := f.execution(t, n.Execution.ID)
	a := attemptOf(t, e)
	if e.Status != execution.Failed || !e.StartedAt.Equal(start) || !e.FinishedAt.Equal(end) || e.Message == "" {
		t.Errorf("execution %+v", e)
	}
	if a.Node != "node1" || a.Steps[0].Status != execution.Passed || a.Steps[1].ExitCode == nil || *a.Steps[1].ExitCode != 1 {
		t.Errorf("attempt %+v", a)
	}
	for range 2 { // delivered twice is released once
		f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Failed, Delivered: true, Notes: []string{"one note"}})
	}
	list := f.take(t)
	if len(list) != 1 || list[0].Kind != cluster.Release || list[0].Attempt != n.AttemptID {
		t.Errorf("commands after delivery: %+v", list)
	}
	if a := attemptOf(t, f.execution(t, n.Execution.ID)); !a.Delivered || len(a.Notes) != 1 {
		t.Errorf("delivered %t, notes %q", a.Delivered, a.Notes)
	}
}

// notesEnd holds that the notes of an attempt have an end, and that the last of them says so.
func notesEnd(t *testing.T, f *fixture) {
	n := f.assigned(t)
	for i := range 30 {
		r := execution.Report{Attempt: n.AttemptID, Status: execution.Running}
		for j := range 10 {
			r.Notes = append(r.Notes, fmt.Sprintf("note %d", i*10+j))
		}
		f.report(t, r)
	}
	notes := attemptOf(t, f.execution(t, n.Execution.ID)).Notes
	if len(notes) != 200 || notes[198] != "note 198" || notes[199] != "There were more notes than are kept." {
		t.Errorf("%d notes, the last %q", len(notes), notes[len(notes)-2:])
	}
}

func terminalStays(t *testing.T, f *fixture) {
	n := f.assigned(t)
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Passed})
	for _, late := range []execution.Status{execution.Failed, execution.Cancelled, execution.Running} {
		if got := f.report(t, execution.Report{Attempt: n.AttemptID, Status: late}); got != execution.Passed {
			t.Errorf("after a late %s the attempt is %s", late, got)
		}
	}
	if e := f.execution(t, n.Execution.ID); e.Status != execution.Passed {
		t.Errorf("execution is %s", e.Status)
	}
}

func oldStep(t *testing.T, f *fixture) {
	n := f.assigned(t)
	step := func(s execution.Status) execution.Report {
		return execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{{Index: 0, Name: "install", Status: s}}}
	}
	f.report(t, step(execution.Passed))
	f.report(t, step(execution.Running))
	f.report(t, step(execution.Failed))
	if got := attemptOf(t, f.execution(t, n.Execution.ID)).Steps[0].Status; got != execution.Passed {
		t.Errorf("step is %s, want its first end", got)
	}
}
