package storetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
)

func chunk(n accepted, start int64, text string, firstLine int64, lines int) execution.Chunk {
	return execution.Chunk{
		Attempt: n.AttemptID, Stream: execution.Stream(1), Start: start, RawLen: len(text), Lines: lines, FirstLine: firstLine,
		Data: []byte(text), CRC: 7, FirstTime: time.Unix(1, 0), LastTime: time.Unix(2, 0),
	}
}

func (f *fixture) add(t *testing.T, chunks ...execution.Chunk) []execution.StreamState {
	t.Helper()
	states, err := f.AppendChunks(f.agent(t, f.cluster), chunks)
	if err != nil || len(states) != len(chunks) {
		t.Fatalf("%d answers for %d chunks, %v", len(states), len(chunks), err)
	}
	return states
}

func logs() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"AppendsInOrder": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			states := f.add(t, chunk(n, 0, "one\n", 0, 1), chunk(n, 4, "two\n", 1, 1))
			if states[1].Committed != 8 {
				t.Errorf("committed %+v", states)
			}
			list, state, err := f.Chunks(f.as(t), n.AttemptID, execution.Stream(1), 0, 1<<20)
			if err != nil || len(list) != 2 || string(list[0].Data)+string(list[1].Data) != "one\ntwo\n" || state.Committed != 8 || state.Final {
				t.Errorf("chunks %+v, state %+v, %v", list, state, err)
			}
		},
		"DuplicateIsAnsweredNotStored": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.add(t, chunk(n, 0, "one\n", 0, 1))
			if s := f.add(t, chunk(n, 0, "one\n", 0, 1)); s[0].Committed != 4 {
				t.Errorf("answer %+v, want 4", s)
			}
			if list, _, err := f.Chunks(f.as(t), n.AttemptID, execution.Stream(1), 0, 1<<20); err != nil || len(list) != 1 {
				t.Errorf("%d chunks stored, %v", len(list), err)
			}
		},
		"HoleIsRefused": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.add(t, chunk(n, 0, "one\n", 0, 1))
			if s := f.add(t, chunk(n, 10, "late", 2, 0)); s[0].Committed != 4 {
				t.Errorf("answer %+v: the sender must go back to 4", s)
			}
			if states, err := f.Streams(f.agent(t, f.cluster), n.AttemptID); err != nil || len(states) != 1 || states[0].Committed != 4 {
				t.Errorf("streams %+v, %v", states, err)
			}
		},
		"GapAndTotals": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			gap := chunk(n, 4, "", 1, 0)
			gap.Data, gap.Gap = nil, 100
			end := chunk(n, 104, "", 1, 0)
			end.Data, end.Final = nil, &execution.Totals{Bytes: 104, Lines: 1, GapBytes: 100, CRC: 9}
			f.add(t, chunk(n, 0, "one\n", 0, 1), gap, end)
			if s := f.add(t, end); !s[0].Final || s[0].Committed != 104 {
				t.Errorf("a second final: %+v", s)
			}
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running})
			log := attemptOf(t, f.execution(t, n.Execution.ID)).Steps[1].Log
			if log.Bytes != 104 || log.GapBytes != 100 || log.Lines != 1 || !log.Complete {
				t.Errorf("log %+v", log)
			}
		},
		"FinalBeforeTheEndIsIncomplete": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			end := chunk(n, 4, "", 1, 0)
			end.Data, end.Final = nil, &execution.Totals{Bytes: 50, Lines: 5}
			f.add(t, chunk(n, 0, "one\n", 0, 1), end)
			if log := attemptOf(t, f.execution(t, n.Execution.ID)).Steps[1].Log; log.Complete {
				t.Errorf("4 of 50 bytes count as complete: %+v", log)
			}
		},
		"WindowsByOffsetAndLine": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.add(t, chunk(n, 0, "0\n1\n", 0, 2), chunk(n, 4, "2\n3\n", 2, 2), chunk(n, 8, "4\n5\n", 4, 2))
			list, _, err := f.Chunks(f.as(t), n.AttemptID, execution.Stream(1), 5, 1)
			if err != nil || len(list) != 1 || list[0].Start != 4 {
				t.Errorf("from offset 5, one chunk at least: %+v, %v", list, err)
			}
			for line, want := range map[int64]int64{0: 0, 1: 0, 2: 0, 3: 4, 5: 8, 99: 8} {
				if offset, _, err := f.SeekLine(f.as(t), n.AttemptID, execution.Stream(1), line); err != nil || offset != want {
					t.Errorf("line %d: offset %d, %v; want %d", line, offset, err, want)
				}
			}
		},
		"NoLogYet": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			if list, state, err := f.Chunks(f.as(t), n.AttemptID, execution.Stream(0), 0, 1); err != nil || len(list) != 0 || state.Final {
				t.Errorf("%+v %+v, %v", list, state, err)
			}
		},
	}
}

