package engine_test

import (
	"fmt"
	"strings"
	"testing"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// sharded is a plan with test files and steps that print what they are given.
func sharded(index, count int32, patterns ...string) *runnerv1.Plan {
	const say = `echo "$SEATRIAL_SHARD_FILES" | tr "\n" " "; echo "| $(cat "$SEATRIAL_SHARD_LIST" | wc -l)"`
	p := &runnerv1.Plan{
		Shard: &runnerv1.Shard{Index: index, Count: count, Files: patterns, TookMillis: map[string]int64{"a.spec.ts": 9000, "e2e/b.spec.ts": 1000, "e2e/c.spec.ts": 1000}},
		Steps: []*runnerv1.Step{
			{Name: "root", Script: say + "; touch e2e/late.spec.ts"},
			{Name: "below", WorkingDir: "e2e", Script: say},
			{Name: "elsewhere", WorkingDir: "/", Script: say},
			{Name: "clean", Teardown: true, Script: "echo $SEATRIAL_SHARD_FILES."},
		},
	}
	for _, name := range []string{"e2e/a.spec.ts", "e2e/b.spec.ts", "e2e/c.spec.ts", "e2e/helper.ts", "node_modules/x.spec.ts"} {
		p.Files = append(p.Files, &runnerv1.SourceFile{Path: name, Content: []byte("x")})
	}
	return p
}

// TestRun_Shard holds that the shards have all files between them by how long they took, the same for all steps, as paths that work
// where a step does.
func TestRun_Shard(t *testing.T) {
	t.Parallel()
	for index, want := range map[int32][]string{1: {"a.spec.ts"}, 2: {"b.spec.ts", "c.spec.ts"}} {
		a := newAgent(t)
		p := newPod(t, a, sharded(index, 2, "e2e/*.spec.ts", "./e2e/a.*"))
		v := p.run(t, "c0")
		if got := statuses(v); got != "passed passed passed passed" {
			t.Fatalf("shard %d: steps are %s: %v", index, got, v.Steps)
		}
		for i, prefix := range []string{"e2e/", "", p.workspace + "/e2e/"} {
			text := fmt.Sprintf("%s%s | %d\n", prefix, strings.Join(want, " "+prefix), len(want))
			if got := string(a.log(t, i).Head); got != text {
				t.Errorf("shard %d: step %d is given %q, want %q", index, i, got, text)
			}
		}
	}
}

// TestRun_Shard_Empty skips what would run everything, and says so.
func TestRun_Shard_Empty(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	v := newPod(t, a, sharded(4, 4, "e2e/*.spec.ts")).run(t, "c0")
	if got := statuses(v); got != "skipped skipped skipped passed" {
		t.Errorf("steps are %s", got)
	}
	f := v.Finished[0]
	if f.GetStatus() != runnerv1.StepStatus_STEP_STATUS_SKIPPED || !strings.Contains(f.GetReason(), "no file of shards.files falls to shard 4 of 4") {
		t.Errorf("the attempt is %v", f)
	}
}

// TestRun_Shard_NoFile is a mistake in the patterns, not a shard without work.
func TestRun_Shard_NoFile(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	v := newPod(t, a, sharded(1, 2, "tests/**/*.py")).run(t, "c0")
	if got := v.Steps[0]; got.GetStatus() != runnerv1.StepStatus_STEP_STATUS_ERRORED || !strings.Contains(got.GetReason(), "matches no file of the workspace: tests/**/*.py") {
		t.Errorf("the step is %v", got)
	}
}

// TestRun_Shard_Long refuses a step whose variable would hold only some of the names, and not one that reads the list.
func TestRun_Shard_Long(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := &runnerv1.Plan{
		Shard: &runnerv1.Shard{Index: 1, Count: 1, Files: []string{"*.ts"}},
		Steps: []*runnerv1.Step{{Script: `wc -l < "$SEATRIAL_SHARD_LIST"`}, {Script: "tool $SEATRIAL_SHARD_FILES"}},
	}
	for i := range 700 {
		p.Files = append(p.Files, &runnerv1.SourceFile{Path: fmt.Sprintf("%0180d.ts", i), Content: []byte("x")})
	}
	v := newPod(t, a, p).run(t, "c0")
	if got := statuses(v); got != "passed errored" || !strings.Contains(v.Steps[1].GetReason(), "$SEATRIAL_SHARD_LIST") || string(a.log(t, 0).Head) != "700\n" {
		t.Errorf("steps are %s: %v, %q", got, v.Steps, a.log(t, 0).Head)
	}
}
