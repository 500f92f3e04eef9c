package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/runner/state"
	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// meet waits until the other step of the group has come, too: it can only pass when both run at once.
const meet = `touch "$0-$ME"; for i in $(seq 2000); do [ -e "$0-$OTHER" ] && exit 0; sleep 0.01; done; exit 9`

func meeting(container, me, other string) *runnerv1.Step {
	return &runnerv1.Step{
		Container: container, Group: "both", Name: me, Script: "cat hello; ME=" + me + " OTHER=" + other + " sh -c '" + meet + "' door",
	}
}

func TestRun_Group(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{
		// They begin at once and both need the files.
		Files: []*runnerv1.SourceFile{{Path: "hello", Content: []byte("hello\n")}},
		Steps: []*runnerv1.Step{
			meeting("c0", "left", "right"), meeting("c1", "right", "left"),
			{Container: "c0", Script: "[ -e door-left ] && [ -e door-right ]", Condition: "steps.both.status == 'passed' && steps.left.status == 'passed'"},
			{Container: "c2", Script: "true"},
		},
	})
	v := p.run(t, "c2", "c1", "c0")
	if got := statuses(v); got != "passed passed passed passed" || len(v.Finished) != 1 {
		t.Errorf("steps are %s, the attempt finished %d times", got, len(v.Finished))
	}
	for i := range 2 {
		if got := string(a.log(t, i).Head); got != "hello\n" {
			t.Errorf("step %d says %q", i, got)
		}
	}
}

// TestRun_Group_WriterKilled has the container be killed that was to write the source files.
func TestRun_Group_WriterKilled(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{
		Files: []*runnerv1.SourceFile{{Path: "hello", Content: []byte("hello\n")}},
		Steps: []*runnerv1.Step{
			{Group: "g", Container: "c0", Script: "true"}, {Group: "g", Container: "c1", Script: "cat hello"},
		},
	})
	dir, err := state.Open(filepath.Join(p.dir, "shared", "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if writer, err := dir.ClaimSources("c9"); err != nil || writer != "c9" { // it is gone, and never was there to be watched
		t.Fatal(writer, err)
	}
	if v := p.run(t, "c0", "c1"); statuses(v) != "passed passed" {
		t.Errorf("steps are %s", statuses(v))
	}
	if got := string(a.log(t, 1).Head); got != "hello\n" {
		t.Errorf("the file says %q", got)
	}
}

func TestRun_Group_Course(t *testing.T) {
	t.Parallel()
	type step = runnerv1.Step
	for name, tc := range map[string]struct {
		reason string
		steps  []*step
		want   string
		result runnerv1.StepStatus
		says   string
	}{
		"Fails": {
			"the others of the group end first, then nothing runs",
			[]*step{
				{Group: "g", Container: "c0", Script: "exit 2"},
				{Group: "g", Container: "c1", Script: "for i in $(seq 100); do [ -e over ] && exit 1; sleep 0.002; done"},
				{Container: "c0", Script: "touch over"},
			},
			"failed passed skipped", failed, `step "s0"`,
		},
		"Blind": {
			"steps of a group do not see each other",
			[]*step{
				{Group: "g", Container: "c0", Script: "exit 2"},
				{Group: "g", Container: "c1", Script: "true", Condition: "failed()"},
				{Container: "c0", Script: "true", Condition: "always() && steps.g.status == 'failed' && steps.g.exitCode == 2"},
			},
			"failed skipped passed", failed, `step "s0"`,
		},
		"Allowed": {
			"each may be allowed to fail",
			[]*step{
				{Group: "g", Container: "c0", Script: "exit 2", ContinueOnError: true},
				{Group: "g", Container: "c1", Script: "true"},
				{Container: "c1", Script: "true"},
			},
			"failed passed passed", passed, "",
		},
		"Last": {
			"a group may be the end of the attempt",
			[]*step{
				{Container: "c0", Script: "true"},
				{Group: "g", Container: "c0", Script: "true"},
				{Group: "g", Container: "c1", Script: "true"},
			},
			"passed passed passed", passed, "",
		},
		"Two": {
			"one group follows another",
			[]*step{
				{Group: "g", Container: "c0", Script: "touch a"},
				{Group: "g", Container: "c1", Script: "touch b"},
				{Group: "h", Container: "c0", Script: "[ -e a ] && [ -e b ]"},
				{Group: "h", Container: "c1", Script: "[ -e a ] && [ -e b ]"},
			},
			"passed passed passed passed", passed, "",
		},
		"Timeout": {
			"the time of all ends each of them",
			[]*step{
				{Group: "g", Container: "c0", Script: "sleep 60"}, {Group: "g", Container: "c1", Script: "sleep 60"},
			},
			"timed_out timed_out", timedOut, "time limit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			plan := &runnerv1.Plan{Steps: tc.steps}
			if name == "Timeout" {
				plan.Timeout = durationpb.New(500 * time.Millisecond)
			}
			p := newPod(t, a, plan)
			first := p.start(t, "c0")
			if name == "Blind" { // the other looks only after the first has failed
				a.wait(t, "the failure", func(v workfake.View) bool { return v.Steps[0].GetStatus() == failed })
			}
			for _, r := range []*runner{first, p.start(t, "c1")} {
				if code := r.wait(t); code != 0 {
					t.Fatalf("container %s ends with %d", r.name, code)
				}
			}
			v := a.attempts.View()
			if got := statuses(v); got != tc.want {
				t.Errorf("%s: steps are %s, want %s", tc.reason, got, tc.want)
			}
			if f := v.Finished[0]; f.GetStatus() != tc.result || !strings.Contains(f.GetReason(), tc.says) {
				t.Errorf("%s: the attempt is %v, want %s and %q", tc.reason, f, tc.result, tc.says)
			}
		})
	}
}

// TestRun_Group_Killed has the container of one step of a group be killed: another one ends it, and the rest goes on.
func TestRun_Group_Killed(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{Group: "g", Container: "c0", Script: "echo up; sleep 60"},
		{Group: "g", Container: "c1", Script: "echo up; while [ ! -e go ]; do sleep 0.01; done"},
		{Container: "c2", Script: "true", Condition: "always()"},
	}})
	first, second, third := p.start(t, "c0"), p.start(t, "c1"), p.start(t, "c2")
	a.logged(t, 0, "up")
	a.logged(t, 1, "up")
	first.signal(t, syscall.SIGKILL)
	a.wait(t, "the end of the killed step", func(v workfake.View) bool { return v.Steps[0].GetStatus() == errored })
	if err := os.WriteFile(filepath.Join(p.workspace, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*runner{second, third} {
		if code := r.wait(t); code != 0 {
			t.Fatalf("container %s ends with %d", r.name, code)
		}
	}
	v := a.attempts.View()
	if got := statuses(v); got != "errored passed passed" || v.Finished[0].GetStatus() != errored {
		t.Errorf("steps are %s, the attempt %v", got, v.Finished)
	}
}