func files() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		// Of the files of a workflow's tests it is known how long they usually take, whatever tools call them.
		"Durations": func(t *testing.T, f *fixture) {
			second := time.Second
			for i, took := range []time.Duration{3 * second, 9 * second, 5 * second} {
				n := f.assigned(t)
				report := execution.File{ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "r.xml", SHA256: fmt.Sprint(i), Format: "junit", Grade: "consistent", Blob: "b"}
				if _, err := f.SaveFile(f.agent(t, f.cluster), report, []execution.TestResult{
					{File: "/workspace/e2e/a.spec.ts", Name: "one", Outcome: "passed", Duration: took},
					{File: "/workspace/e2e/a.spec.ts", Name: "two", Outcome: "failed", Duration: second},
					{File: `e2e\b.spec.ts`, Name: "three", Outcome: "passed", Duration: 2 * second},
					{File: "c.spec.ts", Name: "four", Outcome: "skipped", Duration: second},
					{Name: "five", Outcome: "passed", Duration: second},
				}); err != nil {
					t.Fatal(err)
				}
				f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Failed, Delivered: true})
			}
			running := f.assigned(t)
			report := execution.File{ID: uuid.New(), Attempt: running.AttemptID, Step: 1, Kind: execution.FileReport, Path: "r.xml", SHA256: "r", Format: "junit", Grade: "consistent", Blob: "b"}
			if _, err := f.SaveFile(f.agent(t, f.cluster), report, []execution.TestResult{{File: "d.spec.ts", Name: "six", Outcome: "passed", Duration: second}}); err != nil {
				t.Fatal(err)
			}
			want := map[string]time.Duration{"e2e/a.spec.ts": 6 * second, "e2e/b.spec.ts": 2 * second}
			if got, err := f.TestDurations(f.as(t), "smoke"); err != nil || !maps.Equal(got, want) {
				t.Errorf("they take %v, %v; want %v", got, err, want)
			}
			if got, err := f.TestDurations(f.as(t), "another"); err != nil || len(got) != 0 {
				t.Errorf("of another workflow: %v, %v", got, err)
			}
			if got, err := f.TestDurations(foreigner(t), "smoke"); err != nil || len(got) != 0 {
				t.Errorf("a stranger is told %v, %v", got, err)
			}
		},
		"ReportWithResults": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			report := execution.File{
				ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "results/junit.xml", Size: 10, SHA256: "aa",
				ContentType: "application/xml", Format: "junit", Grade: "consistent", Blob: "org/x",
			}
			results := []execution.TestResult{
				{Suite: "cart", Name: "adds", Outcome: "passed", Duration: time.Second},
				{
					Suite: "cart", Name: "removes", Outcome: "failed", Message: "expected 1", Detail: "at line 3", File: "cart_test.py",
					Key: "cabb5cb8e533d67d51bddc901d2a79ed", Variant: "chromium", Fingerprint: "fp1:649b72b52e25e7c0",
					Earlier: []string{"passed", "failed"}, Flags: execution.Synthetic | execution.DuplicateName,
				},
				{Suite: "cart", Name: "waits", Outcome: "skipped"},
				{Suite: "cart", Name: "breaks", Outcome: "errored"},
				{Suite: "cart", Name: "hangs", Outcome: "timed_out"},
				{Suite: "cart", Name: "stands behind", Outcome: "blocked"},
				{Suite: "cart", Name: "loses its node", Outcome: "infra_error"},
				{Suite: "cart", Name: "was stopped", Outcome: "cancelled"},
			}
			for i, want := range []bool{false, true} {
				if existed, err := f.SaveFile(f.agent(t, f.cluster), report, results); err != nil || existed != want {
					t.Fatalf("save %d: existed %t, %v", i, existed, err)
				}
			}
			e := f.execution(t, n.Execution.ID)
			if e.Tests != (execution.Counts{Total: 8, Passed: 1, Failed: 2, Errored: 1, Skipped: 4}) {
				t.Errorf("counts %+v: a report delivered twice counts once", e.Tests)
			}
			f.worstFirst(t, n)
			list, err := f.Files(f.as(t), n.Execution.ID)
			if err != nil || len(list) != 1 || list[0].Grade != "consistent" || list[0].Environment != "staging" {
				t.Fatalf("files %+v, %v", list, err)
			}
			if one, err := f.File(f.as(t), list[0].ID); err != nil || one.Blob != "org/x" || one.Path != "results/junit.xml" {
				t.Errorf("file %+v, %v", one, err)
			}
		},
	}
}

