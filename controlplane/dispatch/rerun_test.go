package dispatch_test

import (
	"context"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

func (m *memory) ReleaseOf(_ context.Context, id execution.ID) (application, version string, err error) {
	for _, n := range m.created {
		if n.Execution.ID == id {
			return n.Application, n.Version, nil
		}
	}
	return "", "", nil
}

// ended has an execution of the workflow "many" end, with some runs that did not pass.
func ended(t *testing.T, b bundle, bad map[int]execution.Status) execution.ID {
	t.Helper()
	e, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{
		Workflow: "many", Params: map[string]string{"parts": "2"}, Commit: "c0ffee", Application: "shop", Version: "1.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Status = execution.Passed
	for i := range e.Runs {
		e.Runs[i].Status = execution.Passed
		if s, ok := bad[i]; ok {
			e.Runs[i].Status, e.Status = s, execution.Failed
		}
	}
	b.store.created[0].Execution = e
	return e.ID
}

func TestDispatcher_Rerun(t *testing.T) {
	t.Parallel()
	some := map[int]execution.Status{2: execution.Failed, 11: execution.Cancelled}
	for name, tc := range map[string]struct {
		failed bool
		want   []string // names of the runs; nil for all
		reason string
	}{
		"Failed": {true, []string{"staging, browser=chromium, locale=en, shard 1/2", "canary, browser=chromium, locale=de, shard 2/2"}, "what did not pass, in whichever environment, and nothing beside"},
		"All":    {false, nil, "the same runs as before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupMany(t)
			old := ended(t, b, some)
			e, existed, err := b.Rerun(as(t, tenant.ScopeRun), old, execution.Again{Failed: tc.failed, IdempotencyKey: "again", Trigger: "web"})
			if err != nil || existed || e.ID == old {
				t.Fatalf("%v, existed %t: %v", e.ID, existed, err)
			}
			n := b.store.created[1]
			if tc.want == nil {
				for _, r := range b.store.created[0].Runs {
					tc.want = append(tc.want, r.Name)
				}
			}
			var got []string
			for _, r := range n.Runs {
				got = append(got, r.Name)
			}
			if strings.Join(got, "; ") != strings.Join(tc.want, "; ") {
				t.Errorf("runs %q, want %q: %s", got, tc.want, tc.reason)
			}
			if n.Application != "shop" || n.Version != "1.0" || n.Execution.Commit != "c0ffee" || n.Execution.Params["parts"] != "2" || n.Execution.Trigger != "web" {
				t.Errorf("it is for %s %s at %s with %v by %s", n.Application, n.Version, n.Execution.Commit, n.Execution.Params, n.Execution.Trigger)
			}
			if twice, existed, err := b.Rerun(as(t, tenant.ScopeRun), old, execution.Again{Failed: tc.failed, IdempotencyKey: "again"}); err != nil || !existed || twice.ID != e.ID {
				t.Errorf("the same key started another: %v, %t, %v", twice.ID, existed, err)
			}
		})
	}
}

func TestDispatcher_Rerun_Faults(t *testing.T) {
	t.Parallel()
	failed := map[int]execution.Status{0: execution.Failed}
	for name, tc := range map[string]struct {
		scope  tenant.Scope
		bad    map[int]execution.Status
		spoil  func(b bundle, e *execution.Execution)
		kind   fault.Kind
		reason string
	}{
		"MayNot":   {tenant.ScopeRead, failed, nil, fault.Forbidden, "reading is not running"},
		"Live":     {tenant.ScopeRun, failed, func(_ bundle, e *execution.Execution) { e.Status = execution.Running }, fault.Conflict, "its runs may still pass"},
		"AllGreen": {tenant.ScopeRun, nil, nil, fault.Conflict, "nothing has failed"},
		"Changed": {tenant.ScopeRun, failed, func(b bundle, _ *execution.Execution) {
			b.store.workflows["many"] = workflow.Record{Name: "many", Source: strings.ReplaceAll(many, "firefox", "webkit")}
		}, fault.Invalid, "there is no such run any more, and another one would prove nothing about it"},
		"Gone": {tenant.ScopeRun, failed, func(b bundle, _ *execution.Execution) { delete(b.store.workflows, "many") }, fault.NotFound, "the workflow was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupMany(t)
			old := ended(t, b, tc.bad)
			if tc.spoil != nil {
				tc.spoil(b, &b.store.created[0].Execution)
			}
			if _, _, err := b.Rerun(as(t, tc.scope), old, execution.Again{Failed: true}); !fault.Is(err, tc.kind) || len(b.store.created) != 1 {
				t.Errorf("err = %v with %d executions, want %s and one: %s", err, len(b.store.created), tc.kind, tc.reason)
			}
		})
	}
	b := setupMany(t)
	if _, _, err := b.Rerun(as(t, tenant.ScopeRun), id(0x99), execution.Again{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an execution that is none: %v", err)
	}
}
