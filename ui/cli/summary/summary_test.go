package summary_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/summary"
)

var update = flag.Bool("update", false, "write golden files")

// of is an execution of two runs: one with tests of all outcomes, one that broke without any.
func of() summary.Execution {
	return summary.Execution{
		URL: "https://seatrial.example/o/acme/executions/ex-1",
		Record: &apiv1.Execution{
			Id: "ex-1", Workflow: "checkout", Status: apiv1.Status_STATUS_FAILED, StartedAt: &timestamppb.Timestamp{Seconds: 1772366400},
			Tests: &apiv1.TestCounts{Total: 6, Passed: 2, Failed: 1, Errored: 1, Skipped: 2},
			Runs: []*apiv1.Run{
				{Name: "browser=chromium", Environment: "staging", Status: apiv1.Status_STATUS_FAILED, Attempts: []*apiv1.Attempt{{Id: "a0"}, {Id: "a1"}}},
				{Name: "browser=firefox", Environment: "staging", Status: apiv1.Status_STATUS_ERRORED, Attempts: []*apiv1.Attempt{{Id: "b1", Message: "the image does not exist"}}},
				{Name: "browser=webkit", Environment: "staging", Status: apiv1.Status_STATUS_PASSED, Attempts: []*apiv1.Attempt{{Id: "c1"}}},
			},
		},
		Tests: []*apiv1.TestResult{
			{
				Suite: "cart", Name: "total | @ada <b>", Outcome: "failed", Message: "41 is not 42\x1b[31m", Detail: "at cart.js:3\n```\n</details>", File: "cart.js",
				AttemptId: "a1", Duration: durationpb.New(1500e6),
			},
			{Suite: "cart", Name: "pays", Outcome: "timed_out", Message: "stopped after 30 s", AttemptId: "a1", Duration: durationpb.New(30e9)},
			{Suite: "cart", Name: "ships", Outcome: "blocked", AttemptId: "a1"},
			{Suite: "cart", Name: "voucher", Outcome: "skipped", Message: "not yet", AttemptId: "a1"},
			{Suite: "cart", Name: "empty", Outcome: "passed", AttemptId: "a1", Earlier: []string{"failed"}},
			{Name: "alone", Variant: "webkit", Outcome: "passed", AttemptId: "c1"},
			{Suite: "cart", Name: "lost", Outcome: "failed", AttemptId: "a0", Superseded: true},
		},
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	alone := summary.Execution{Record: &apiv1.Execution{
		Id: "ex-2", Workflow: "smoke", Status: apiv1.Status_STATUS_FAILED, Tests: &apiv1.TestCounts{},
		Runs: []*apiv1.Run{{Environment: "staging", Status: apiv1.Status_STATUS_FAILED, Attempts: []*apiv1.Attempt{{
			Id: "a", Steps: []*apiv1.Step{{Name: "curl", Status: apiv1.Status_STATUS_FAILED, Reason: "exit code 7"}},
		}}}},
	}}
	green := summary.Execution{Record: &apiv1.Execution{Id: "ex-3", Workflow: "smoke", Status: apiv1.Status_STATUS_PASSED, Tests: &apiv1.TestCounts{}}}
	for name, e := range map[string]summary.Execution{"runs": of(), "script": alone, "green": green} {
		for _, f := range []summary.Format{summary.JUnit, summary.Markdown} {
			var out bytes.Buffer
			if err := summary.Write(&out, f, e); err != nil {
				t.Fatal(err)
			}
			golden(t, name+map[summary.Format]string{summary.JUnit: ".xml", summary.Markdown: ".md"}[f], out.Bytes())
		}
	}
	if err := summary.Write(&bytes.Buffer{}, "pdf", green); err == nil {
		t.Error("a format that there is not")
	}
}

// TestWrite_ReadAgain: what is written says to a reader of JUnit XML what it was written from.
func TestWrite_ReadAgain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := summary.Write(&out, summary.JUnit, of()); err != nil {
		t.Fatal(err)
	}
	got := map[results.Outcome]int{}
	if _, _, err := format.Parse(format.JUnit, &out, func(c results.Case) error {
		got[c.Outcome]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := (map[results.Outcome]int{results.Passed: 2, results.Failed: 1, results.Errored: 2, results.Skipped: 2}); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// TestWrite_NotGreen: what has not ended, and what failed although no run of it did, is no success.
func TestWrite_NotGreen(t *testing.T) {
	t.Parallel()
	runs := []*apiv1.Run{{Status: apiv1.Status_STATUS_PASSED}}
	for says, e := range map[string]*apiv1.Execution{
		"it is still running":     {Workflow: "smoke", Status: apiv1.Status_STATUS_RUNNING, Runs: runs},
		"the release was revoked": {Workflow: "smoke", Status: apiv1.Status_STATUS_FAILED, Message: "the release was revoked", Runs: runs},
	} {
		var out bytes.Buffer
		if err := summary.Write(&out, summary.JUnit, summary.Execution{Record: e}); err != nil || !strings.Contains(out.String(), `<error message="`+says) {
			t.Errorf("%v\n%s", err, out.String())
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v\n%s", name, err, got)
	}
}

// TestWrite_Bounded: a page takes no more than it can hold, however much failed.
func TestWrite_Bounded(t *testing.T) {
	t.Parallel()
	e := of()
	for range 10_000 {
		e.Tests = append(e.Tests, &apiv1.TestResult{Name: strings.Repeat("n", 200), Outcome: "failed", Detail: strings.Repeat("ä", 4000), AttemptId: "a1"})
	}
	var out bytes.Buffer
	if err := summary.Write(&out, summary.Markdown, e); err != nil || out.Len() > 200_000 || !strings.Contains(out.String(), "more") {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}
