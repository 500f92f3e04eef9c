package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// failing makes executions with failures of two causes, and what is no failure.
func (f *fixture) failing(t *testing.T) (first execution.ID) {
	t.Helper()
	for _, r := range []execution.TestResult{
		{Key: "a", Name: "pays", Outcome: "failed", Fingerprint: "fp1:1", Message: "old"},
		{Key: "a", Name: "pays", Outcome: "errored", Fingerprint: "fp1:1", Message: "older"},
		{Key: "b", Name: "adds", Outcome: "timed_out", Fingerprint: "fp1:1", Message: "newest"},
		{Key: "b", Name: "adds", Outcome: "failed", Fingerprint: "fp1:2", Message: "other"},
		{Key: "c", Name: "exit code", Outcome: "errored"},
		{Key: "a", Name: "pays", Outcome: "passed"},
	} {
		id := f.reported(t, r, nil)
		if first == (execution.ID{}) {
			first = id
		}
	}
	return first
}

// long is before everything: ids tell the real time.
func long() time.Time { return time.Now().Add(-time.Hour) }

func failures() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Clusters": func(t *testing.T, f *fixture) {
			if id, err := f.LastFailure(f.as(t), long()); err != nil || id != uuid.Nil {
				t.Errorf("before anything failed: %s, %v", id, err)
			}
			f.failing(t)
			first, err := f.LastFailure(f.as(t), long())
			if err != nil || first == uuid.Nil {
				t.Errorf("the last failure: %s, %v", first, err)
			}
			f.reported(t, execution.TestResult{Key: "d", Name: "passes", Outcome: "passed"}, nil)
			if id, err := f.LastFailure(f.as(t), long()); err != nil || id != first {
				t.Errorf("the last failure is %s, not %s, %v: what passed is none", id, first, err)
			}
			if id, err := f.LastFailure(foreigner(t), long()); err != nil || id != uuid.Nil {
				t.Errorf("a stranger: %s, %v", id, err)
			}
			got, err := f.FailureClusters(f.as(t), "", "", long(), 10)
			if err != nil || len(got.List) != 2 || got.Total != 2 || got.Failures != 4 || got.Unclustered != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			c := got.List[0]
			if c.Fingerprint != "fp1:1" || c.Message != "newest" || c.Failures != 3 || c.Tests != 2 || c.Executions != 3 || c.Workflows != 1 || c.Environments != 1 {
				t.Errorf("cluster %+v", c)
			}
			if c.First.IsZero() || c.Last.Before(c.First) {
				t.Errorf("seen from %s to %s", c.First, c.Last)
			}
			if got, err := f.FailureClusters(f.as(t), "", "", long(), 1); err != nil || len(got.List) != 1 || got.Total != 2 {
				t.Errorf("the worst alone: %+v, %v", got, err)
			}
			if got, err := f.FailureClusters(f.as(t), "smoke", "staging", long(), 10); err != nil || len(got.List) != 2 {
				t.Errorf("of its workflow and environment: %+v, %v", got, err)
			}
			for name, ask := range map[string][2]string{"Workflow": {"load", ""}, "Environment": {"", "moon"}} {
				if got, err := f.FailureClusters(f.as(t), ask[0], ask[1], long(), 10); err != nil || len(got.List) != 0 || got.Failures != 0 || got.Unclustered != 0 {
					t.Errorf("of another %s: %+v, %v", name, got, err)
				}
			}
			if got, err := f.FailureClusters(f.as(t), "", "", time.Now().Add(time.Hour), 10); err != nil || len(got.List) != 0 {
				t.Errorf("since then: %+v, %v", got, err)
			}
			if got, err := f.FailureClusters(foreigner(t), "", "", long(), 10); err != nil || len(got.List) != 0 || got.Total != 0 || got.Unclustered != 0 {
				t.Errorf("a stranger is told %+v, %v", got, err)
			}
		},
		"Many": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			list := make([]execution.TestResult, insight.MaxCounted+10)
			for i := range list {
				list[i] = execution.TestResult{Key: fmt.Sprint("k", i%7), Name: "pays", Outcome: "failed", Fingerprint: "fp1:1", Message: "refused"}
			}
			list[0].Fingerprint = "fp1:first" // before all others
			file := execution.File{ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "junit.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
			if _, err := f.SaveFile(f.agent(t, f.cluster), file, list); err != nil {
				t.Fatal(err)
			}
			got, err := f.FailureClusters(f.as(t), "", "", long(), 10)
			if err != nil || got.Failures != insight.MaxCounted || got.Total != 1 || got.Since.IsZero() || got.List[0].Tests != 7 || got.List[0].Executions != 1 {
				t.Errorf("%+v, %v: want the last ones counted, and it said so", got, err)
			}
			one, err := f.FailureCluster(f.as(t), "fp1:1", long())
			if err != nil || one.Failures != insight.MaxCounted || one.Since.IsZero() || len(one.Alike) != 7 || len(one.Seen) != 1 || one.Message != "refused" {
				t.Errorf("%+v, %v", one, err)
			}
			if got, err := f.FailureCluster(f.as(t), "fp1:first", long()); err != nil || got.Failures != 1 || !got.Since.IsZero() {
				t.Errorf("what happened once: %+v, %v", got, err)
			}
		},
		"Cluster": func(t *testing.T, f *fixture) {
			first := f.failing(t)
			got, err := f.FailureCluster(f.as(t), "fp1:1", long())
			if err != nil || got.Failures != 3 || len(got.Alike) != 2 || len(got.Seen) != 3 {
				t.Fatalf("%+v, %v", got, err)
			}
			if one := got.Alike[0]; one.Key != "a" || one.Name != "cart › pays" || one.Workflow != "smoke" || one.Failures != 2 || one.Last.IsZero() {
				t.Errorf("test %+v", one)
			}
			if oldest := got.Seen[2]; oldest.ID != first || oldest.Workflow != "smoke" || oldest.Environment != "staging" || oldest.Failures != 1 || oldest.At.IsZero() {
				t.Errorf("execution %+v", oldest)
			}
			if !slices.Equal(got.InFlows, []string{"smoke"}) || !slices.Equal(got.InPlaces, []string{"staging"}) || !slices.Equal(got.Variations, []string{"newest", "older", "old"}) {
				t.Errorf("in %v, %v with %v", got.InFlows, got.InPlaces, got.Variations)
			}
			for _, fingerprint := range []string{"none", ""} {
				if _, err := f.FailureCluster(f.as(t), fingerprint, long()); !fault.Is(err, fault.NotFound) {
					t.Errorf("%q: %v", fingerprint, err)
				}
			}
			if _, err := f.FailureCluster(foreigner(t), "fp1:1", long()); !fault.Is(err, fault.NotFound) {
				t.Errorf("a stranger: %v", err)
			}
		},
		"Alike": func(t *testing.T, f *fixture) {
			f.failing(t)
			got, err := f.Alike(f.as(t), []string{"fp1:1", "fp1:2", "none", ""}, long())
			if err != nil || len(got) != 2 || got["fp1:1"] != 2 || got["fp1:2"] != 1 {
				t.Errorf("%v, %v", got, err)
			}
			if got, err := f.Alike(foreigner(t), []string{"fp1:1"}, long()); err != nil || len(got) != 0 {
				t.Errorf("a stranger: %v, %v", got, err)
			}
		},
	}
}

