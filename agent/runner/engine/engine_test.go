package engine_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// TestRun_Turns runs steps that go to and fro between containers.
func TestRun_Turns(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{
		Files: []*runnerv1.SourceFile{{Path: "lib/hello.sh", Content: []byte("echo from a file\n"), Mode: 0o755}, {Path: "order", Content: nil}},
		Steps: []*runnerv1.Step{
			{Container: "c0", Script: "echo 0 >> order; sh lib/hello.sh; test -x lib/hello.sh"},
			{Container: "c1", Script: "echo 1 >> order"},
			{Container: "c0", Script: "echo 2 >> ../order", WorkingDir: "lib"},
			{Container: "c2", Command: []string{"sh", "-c", "echo 3 >> order; cat order"}},
		},
	})
	v := p.run(t, "c2", "c1", "c0")
	if got := statuses(v); got != "passed passed passed passed" {
		t.Errorf("steps are %s", got)
	}
	if len(v.Finished) != 1 || v.Finished[0].GetStatus() != passed || v.Finished[0].GetReason() != "" {
		t.Errorf("the attempt finished %v, want once and passed", v.Finished)
	}
	if got := string(a.log(t, 3).Head); got != "0\n1\n2\n3\n" {
		t.Errorf("the steps ran in the order %q", got)
	}
	if got := string(a.log(t, 0).Head); got != "from a file\n" {
		t.Errorf("the file says %q", got)
	}
	for i := range 4 {
		if a.log(t, i).Final == nil {
			t.Errorf("the log of step %d has no totals", i)
		}
	}
}

func TestRun_Outcomes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason string
		step   *runnerv1.Step
		status runnerv1.StepStatus
		exit   int32 // -1 for none
		says   string
	}{
		"Script":      {"a script ends with its first failure", &runnerv1.Step{Script: "false\necho on\n"}, failed, 1, "exit code 1"},
		"ExitCode":    {"the code is the command's", &runnerv1.Step{Command: []string{"sh", "-c", "exit 42"}}, failed, 42, "exit code 42"},
		"NoCommand":   {"a missing program is no failed test", &runnerv1.Step{Command: []string{"no-such-program"}}, errored, -1, "was not found in the image"},
		"NotFound":    {"the shell says it", &runnerv1.Step{Script: "no-such-program"}, failed, 127, "did not find a command"},
		"NoDirectory": {"a directory that is not there", &runnerv1.Step{Script: "true", WorkingDir: "absent"}, errored, -1, "does not exist"},
		"Signal":      {"a crash is told apart", &runnerv1.Step{Script: "kill -SEGV $$"}, failed, 139, "SIGSEGV"},
		"Variable":    {"an expression that cannot be resolved", &runnerv1.Step{Command: []string{"echo", "${{ env.NOT_SET }}"}}, errored, -1, "NOT_SET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{tc.step, {Script: "echo never"}}})
			v := p.run(t, "c0")
			first := v.Steps[0]
			if first.GetStatus() != tc.status || !strings.Contains(first.GetReason(), tc.says) {
				t.Errorf("%s: %s, %q; want %s, %q", tc.reason, first.GetStatus(), first.GetReason(), tc.status, tc.says)
			}
			if exit := first.ExitCode; (exit == nil) != (tc.exit < 0) || exit != nil && *exit != tc.exit {
				t.Errorf("%s: exit code %v, want %d", tc.reason, exit, tc.exit)
			}
			if v.Steps[1].GetStatus() != skipped || v.Finished[0].GetStatus() != tc.status || !strings.Contains(v.Finished[0].GetReason(), tc.says) {
				t.Errorf("the next step is %s, the attempt %v", v.Steps[1].GetStatus(), v.Finished)
			}
			if tc.status == errored && !strings.Contains(string(a.log(t, 0).Head), tc.says) {
				t.Errorf("the log does not say why: %q", a.log(t, 0).Head)
			}
		})
	}
}

func TestRun_Environment(t *testing.T) {
	t.Parallel()
	const secret = "tops3cret/value"
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{
			Script: `echo "$GREETING, $IMAGE_VAR, ${SEATRIAL_ENV_0_X:-hidden}, $TOKEN, $(printf %s "$TOKEN" | base64)"; ` +
				`test "$TOKEN" = '` + secret + `'; grep SigIgn /proc/self/status; test -w "$HOME"; test -w "$TMPDIR" -o -w /tmp`,
			Env: []*runnerv1.EnvVar{
				{Name: "GREETING", Value: "hello ${{ env.IMAGE_VAR }}"},
				{Name: "TOKEN", From: "SEATRIAL_ENV_0_X", Secret: true},
				{Name: "OPTIONAL", From: "SEATRIAL_ENV_0_ABSENT"},
			},
		},
		{Script: `echo again tops3; echo "` + secret + `"; test -z "${TOKEN:-}"`},
	}})
	p.env = []string{"IMAGE_VAR=world", "SEATRIAL_ENV_0_X=" + secret}
	r := p.start(t, "c0")
	if code := r.wait(t); code != 0 {
		t.Fatalf("exit %d", code)
	}
	if got := statuses(a.attempts.View()); got != "passed passed" {
		t.Fatalf("steps are %s: %s", got, a.log(t, 0).Head)
	}
	first := string(a.log(t, 0).Head)
	if !strings.HasPrefix(first, "hello world, world, hidden, ***, ***") {
		t.Errorf("the first step says %q", first)
	}
	// Whoever started the tests may ignore signals of its own; the runner itself ignores broken pipes.
	_, mask, _ := strings.Cut(first, "SigIgn:")
	ignored, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	if err != nil || ignored&(1<<(uint(syscall.SIGPIPE)-1)) != 0 {
		t.Errorf("steps inherit ignored signals, so that a broken pipe does not end them: %q", first)
	}
	if got := string(a.log(t, 1).Head); got != "again tops3\n***\n" {
		t.Errorf("the second step says %q", got)
	}
	if got := r.out.String(); got != first+"again tops3\n***\n" {
		t.Errorf("the container's own output is %q", got)
	}
}

