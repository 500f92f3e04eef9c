package execution_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
)

func call(workflow string, begun bool, status execution.Status, message string) execution.Call {
	c := execution.Call{Workflow: workflow, Status: status, Message: message}
	if begun {
		c.Execution = uuid.New()
	}
	return c
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	passed, failed := call("a", true, execution.Passed, ""), call("b", true, execution.Failed, "2 tests failed")
	for name, tc := range map[string]struct {
		reason string
		calls  []execution.Call
		wait   bool
		status execution.Status
		says   string
	}{
		"Passed":    {"all did", []execution.Call{passed, passed}, true, execution.Passed, "2 executions passed"},
		"One":       {"one did not", []execution.Call{passed, failed}, true, execution.Failed, "1 of 2 executions did not pass: b is failed"},
		"TimedOut":  {"one took too long", []execution.Call{call("b", true, execution.TimedOut, "")}, true, execution.Failed, "b is timed out"},
		"Errored":   {"the infrastructure of a child is no answer of a test", []execution.Call{call("b", true, execution.Errored, "no node")}, true, execution.Errored, "b is errored"},
		"Cancelled": {"it is not known how it would have ended", []execution.Call{passed, call("b", true, execution.Cancelled, "")}, true, execution.Errored, "b is cancelled"},
		"Skipped":   {"nothing was to be tested", []execution.Call{passed, call("b", true, execution.Skipped, "")}, true, execution.Passed, "2 executions passed"},
		"NotBegun":  {"what cannot begin is no answer of a test", []execution.Call{passed, call("c", false, execution.Errored, "there is no workflow c")}, true, execution.Errored, "there is no workflow c"},
		"Worst":     {"a test that failed is the worst, as everywhere", []execution.Call{call("c", false, execution.Errored, "there is no workflow c"), failed, call("d", true, execution.Errored, "")}, true, execution.Failed, "b is failed"},
		"NotWaited": {"nobody waits for how it ends", []execution.Call{failed, call("c", true, execution.Running, "")}, false, execution.Passed, "2 executions started"},
		"Many":      {"a reason is short", slices.Repeat([]execution.Call{failed}, 9), true, execution.Failed, ", and 6 more"},
		"Long":      {"however long the problem is", []execution.Call{call("c", false, execution.Errored, strings.Repeat("x", 5000))}, true, execution.Errored, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, says := execution.Verdict(tc.calls, tc.wait)
			if status != tc.status || !strings.Contains(says, tc.says) || len(says) > 1000 {
				t.Errorf("%s: %s, %q", tc.reason, status, says)
			}
		})
	}
}

func TestNextCalls(t *testing.T) {
	t.Parallel()
	over, runs, waits := call("a", true, execution.Passed, ""), call("b", true, execution.Running, ""), call("c", false, execution.Queued, "")
	cannot := call("d", false, execution.Errored, "absent")
	for name, tc := range map[string]struct {
		reason      string
		calls       []execution.Call
		parallelism int
		want        []int
	}{
		"All":       {"nothing bounds them", []execution.Call{over, runs, waits, waits}, 0, []int{2, 3}},
		"Bounded":   {"one runs already", []execution.Call{runs, waits, waits}, 2, []int{1}},
		"Full":      {"as many as may run", []execution.Call{runs, waits}, 1, nil},
		"Over":      {"what is over makes room", []execution.Call{over, cannot, waits}, 1, []int{2}},
		"Exceeding": {"more run than may", []execution.Call{runs, runs, waits}, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := execution.NextCalls(tc.calls, tc.parallelism, true); !slices.Equal(got, tc.want) {
				t.Errorf("%s: %v, want %v", tc.reason, got, tc.want)
			}
			if got := execution.NextCalls([]execution.Call{runs, waits, waits}, 1, false); !slices.Equal(got, []int{1, 2}) {
				t.Errorf("nobody waits for them: %v", got)
			}
		})
	}
}

func TestParent_Refuse(t *testing.T) {
	t.Parallel()
	above := func(names ...string) execution.Parent {
		var p execution.Parent
		for _, name := range names {
			p.Above = append(p.Above, execution.Above{Workflow: name})
		}
		return p
	}
	for name, tc := range map[string]struct {
		parent execution.Parent
		says   string
	}{
		"Fine":  {above("a", "b"), ""},
		"Cycle": {above("a", "x", "b"), "executes itself by way of a, x, b"},
		"Deep":  {above("a", "b", "c", "d", "e"), "5 executions are above it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.parent.Refuse("x"); tc.says == "" != (got == "") || !strings.Contains(got, tc.says) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestParent_Waiting(t *testing.T) {
	t.Parallel()
	ids := []execution.ID{uuid.New(), uuid.New(), uuid.New()}
	p := execution.Parent{Above: []execution.Above{{Execution: ids[0], Waits: true}, {Execution: ids[1]}, {Execution: ids[2], Waits: true}}}
	if got := p.Waiting(); !slices.Equal(got, ids[2:]) {
		t.Errorf("%v wait, want the last alone: the one above it does not", got)
	}
}
