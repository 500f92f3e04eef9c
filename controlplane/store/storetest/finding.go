package storetest

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// finding holds what the catalog is narrowed by, alone and together, page by page.
func finding() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Filters": findFilters,
		"Pages": func(t *testing.T, f *fixture) {
			for _, name := range []string{"a-1", "a-2", "b-1", "a-3"} {
				f.labelled(t, name, name, map[string]string{"group": name[:1]})
			}
			q, after := workflow.Filter{Labels: map[string]string{"group": "a"}}, ""
			for _, want := range []string{"a-1", "a-2", "a-3"} {
				list, next, err := f.FindWorkflows(f.as(t), q, 1, after)
				if err != nil || len(list) != 1 || list[0].Name != want || (next == "") != (want == "a-3") {
					t.Fatalf("%v then %q, %v; want %s", list, next, err, want)
				}
				after = next
			}
			if _, _, err := f.FindWorkflows(f.as(t), q, 1, "nonsense"); !fault.Is(err, fault.Invalid) {
				t.Errorf("a place that is none: %v", err)
			}
		},
		"Last": func(t *testing.T, f *fixture) {
			old, recent := f.assigned(t), f.assigned(t)
			f.ended(t, old.NewRun, f.cluster, execution.Failed)
			f.ended(t, recent.NewRun, f.cluster, execution.Passed)
			got, err := f.LastExecutions(f.as(t), []string{f.workflow.Name, "none"})
			if err != nil || len(got) != 1 || got[f.workflow.Name].ID != recent.Execution.ID || got[f.workflow.Name].Status != execution.Passed {
				t.Errorf("%+v, %v; want the newest, which has passed", got, err)
			}
			if got, err := f.LastExecutions(foreigner(t), []string{f.workflow.Name}); err != nil || len(got) != 0 {
				t.Errorf("a stranger sees %+v, %v", got, err)
			}
			if got, err := f.LastExecutions(f.as(t), nil); err != nil || len(got) != 0 {
				t.Errorf("of nothing: %+v, %v", got, err)
			}
		},
	}
}

func (f *fixture) labelled(t *testing.T, name, text string, labels map[string]string) {
	t.Helper()
	if _, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: name, Digest: name, Source: name, Description: text, Labels: labels}, ""); err != nil {
		t.Fatal(err)
	}
}

func findFilters(t *testing.T, f *fixture) {
	f.labelled(t, "pay-card", "Money, 100% of it", map[string]string{"app": "shop", "tier": "api"})
	f.labelled(t, "pay-later", "A person waits", map[string]string{"app": "shop"})
	f.labelled(t, "boat", "Sails", nil)
	ran := f.assigned(t)
	f.ended(t, ran.NewRun, f.cluster, execution.Failed)
	for name, tc := range map[string]struct {
		q      workflow.Filter
		want   string
		reason string
	}{
		"Name":      {workflow.Filter{Text: "PAY"}, "pay-card pay-later", "in capitals or not"},
		"Text":      {workflow.Filter{Text: "person"}, "pay-later", "the description counts"},
		"NoPattern": {workflow.Filter{Text: "%"}, "pay-card", "a sign of the database means itself"},
		"Labels":    {workflow.Filter{Labels: map[string]string{"app": "shop", "tier": "api"}}, "pay-card", "all labels"},
		"Team":      {workflow.Filter{Text: "pay", Team: "default"}, "pay-card pay-later", "the owner"},
		"NoTeam":    {workflow.Filter{Team: "none"}, "", "there is no such team"},
		"Never":     {workflow.Filter{Last: workflow.NeverRun}, "boat pay-card pay-later", "one has run"},
		"Failed":    {workflow.Filter{Last: string(execution.Failed)}, f.workflow.Name, "only that one has"},
		"Passed":    {workflow.Filter{Last: string(execution.Passed)}, "", "none has"},
	} {
		list, next, err := f.FindWorkflows(f.as(t), tc.q, 10, "")
		names := make([]string, len(list))
		for i, w := range list {
			names[i] = w.Name
		}
		if got := strings.Join(names, " "); err != nil || got != tc.want || next != "" {
			t.Errorf("%s: %q then %q, %v; want %q: %s", name, got, next, err, tc.want, tc.reason)
		}
	}
	if list, _, err := f.FindWorkflows(foreigner(t), workflow.Filter{}, 10, ""); err != nil || len(list) != 0 {
		t.Errorf("a stranger finds %v, %v", list, err)
	}
}