func TestRun_Stops(t *testing.T) {
	t.Parallel()
	const (
		polite = `trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done`
		deaf   = `trap '' TERM; echo ready; while :; do sleep 0.05; done`
	)
	second := durationpb.New(time.Second)
	for name, tc := range map[string]struct {
		reason string
		plan   *runnerv1.Plan
		stop   func(*testing.T, *pod, *runner)
		status runnerv1.StepStatus
		rest   runnerv1.StepStatus
		says   string
		bye    bool
	}{
		"StepTimeout": {
			"the step's own limit", &runnerv1.Plan{Grace: durationpb.New(within), Steps: []*runnerv1.Step{{Script: polite, Timeout: second}, {Script: "true"}}},
			nil, timedOut, skipped, "time limit of 1s", true,
		},
		"PlanTimeout": {
			"the limit of all steps", &runnerv1.Plan{Grace: durationpb.New(within), Timeout: second, Steps: []*runnerv1.Step{{Script: polite}, {Script: "true"}}},
			nil, timedOut, skipped, "for all steps", true,
		},
		"Deaf": {
			"who does not listen is killed after the grace",
			&runnerv1.Plan{Grace: durationpb.New(100 * time.Millisecond), Steps: []*runnerv1.Step{{Script: deaf, Timeout: second}, {Script: "true"}}},
			nil, timedOut, skipped, "time limit of 1s", false,
		},
		"Cancel": {
			"the agent asks", &runnerv1.Plan{Grace: durationpb.New(within), Steps: []*runnerv1.Step{{Script: polite}, {Script: "true"}}},
			func(_ *testing.T, p *pod, _ *runner) { p.agent.server.Cancel(attempt, "by alice", within) },
			cancelled, cancelled, "by alice", true,
		},
		"Interrupt": {
			"the pod is deleted", &runnerv1.Plan{Grace: durationpb.New(within), Steps: []*runnerv1.Step{{Script: polite}, {Script: "true"}}},
			func(t *testing.T, _ *pod, r *runner) {
				t.Helper()
				r.signal(t, syscall.SIGTERM)
			},
			cancelled, cancelled, "the pod was asked to stop", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			p := newPod(t, a, tc.plan)
			r := p.start(t, "c0")
			if tc.stop != nil {
				a.logged(t, 0, "ready")
				tc.stop(t, p, r)
			}
			if code := r.wait(t); code != 0 {
				t.Fatalf("exit %d", code)
			}
			v := a.attempts.View()
			if s := v.Steps[0]; s.GetStatus() != tc.status || !strings.Contains(s.GetReason(), tc.says) {
				t.Errorf("%s: %s, %q; want %s, %q", tc.reason, s.GetStatus(), s.GetReason(), tc.status, tc.says)
			}
			if got := v.Steps[1].GetStatus(); got != tc.rest {
				t.Errorf("%s: the next step is %s, want %s", tc.reason, got, tc.rest)
			}
			if got := strings.Contains(string(a.log(t, 0).Head), "bye"); got != tc.bye {
				t.Errorf("%s: it said good-bye: %v, want %v", tc.reason, got, tc.bye)
			}
		})
	}
}

// TestRun_CancelWhileWaiting cancels when the container whose turn it is has never come up.
func TestRun_CancelWhileWaiting(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{{Container: "c0", Script: "echo ready"}, {Container: "c1", Script: "true"}}})
	r := p.start(t, "c0")
	a.wait(t, "the first step", func(v workfake.View) bool { return v.Steps[0].GetStatus() == passed })
	a.server.Cancel(attempt, "no image", time.Second)
	if code := r.wait(t); code != 0 {
		t.Fatalf("exit %d", code)
	}
	if got := statuses(a.attempts.View()); got != "passed cancelled" {
		t.Errorf("steps are %s", got)
	}
}