// worstFirst reads the results page by page.
func (f *fixture) worstFirst(t *testing.T, n accepted) {
	t.Helper()
	var names []string
	for after := ""; ; {
		list, next, err := f.Results(f.as(t), n.Execution.ID, nil, 3, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			names = append(names, r.Name)
		}
		if after = next; next == "" {
			break
		}
	}
	order := []string{"removes", "breaks", "hangs", "stands behind", "loses its node", "was stopped", "waits", "adds"}
	if !slices.Equal(names, order) {
		t.Errorf("order %v: want the bad ones, then those that should have run, then skipped, then passed, each as the report lists them", names)
	}
	for _, o := range results.Outcomes() {
		list, _, err := f.Results(f.as(t), n.Execution.ID, []string{string(o)}, 10, "")
		if err != nil || len(list) != 1 || list[0].Outcome != string(o) {
			t.Errorf("%s only: %+v, %v", o, list, err)
		}
	}
	only, _, err := f.Results(f.as(t), n.Execution.ID, []string{"failed"}, 10, "")
	if err != nil || len(only) != 1 {
		t.Fatalf("failed only: %+v, %v", only, err)
	}
	want := execution.TestResult{
		ID: only[0].ID, Attempt: n.AttemptID, Environment: "staging", Step: 1, Suite: "cart", Name: "removes", File: "cart_test.py",
		Key: "cabb5cb8e533d67d51bddc901d2a79ed", Variant: "chromium", Fingerprint: "fp1:649b72b52e25e7c0", Earlier: []string{"passed", "failed"},
		Flags: execution.Synthetic | execution.DuplicateName, Outcome: "failed", Message: "expected 1", Detail: "at line 3",
	}
	if diff := cmp.Diff(want, only[0]); diff != "" {
		t.Errorf("everything of a result is kept (-want +got):\n%s", diff)
	}
}

func tenancy() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"ForeignOrganization": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			f.add(t, chunk(n, 0, "secret\n", 0, 1))
			file := execution.File{ID: uuid.New(), Attempt: n.AttemptID, Kind: execution.FileArtifact, Path: "a", SHA256: "bb", Blob: "b"}
			if _, err := f.SaveFile(f.agent(t, f.cluster), file, nil); err != nil {
				t.Fatal(err)
			}
			stored, err := f.Files(f.as(t), n.Execution.ID)
			if err != nil {
				t.Fatal(err)
			}
			ctx := foreigner(t)
			for name, call := range map[string]func() error{
				"Workflow":    func() error { _, err := f.Workflow(ctx, "smoke"); return err },
				"Environment": func() error { _, err := f.Environment(ctx, "staging"); return err },
				"Execution":   func() error { _, err := f.Execution(ctx, n.Execution.ID); return err },
				"Cancel":      func() error { _, err := f.CancelExecution(ctx, n.Execution.ID, ""); return err },
				"Resume": func() error {
					_, _, err := f.ResumeExecution(ctx, n.Execution.ID, execution.Resume{})
					return err
				},
				"Attempt":  func() error { _, _, err := f.Attempt(ctx, n.AttemptID); return err },
				"Chunks":   func() error { _, _, err := f.Chunks(ctx, n.AttemptID, execution.Stream(1), 0, 1); return err },
				"SeekLine": func() error { _, _, err := f.SeekLine(ctx, n.AttemptID, execution.Stream(1), 0); return err },
				"Results":  func() error { _, _, err := f.Results(ctx, n.Execution.ID, nil, 1, ""); return err },
				"Files":    func() error { _, err := f.Files(ctx, n.Execution.ID); return err },
				"File":     func() error { _, err := f.File(ctx, stored[0].ID); return err },
				"Create": func() error {
					_, _, err := f.CreateExecution(ctx, f.request(t, ""))
					return err
				},
			} {
				if err := call(); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s gave %v, want not found", name, err)
				}
			}
			if list, _, err := f.Executions(ctx, "", "", 10, ""); err != nil || len(list) != 0 {
				t.Errorf("executions of another organization: %+v, %v", list, err)
			}
			if list, err := f.Clusters(ctx); err != nil || len(list) != 0 {
				t.Errorf("clusters of another organization: %+v, %v", list, err)
			}
		},
		"ForeignAgent": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			other, _ := f.enroll(t, "second", "production")
			ctx := f.agent(t, other) // of the same organization: agents see their own cluster only
			for name, call := range map[string]func() error{
				"Report": func() error {
					_, err := f.SaveReport(ctx, execution.Report{Attempt: n.AttemptID, Status: execution.Passed})
					return err
				},
				"Append":       func() error { _, err := f.AppendChunks(ctx, []execution.Chunk{chunk(n, 0, "x", 0, 0)}); return err },
				"Streams":      func() error { _, err := f.Streams(ctx, n.AttemptID); return err },
				"Assignment":   func() error { _, _, err := f.Assignment(ctx, n.AttemptID); return err },
				"StepWorkflow": func() error { _, err := f.StepWorkflow(ctx, n.AttemptID, 0); return err },
				"SaveFile": func() error {
					_, err := f.SaveFile(ctx, execution.File{ID: uuid.New(), Attempt: n.AttemptID, Kind: execution.FileArtifact, Path: "x", SHA256: "cc"}, nil)
					return err
				},
			} {
				if err := call(); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s gave %v, want not found", name, err)
				}
			}
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Assigned {
				t.Errorf("another cluster's agent made it %s", e.Status)
			}
		},
		"NobodySeesNothing": func(t *testing.T, f *fixture) {
			if _, err := f.Clusters(t.Context()); err == nil {
				t.Error("a context without a viewer listed the clusters")
			}
			if _, err := f.Workflow(t.Context(), "smoke"); err == nil {
				t.Error("a context without a viewer read a workflow")
			}
		},
	}
}
