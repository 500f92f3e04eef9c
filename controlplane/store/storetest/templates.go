package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// template stores a template that uses others.
func (f *fixture) template(t *testing.T, name, digest string, uses ...string) workflow.Record {
	t.Helper()
	users, err := f.TemplateUsers(f.as(t), name)
	if err != nil {
		t.Fatal(err)
	}
	rec, _, _, err := f.ApplyTemplate(f.as(t), workflow.Record{
		Name: name, Digest: digest, Source: "source " + digest, Uses: uses, Labels: map[string]string{"tier": "ui"}, Description: "about " + name,
	}, refs(users), "")
	if err != nil {
		t.Fatalf("apply template %s: %v", name, err)
	}
	return rec
}

// flow stores a workflow that uses templates.
func (f *fixture) flow(t *testing.T, name, digest string, uses ...string) workflow.Record {
	t.Helper()
	rec, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: name, Digest: digest, Source: digest, Uses: uses}, "")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func refs(records []workflow.Record) []workflow.Ref {
	out := make([]workflow.Ref, len(records))
	for i, r := range records {
		out[i] = r.Ref()
	}
	return out
}

func users(t *testing.T, f *fixture, name string) string {
	t.Helper()
	list, err := f.TemplateUsers(f.as(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(refs(list))
}

func templates() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"RevisionPerDigest": func(t *testing.T, f *fixture) {
			first := f.template(t, "base", "t1")
			if first.Revision != 1 || first.Kind != document.TemplateKind || first.Team != "default" {
				t.Errorf("first %+v", first)
			}
			if same := f.template(t, "base", "t1"); same.Revision != 1 || same.RevisionID != first.RevisionID {
				t.Errorf("same digest %+v", same)
			}
			if second := f.template(t, "base", "t2"); second.Revision != 2 || second.ID != first.ID || second.RevisionID == first.RevisionID {
				t.Errorf("new digest %+v", second)
			}
			got, err := f.Template(f.as(t), "base")
			if err != nil || got.Source != "source t2" || got.Description != "about base" || got.Labels["tier"] != "ui" {
				t.Errorf("read %+v, %v", got, err)
			}
			if _, err := f.Template(f.as(t), "none"); !fault.Is(err, fault.NotFound) {
				t.Errorf("absent: %v", err)
			}
			if _, err := f.Template(foreigner(t), "base"); !fault.Is(err, fault.NotFound) {
				t.Errorf("foreign: %v", err)
			}
		},
		"PagesByName": func(t *testing.T, f *fixture) {
			for _, name := range []string{"c", "a", "b"} {
				f.template(t, name, name)
			}
			list, next, err := f.Templates(f.as(t), 2, "")
			if err != nil || len(list) != 2 || list[0].Name != "a" || list[0].Source != "" || next == "" {
				t.Fatalf("first page %+v, %q, %v", list, next, err)
			}
			if list, next, err = f.Templates(f.as(t), 2, next); err != nil || len(list) != 1 || list[0].Name != "c" || next != "" {
				t.Errorf("last page %+v, %q, %v", list, next, err)
			}
			found, err := f.TemplatesNamed(f.as(t), []string{"b", "none", "a"})
			if err != nil || len(found) != 2 || found[0].Source != "source a" {
				t.Errorf("named %+v, %v", found, err)
			}
		},
		"Users": func(t *testing.T, f *fixture) {
			f.template(t, "inner", "i1")
			f.template(t, "outer", "o1", "inner")
			f.flow(t, "direct", "d1", "inner")
			f.flow(t, "through", "t1", "outer", "inner")
			if got := users(t, f, "inner"); got != "[{TestWorkflow direct 1} {TestWorkflow through 1} {TestWorkflowTemplate outer 1}]" {
				t.Errorf("users %s", got)
			}
			f.flow(t, "direct", "d2")
			if got := users(t, f, "inner"); got != "[{TestWorkflow through 1} {TestWorkflowTemplate outer 1}]" {
				t.Errorf("users after one uses it no more: %s", got)
			}
			if w, err := f.Workflow(f.as(t), "through"); err != nil || !slices.Equal(w.Uses, []string{"inner", "outer"}) {
				t.Errorf("it uses %v, %v", w.Uses, err)
			}
		},
		"ChangedMeanwhile": func(t *testing.T, f *fixture) {
			base := f.template(t, "base", "b1")
			f.template(t, "base", "b2")
			_, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: "w", Digest: "w1", Uses: []string{"base"}, Checked: []workflow.Ref{base.Ref()}}, "")
			if !fault.Is(err, fault.Conflict) {
				t.Errorf("a workflow checked with an older template: %v", err)
			}
			if _, err := f.Workflow(f.as(t), "w"); !fault.Is(err, fault.NotFound) {
				t.Errorf("it was stored: %v", err)
			}
			f.flow(t, "w", "w1", "base")
			if _, _, _, err := f.ApplyTemplate(f.as(t), workflow.Record{Name: "base", Digest: "b3"}, nil, ""); !fault.Is(err, fault.Conflict) {
				t.Errorf("a template checked without one of its users: %v", err)
			}
		},
		"KeptWithTheExecution": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Execution.Templates = []execution.Template{{Name: "base", Revision: 2, Digest: "b2"}}
			if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
				t.Fatal(err)
			}
			if e := f.execution(t, n.Execution.ID); !slices.Equal(e.Templates, n.Execution.Templates) {
				t.Errorf("templates %+v", e.Templates)
			}
		},
		// A template and what uses it are applied at the same time, each checked with the other as it was before: one of them is
		// told to look again.
		"AgainstItsUser": func(t *testing.T, f *fixture) {
			base := f.template(t, "base", "b1")
			var wait sync.WaitGroup
			var mu sync.Mutex
			conflicts := 0
			note := func(err error) {
				mu.Lock()
				defer mu.Unlock()
				if fault.Is(err, fault.Conflict) {
					conflicts++
				} else if err != nil {
					t.Errorf("apply: %v", err)
				}
			}
			wait.Go(func() {
				_, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: "w", Digest: "w1", Uses: []string{"base"}, Checked: []workflow.Ref{base.Ref()}}, "")
				note(err)
			})
			wait.Go(func() {
				_, _, _, err := f.ApplyTemplate(f.as(t), workflow.Record{Name: "base", Digest: "b2"}, nil, "")
				note(err)
			})
			wait.Wait()
			if conflicts != 1 {
				t.Errorf("%d of both were told to look again, want one", conflicts)
			}
		},
	}
}
