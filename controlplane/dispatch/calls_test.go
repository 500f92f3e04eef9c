package dispatch_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestDispatcher_Calls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	of := execution.CallStep{Organization: id(0xa), Attempt: id(0x51), Step: 2}
	parent := execution.Parent{Execution: id(0x50), Workflow: "suite", Step: "others", Above: []execution.Above{{Execution: id(0x50), Workflow: "suite"}}}
	begin := func(call byte, workflow string, params map[string]string) execution.Beginning {
		return execution.Beginning{Call: id(call), Workflow: workflow, Params: params, Environment: "staging", Actor: "ada", Parent: parent}
	}
	b.store.open[of] = execution.Settled{Begin: []execution.Beginning{
		begin(0x61, "shop", map[string]string{"users": "7"}), begin(0x62, "absent", nil), begin(0x63, "shop", map[string]string{"users": "many"}),
		begin(0x64, "suite", nil),
	}}
	if err := b.Calls(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.store.created) != 1 {
		t.Fatalf("%d executions were started, want one", len(b.store.created))
	}
	n := b.store.created[0]
	if e := n.Execution; e.Trigger != "workflow" || e.Actor != "ada" || e.Params["users"] != "7" || e.Parent == nil || e.Parent.Step != "others" ||
		n.Runs[0].Environment.Name != "staging" || !strings.Contains(n.Idempotency, id(0x61).String()) {
		t.Errorf("started %+v with key %q", e, n.Idempotency)
	}
	for call, says := range map[byte]string{0x62: `absent: there is no workflow "absent"`, 0x63: "users", 0x64: "executes itself"} {
		if got := b.store.failed[id(call)]; !strings.Contains(got, says) {
			t.Errorf("call %x failed with %q, want %q", call, got, says)
		}
	}
	if len(b.store.failed) != 3 {
		t.Errorf("failed: %v", b.store.failed)
	}
	if hints := strings.Join(*b.bus, " "); !strings.Contains(hints, parent.Execution.String()) {
		t.Errorf("who watches the suite is not told: %s", hints)
	}
}

// TestDispatcher_Calls_Trouble holds that what may pass is tried again, and ends no step.
func TestDispatcher_Calls_Trouble(t *testing.T) {
	t.Parallel()
	b := setup(t)
	of := execution.CallStep{Organization: id(0xa), Attempt: id(0x51)}
	b.store.open[of] = execution.Settled{Begin: []execution.Beginning{{Call: id(0x61), Workflow: "shop", Environment: "staging"}}}
	b.store.full = fault.New(fault.Unavailable, "the disk is full")
	if err := b.Calls(t.Context()); !fault.Is(err, fault.Unavailable) || len(b.store.failed) != 0 {
		t.Errorf("%v, and the calls failed with %v", err, b.store.failed)
	}
}

func TestDispatcher_Calls_Cancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	child := e.ID
	of := execution.CallStep{Organization: id(0xa), Attempt: id(0x51)}
	for range 2 { // once more when it has ended already
		b.store.open[of] = execution.Settled{Cancel: []execution.ID{child}}
		if err := b.Calls(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if why := b.store.cancelled[child]; !strings.Contains(why, "the step that had started it has ended") {
		t.Errorf("cancelled with %q", why)
	}
}
