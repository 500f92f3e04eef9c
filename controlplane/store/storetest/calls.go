package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// suite stores an execution whose second step executes other workflows, and has it come to that step.
func (f *fixture) suite(t *testing.T, what execution.Execute) accepted {
	t.Helper()
	n := f.request(t, "")
	n.Runs[0].Steps[1].Execute = &what
	f.enter(t, n)
	f.begun(t)
	f.asks(t, n.Runs[0].AttemptID)
	return accepted{n, n.Runs[0]}
}

// asks reports that the step has come to its calls.
func (f *fixture) asks(t *testing.T, id execution.AttemptID) execution.Saved {
	t.Helper()
	saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: id, Status: execution.Running, Steps: []execution.Step{
		{Index: 0, Status: execution.Passed}, {Index: 1, Status: execution.Running, Params: []map[string]string{{"users": "3"}, {"users": "4"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// open returns the one step that has open calls, as the system sees it.
func (f *fixture) open(t *testing.T) []execution.CallStep {
	t.Helper()
	steps, err := f.OpenCalls(tenant.System(t.Context()), 100)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func (f *fixture) settle(t *testing.T) execution.Settled {
	t.Helper()
	steps := f.open(t)
	if len(steps) != 1 {
		t.Fatalf("%d steps have open calls, want one", len(steps))
	}
	out, err := f.SettleCalls(tenant.System(t.Context()), steps[0])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// child begins the execution of a call.
func (f *fixture) child(t *testing.T, b execution.Beginning) accepted {
	t.Helper()
	n := f.request(t, "call "+b.Call.String())
	n.Execution.Workflow, n.Execution.Parent = b.Workflow, &b.Parent
	f.enter(t, n)
	return accepted{n, n.Runs[0]}
}

func callees(names ...string) execution.Execute {
	what := execution.Execute{Wait: true}
	for _, name := range names {
		what.Callees = append(what.Callees, execution.Callee{Name: name})
	}
	return what
}

func (f *fixture) calls(t *testing.T, id execution.ID) []execution.Call {
	t.Helper()
	runs := f.execution(t, id).Runs[0].Attempts
	return runs[len(runs)-1].Steps[1].Calls
}

func calls() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		// From the report to the word that ends the step, two at a time.
		"InTurn": func(t *testing.T, f *fixture) {
			what := callees("a", "b", "c")
			what.Parallelism = 2
			n := f.suite(t, what)
			if saved := f.asks(t, n.AttemptID); saved.Calls {
				t.Error("a report that comes again asks again")
			}
			first := f.settle(t).Begin
			if len(first) != 2 || first[0].Workflow != "a" || first[0].Params["users"] != "3" || first[1].Params["users"] != "4" ||
				first[0].Environment != "staging" || first[0].Parent.Execution != n.Execution.ID || first[0].Parent.Step != "test" ||
				!slices.Equal(first[0].Parent.Above, []execution.Above{{Execution: n.Execution.ID, Workflow: "smoke", Waits: true}}) || first[0].Actor != "admin@example.test" {
				t.Fatalf("what begins: %+v", first)
			}
			a, b := f.child(t, first[0]), f.child(t, first[1])
			if got := f.settle(t); len(got.Begin) != 0 || len(f.open(t)) != 0 {
				t.Fatalf("there is no room, and nothing to decide: %+v", got)
			}
			f.begun(t)
			f.report(t, execution.Report{Attempt: a.AttemptID, Status: execution.Passed, Delivered: true})
			third := f.settle(t).Begin
			if len(third) != 1 || third[0].Workflow != "c" || len(third[0].Params) != 0 {
				t.Fatalf("after one has ended: %+v", third)
			}
			c := f.child(t, third[0])
			f.begun(t)
			if list := f.calls(t, n.Execution.ID); len(list) != 3 || list[0].Status != execution.Passed || list[0].Execution != a.Execution.ID || list[1].Status.Terminal() {
				t.Errorf("calls %+v", list)
			}
			if parent := f.execution(t, b.Execution.ID).Parent; parent == nil || parent.Execution != n.Execution.ID || parent.Workflow != "smoke" {
				t.Errorf("the child's parent is %+v", parent)
			}
			f.report(t, execution.Report{Attempt: b.AttemptID, Status: execution.Failed, Message: "2 tests failed"})
			f.report(t, execution.Report{Attempt: c.AttemptID, Status: execution.Passed})
			out := f.settle(t)
			if !slices.Equal(out.Wake, []cluster.ID{f.cluster.ID}) || !slices.Equal(out.Changed, []execution.ID{n.Execution.ID}) {
				t.Errorf("told %+v", out.Effects)
			}
			list := f.take(t)
			if len(list) == 0 || list[0].Kind != cluster.Resume {
				t.Fatalf("commands %+v, want the word for the step", list)
			}
			if w := list[0]; w.Attempt != n.AttemptID || w.Step != 1 || w.Verdict != string(execution.Failed) || !strings.Contains(w.Reason, "b is failed") {
				t.Errorf("the word is %+v", w)
			}
			if len(f.open(t)) != 0 {
				t.Error("there is still something to decide")
			}
		},
		"BySelector": func(t *testing.T, f *fixture) {
			for name, labels := range map[string]map[string]string{"api-b": {"suite": "api", "tier": "1"}, "api-a": {"suite": "api"}, "web": {"suite": "web"}} {
				w := workflow.Record{Name: name, Digest: "d", Source: "s", Labels: labels}
				if _, _, _, err := f.ApplyWorkflow(f.as(t), w, ""); err != nil {
					t.Fatal(err)
				}
			}
			f.suite(t, execution.Execute{Wait: true, Callees: []execution.Callee{{Selector: map[string]string{"suite": "api"}}}})
			begin := f.settle(t).Begin
			if len(begin) != 2 || begin[0].Workflow != "api-a" || begin[1].Workflow != "api-b" || begin[1].Params["users"] != "3" {
				t.Errorf("what begins: %+v", begin)
			}
		},
		// A selector means what is not named or found before, and never what executes it.
		"SelectorLeavesOut": func(t *testing.T, f *fixture) {
			for _, name := range []string{"api-a", "api-b", "api-c", "smoke"} {
				w := workflow.Record{Name: name, Digest: "d", Source: "s", Labels: map[string]string{"suite": "api", "of": name}}
				if _, _, _, err := f.ApplyWorkflow(f.as(t), w, ""); err != nil {
					t.Fatal(err)
				}
			}
			all := execution.Callee{Selector: map[string]string{"suite": "api"}}
			f.suite(t, execution.Execute{Wait: true, Callees: []execution.Callee{{Selector: map[string]string{"of": "api-b"}}, all, {Name: "api-c"}, all}})
			var names []string
			for _, b := range f.settle(t).Begin {
				names = append(names, b.Workflow)
			}
			if want := []string{"api-b", "api-a", "api-c"}; !slices.Equal(names, want) {
				t.Errorf("it executes %v, want %v: smoke is the suite itself", names, want)
			}
		},
		"NothingFound": func(t *testing.T, f *fixture) {
			f.suite(t, execution.Execute{Wait: true, Callees: []execution.Callee{{Selector: map[string]string{"suite": "none"}}}})
			f.settle(t)
			if list := f.take(t); len(list) != 1 || list[0].Verdict != string(execution.Errored) || !strings.Contains(list[0].Reason, "suite=none") {
				t.Errorf("the word is %+v", list)
			}
		},
		"CannotBegin": func(t *testing.T, f *fixture) {
			n := f.suite(t, callees("absent"))
			b := f.settle(t).Begin[0]
			if err := f.CallFailed(f.as(t), b.Call, "there is no workflow absent"); err != nil {
				t.Fatal(err)
			}
			f.settle(t)
			if list := f.take(t); len(list) != 1 || list[0].Verdict != string(execution.Errored) || !strings.Contains(list[0].Reason, "no workflow absent") {
				t.Errorf("the word is %+v", list)
			}
			if c := f.calls(t, n.Execution.ID)[0]; c.Status != execution.Errored || c.Message == "" {
				t.Errorf("call %+v", c)
			}
		},
		"NotWaitedFor": func(t *testing.T, f *fixture) {
			what := callees("a")
			what.Wait = false
			n := f.suite(t, what)
			child := f.child(t, f.settle(t).Begin[0])
			f.settle(t)
			if list := f.take(t); len(list) != 2 || list[0].Kind != cluster.Resume || list[0].Verdict != string(execution.Passed) {
				t.Fatalf("commands %+v: want the step to go on, and the child's start", list)
			}
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Passed, Delivered: true})
			if out := f.settle(t); len(out.Cancel) != 0 || f.execution(t, child.Execution.ID).Status.Terminal() {
				t.Errorf("the child ends with its parent: %+v", out)
			}
		},
		// The end of the parent, however it comes, ends what it waits for, and a replica that dies in between only delays that.
		"CancelledWithTheParent": func(t *testing.T, f *fixture) {
			n := f.suite(t, callees("a", "b"))
			begin := f.settle(t).Begin
			child := f.child(t, begin[0])
			over := f.child(t, begin[1])
			f.settle(t)
			f.begun(t)
			f.report(t, execution.Report{Attempt: over.AttemptID, Status: execution.Passed})
			f.settle(t)
			saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: n.AttemptID, Status: execution.TimedOut})
			if err != nil || !saved.Calls {
				t.Fatalf("nobody is told: %+v, %v", saved, err)
			}
			for range 2 { // whoever was to cancel it may have died
				if out := f.settle(t); !slices.Equal(out.Cancel, []execution.ID{child.Execution.ID}) {
					t.Fatalf("to be cancelled: %+v", out)
				}
				if len(f.open(t)) != 0 {
					t.Error("somebody else looks while it is carried out")
				}
				f.now = f.now.Add(execution.Lease)
			}
			f.report(t, execution.Report{Attempt: child.AttemptID, Status: execution.Cancelled})
			f.settle(t)
			if len(f.open(t)) != 0 {
				t.Error("there is still something to decide")
			}
		},
		// Whoever was to begin it may have died, or another replica was as quick: it begins once.
		"BeginsOnce": func(t *testing.T, f *fixture) {
			f.suite(t, callees("a"))
			b := f.settle(t).Begin[0]
			if len(f.open(t)) != 0 {
				t.Error("somebody else looks while it begins")
			}
			f.now = f.now.Add(execution.Lease)
			if again := f.settle(t).Begin; len(again) != 1 || again[0].Call != b.Call {
				t.Fatalf("after the lease: %+v", again)
			}
			child := f.child(t, b)
			other := f.request(t, "another key")
			other.Execution.Parent = &b.Parent
			if _, _, err := f.CreateExecution(f.as(t), other); !fault.Is(err, fault.Conflict) {
				t.Errorf("a second execution of one call: %v", err)
			}
			if err := f.CallFailed(f.as(t), b.Call, "too late"); err != nil {
				t.Fatal(err)
			}
			if list := f.calls(t, b.Parent.Execution); len(list) != 1 || list[0].Execution != child.Execution.ID || list[0].Message != "" {
				t.Errorf("calls %+v", list)
			}
		},
		// Nothing begins for a step that has ended, and what never began is not left as if it would.
		"NotAfterTheStep": func(t *testing.T, f *fixture) {
			what := callees("a", "b")
			what.Parallelism = 1
			n := f.suite(t, what)
			b := f.settle(t).Begin[0]
			saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{
				{Index: 1, Status: execution.TimedOut, Allowed: true},
			}})
			if err != nil || !saved.Calls {
				t.Fatalf("nobody is told: %+v, %v", saved, err)
			}
			late := f.request(t, "late")
			late.Execution.Parent = &b.Parent
			if _, _, err := f.CreateExecution(f.as(t), late); !fault.Is(err, fault.Conflict) {
				t.Errorf("it begins after its step has ended: %v", err)
			}
			f.settle(t)
			for _, c := range f.calls(t, n.Execution.ID) {
				if c.Status != execution.Cancelled || c.Message == "" {
					t.Errorf("call %+v", c)
				}
			}
		},
		"NeverInACircle": func(t *testing.T, f *fixture) {
			what := callees("a")
			n := f.request(t, "")
			n.Runs[0].Steps[1].Execute = &what
			n.Runs[0].Group = execution.Group{Name: "g", Limit: 1, OnConflict: execution.QueueUp}
			f.enter(t, n)
			f.begun(t)
			f.asks(t, n.Runs[0].AttemptID)
			b := f.settle(t).Begin[0]
			child := f.request(t, "")
			child.Execution.Parent, child.Runs[0].Group = &b.Parent, n.Runs[0].Group
			if _, _, err := f.CreateExecution(f.as(t), child); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "group g") {
				t.Errorf("it waits for a place that its parent holds: %v", err)
			}
			child.Runs[0].Group.Limit = 2
			if _, _, err := f.CreateExecution(f.as(t), child); err != nil {
				t.Errorf("there is a place beside its parent: %v", err)
			}
		},
		"NeverCancelsItsSuite": func(t *testing.T, f *fixture) {
			what := callees("a")
			group := execution.Group{Name: "g", Limit: 2, OnConflict: execution.CancelOlder}
			n := f.request(t, "")
			n.Runs[0].Steps[1].Execute, n.Runs[0].Group = &what, group
			f.enter(t, n)
			f.begun(t)
			other, _ := f.grouped(t, group)
			f.begun(t)
			f.asks(t, n.Runs[0].AttemptID)
			b := f.settle(t).Begin[0]
			child := f.request(t, "")
			child.Execution.Parent, child.Runs[0].Group = &b.Parent, group
			f.enter(t, child)
			if _, cancels := f.begun(t); !slices.Equal(cancels, []execution.AttemptID{other.AttemptID}) {
				t.Errorf("cancelled are %v: want the other, and not the suite that waits for it", cancels)
			}
		},
		"TooMany": func(t *testing.T, f *fixture) {
			f.suite(t, callees(slices.Repeat([]string{"a"}, execution.MaxCalls)...))
			if out := f.settle(t); len(out.Begin) != execution.MaxCalls {
				t.Errorf("%d begin, want as many as are possible", len(out.Begin))
			}
			f.now = f.now.Add(time.Second) // the other's lease
			f.suite(t, callees(slices.Repeat([]string{"a"}, execution.MaxCalls+1)...))
			if out := f.settle(t); len(out.Begin) != 0 {
				t.Errorf("%d begin of one more than are possible", len(out.Begin))
			}
		},
		"OfALostAttempt": func(t *testing.T, f *fixture) {
			what := callees("a")
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			n.Runs[0].Steps[1].Execute = &what
			f.enter(t, n)
			f.begun(t)
			f.asks(t, n.Runs[0].AttemptID)
			child := f.child(t, f.settle(t).Begin[0])
			f.settle(t)
			f.lose(t, n.Runs[0].AttemptID, execution.Errored, "NodeLost")
			if out := f.settle(t); !slices.Equal(out.Cancel, []execution.ID{child.Execution.ID}) {
				t.Errorf("what the lost attempt waited for: %+v", out)
			}
			f.begun(t)
			second := f.execution(t, n.Execution.ID).Runs[0].Attempts[1].ID
			f.asks(t, second)
			if out := f.settle(t); len(out.Begin) != 1 {
				t.Errorf("the second attempt asks anew: %+v", out)
			}
		},
		// What nobody waits for goes on when its parent is tried anew, and is not started again.
		"OfALostAttempt_NotWaitedFor": func(t *testing.T, f *fixture) {
			what := callees("a", "a", "b")
			what.Wait = false
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			n.Runs[0].Steps[1].Execute = &what
			f.enter(t, n)
			f.begun(t)
			f.asks(t, n.Runs[0].AttemptID)
			begin := f.settle(t).Begin
			first, second := f.child(t, begin[0]), f.child(t, begin[1])
			f.lose(t, n.Runs[0].AttemptID, execution.Errored, "NodeLost")
			if out := f.settle(t); len(out.Cancel) != 0 {
				t.Errorf("they are cancelled: %+v", out)
			}
			f.begun(t)
			f.asks(t, f.execution(t, n.Execution.ID).Runs[0].Attempts[1].ID)
			if out := f.settle(t); len(out.Begin) != 1 || out.Begin[0].Workflow != "b" {
				t.Errorf("what begins is %+v, want what had not begun", out.Begin)
			}
			// the first two differ in their params
			if list := f.calls(t, n.Execution.ID); list[0].Execution != first.Execution.ID || list[1].Execution != second.Execution.ID {
				t.Errorf("calls %+v", list)
			}
		},
		// While somebody cancels the children of a step, the end of one of them does not have the others cancelled once more.
		"CancelledOnce": func(t *testing.T, f *fixture) {
			n := f.suite(t, callees("a", "b"))
			begin := f.settle(t).Begin
			a, b := f.child(t, begin[0]), f.child(t, begin[1])
			f.settle(t)
			f.begun(t)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.TimedOut})
			if out := f.settle(t); len(out.Cancel) != 2 {
				t.Fatalf("to be cancelled: %+v", out)
			}
			f.report(t, execution.Report{Attempt: a.AttemptID, Status: execution.Cancelled})
			if out := f.settle(t); len(out.Cancel) != 0 {
				t.Errorf("cancelled once more: %+v", out)
			}
			f.now = f.now.Add(execution.Lease)
			if out := f.settle(t); !slices.Equal(out.Cancel, []execution.ID{b.Execution.ID}) {
				t.Errorf("after the lease: %+v", out)
			}
		},
		// Another organization neither sees nor moves them.
		"OfOthers": func(t *testing.T, f *fixture) {
			n := f.suite(t, callees("a"))
			b := f.settle(t).Begin[0]
			if err := f.CallFailed(foreigner(t), b.Call, "mine"); err != nil {
				t.Fatal(err)
			}
			if c := f.calls(t, n.Execution.ID)[0]; c.Status != execution.Queued {
				t.Errorf("a stranger ended it: %+v", c)
			}
		},
		// The agent that took the word may have died before the runner had it.
		"WordComesAgain": func(t *testing.T, f *fixture) {
			n := f.suite(t, callees("a"))
			child := f.child(t, f.settle(t).Begin[0])
			f.begun(t)
			f.report(t, execution.Report{Attempt: child.AttemptID, Status: execution.Passed})
			f.settle(t)
			for range 2 {
				list := f.take(t)
				if len(list) != 1 || list[0].Kind != cluster.Resume {
					t.Fatalf("commands %+v", list)
				}
				if _, err := f.AckCommand(f.agent(t, f.cluster), list[0].ID, cluster.Done, ""); err != nil {
					t.Fatal(err)
				}
				if _, err := f.Reconcile(f.agent(t, f.cluster), []execution.AttemptID{n.AttemptID}, time.Minute); err != nil {
					t.Fatal(err)
				}
			}
		},
		"NoPersonResumesIt": func(t *testing.T, f *fixture) {
			n := f.suite(t, callees("a"))
			if steps, _, err := f.ResumeExecution(f.as(t), n.Execution.ID, execution.Resume{}); err == nil {
				t.Errorf("%d steps were resumed by a person", steps)
			}
		},
	}
}
