package engine_test

import (
	"testing"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// TestRun_Metrics holds that a step that is measured ends with what it used, or with why that is not known, in its state and in the
// last words of its container; and that a record that could be made is delivered.
func TestRun_Metrics(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{Name: "busy", Container: "c0", Script: "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3", Metrics: true, ContinueOnError: true},
		{Name: "quiet", Container: "c0", Script: "true"},
	}})
	c0 := p.start(t, "c0")
	if code := c0.wait(t); code != 0 {
		t.Fatalf("the runner ends with %d", code)
	}
	v := a.attempts.View()
	busy, quiet := v.Steps[0], v.Steps[1]
	if busy.GetStatus() != failed || busy.GetExitCode() != 3 {
		t.Errorf("measuring has changed the step: %v", busy)
	}
	if busy.GetUsage() == nil || quiet.GetUsage() != nil {
		t.Fatalf("the usage is %v and %v", busy.GetUsage(), quiet.GetUsage())
	}
	records := 0
	for _, f := range a.uplink.Files() {
		if f.Header.GetKind() == runnerv1.FileKind_FILE_KIND_METRICS {
			records++
			if f.Header.GetPath() != "0-busy.csv" || f.Header.GetStepIndex() != 0 {
				t.Errorf("the record is %v", f.Header)
			}
		}
	}
	u := busy.GetUsage()
	if measured := u.GetNote() == ""; measured && (records != 1 || u.GetCpuMicros() == 0) || u.GetNote() != "" && records > 1 {
		t.Errorf("%d records of %v", records, u)
	}
	last := c0.message(t).Steps
	if last[0].Usage == nil || last[0].Usage.CPU != u.GetCpuMicros() || last[0].Usage.Note != u.GetNote() || last[1].Usage != nil {
		t.Errorf("the last words are %+v", last)
	}
}