func TestRun_Files(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{
			Script:    `mkdir -p out/shots; echo '<testsuite/>' > out/junit.xml; echo png > out/shots/a.png; exit 1`,
			Reports:   []*runnerv1.ReportSpec{{Format: "junit", Paths: []string{"out/*.xml", "absent.xml"}}},
			Artifacts: &runnerv1.ArtifactSpec{Paths: []string{"out/**/*.png"}},
		},
		{Script: "true"},
	}})
	v := p.run(t, "c0")
	var got []string
	for _, f := range a.uplink.Files() {
		got = append(got, f.Header.GetKind().String()+" "+f.Header.GetPath()+" "+strings.TrimSpace(string(f.Body)))
	}
	slices.Sort(got)
	want := []string{"FILE_KIND_ARTIFACT out/shots/a.png png", "FILE_KIND_REPORT out/junit.xml <testsuite/>"}
	if !slices.Equal(got, want) {
		t.Errorf("files are %q, want %q", got, want)
	}
	if notes := strings.Join(v.Delivered["c0"], "\n"); !strings.Contains(notes, "absent.xml") {
		t.Errorf("nobody is told that a pattern matched nothing: %q", notes)
	}
}

// TestRun_Orphans proves that nothing a step leaves behind outlives it or holds it up.
func TestRun_Orphans(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		// Three that stay: one in the group, one with a session of its own that holds the output, one that does not listen.
		{Script: `sleep 600 & echo $! > pids
setsid sh -c 'echo $$ >> pids; exec sleep 600' &
setsid sh -c 'trap "" TERM; echo $$ >> pids; while :; do sleep 0.1; done' > /dev/null 2>&1 &
while [ $(wc -l < pids) -lt 3 ]; do sleep 0.05; done; echo left`},
		{Script: `for p in $(cat pids); do ! kill -0 $p 2>/dev/null || { echo "$p lives"; exit 1; }; done; echo gone`},
	}})
	v := p.run(t, "c0")
	if got := statuses(v); got != "passed passed" {
		t.Errorf("steps are %s; the second says %q", got, a.log(t, 1).Head)
	}
	if got := string(a.log(t, 0).Head); got != "left\n" {
		t.Errorf("the first step says %q", got)
	}
}

// TestRun_Killed kills a container as a whole, as the kernel does when memory is short.
func TestRun_Killed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason string
		script string
		early  bool // killed before its turn
		says   string
	}{
		"Running": {"nobody else would end the step", "echo ready; sleep 600", false, "was killed while it ran the step"},
		"Waiting": {"nobody would ever begin the step", "true", true, "ended before it could run the step"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t)
			first := "true"
			if tc.early {
				first = "echo ready; while [ ! -e go ]; do sleep 0.05; done"
			}
			p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
				{Container: "c0", Script: first}, {Container: "c1", Script: tc.script}, {Container: "c0", Script: "echo never"},
			}})
			one, other := p.start(t, "c0"), p.start(t, "c1")
			ready := 1
			if tc.early {
				ready = 0
				a.wait(t, "the other container", func(v workfake.View) bool { return v.Attached["c1"] > 0 })
			}
			a.logged(t, ready, "ready")
			other.signal(t, syscall.SIGKILL)
			<-other.done
			if err := os.WriteFile(filepath.Join(p.workspace, "go"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if code := one.wait(t); code != 0 {
				t.Fatalf("exit %d", code)
			}
			v := a.attempts.View()
			if got := statuses(v); got != "passed errored skipped" || !strings.Contains(v.Steps[1].GetReason(), tc.says) {
				t.Errorf("%s: steps are %s, %q", tc.reason, got, v.Steps[1].GetReason())
			}
			if len(v.Finished) != 1 || v.Finished[0].GetStatus() != errored {
				t.Errorf("the attempt finished %v", v.Finished)
			}
			for _, s := range one.message(t).Steps {
				if s.Index == 1 {
					t.Error("the termination message claims totals for a log that another container wrote")
				}
			}
		})
	}
}

// TestRun_Source fetches a source first: the plan's own files go over those of the repository.
func TestRun_Source(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{
		Files: []*runnerv1.SourceFile{{Path: "both", Content: []byte("plan")}},
		Steps: []*runnerv1.Step{
			{Name: "source", Container: "c0", Command: []string{"/seatrial/bin/seatrial-source", "git", "--url=u"}},
			{Container: "c1", Script: "cat both repo"},
		},
	})
	p.program = copyOf(t, p.dir)
	companion := "#!/bin/sh\nset -e\ntest ! -e both\nprintf repo > both; printf ' repo' > repo; echo \"fetched $2\"\n"
	if err := os.WriteFile(filepath.Join(p.dir, "seatrial-source"), []byte(companion), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := statuses(p.run(t, "c0", "c1")); got != "passed passed" {
		t.Errorf("steps are %s: %q", got, a.log(t, 0).Head)
	}
	if got := string(a.log(t, 0).Head); got != "fetched --url=u\n" {
		t.Errorf("the source step says %q", got)
	}
	if got := string(a.log(t, 1).Head); got != "plan repo" {
		t.Errorf("the workspace holds %q", got)
	}
}