func covering() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"LastRuns": func(t *testing.T, f *fixture) {
			green := f.assigned(t)
			f.report(t, execution.Report{Attempt: green.AttemptID, Status: execution.Passed, FinishedAt: f.now})
			f.now = f.now.Add(time.Minute)
			red := f.assigned(t)
			f.report(t, execution.Report{Attempt: red.AttemptID, Status: execution.Failed, FinishedAt: f.now})
			f.queued(t) // has not ended
			got, err := f.LastRuns(f.as(t), long())
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			l := got[0]
			if l.Cell != (coverage.Cell{Workflow: "smoke", Environment: "staging"}) || l.Execution != red.Execution.ID || l.Status != execution.Failed ||
				!l.GreenAt.Before(l.At) || l.GreenAt.IsZero() {
				t.Errorf("last %+v", l)
			}
			if got, err := f.LastRuns(f.as(t), time.Now().Add(time.Hour)); err != nil || len(got) != 0 {
				t.Errorf("since then: %+v, %v", got, err)
			}
			if got, err := f.LastRuns(foreigner(t), long()); err != nil || len(got) != 0 {
				t.Errorf("a stranger: %+v, %v", got, err)
			}
		},
		"NeverGreen": func(t *testing.T, f *fixture) {
			red := f.assigned(t)
			f.report(t, execution.Report{Attempt: red.AttemptID, Status: execution.Errored, FinishedAt: f.now})
			if got, err := f.LastRuns(f.as(t), long()); err != nil || len(got) != 1 || !got[0].GreenAt.IsZero() || got[0].Status != execution.Errored {
				t.Errorf("%+v, %v", got, err)
			}
		},
		"Flows": func(t *testing.T, f *fixture) {
			for i := range 250 { // more than a page
				name := "w" + string(rune('a'+i/26)) + string(rune('a'+i%26))
				if _, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: name, Digest: name, Source: "source " + name}, ""); err != nil {
					t.Fatal(err)
				}
			}
			got, err := f.Flows(f.as(t), 1000)
			if err != nil || len(got) != 251 || got[0].Name != "smoke" || got[0].Labels["suite"] != "smoke" || got[250].Source != "source "+got[250].Name {
				t.Errorf("%d workflows, %v", len(got), err)
			}
			if got, err := f.Flows(f.as(t), 210); err != nil || len(got) != 210 {
				t.Errorf("%d workflows, %v", len(got), err)
			}
			if got, err := f.Flows(foreigner(t), 10); err != nil || len(got) != 0 {
				t.Errorf("a stranger: %+v, %v", got, err)
			}
		},
	}
}
