package engine_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	burst = 100_000_000
	// resident bounds, in KiB, what the runner may take of the container's memory while a burst goes through: the test's own limit is for
	// the test.
	resident = 64 << 10
)

// program builds the runner as it is shipped: the race detector would multiply its memory.
func program(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command(filepath.Join("..", "..", "..", "deploy", "build.sh"), dir, "seatrial-runner")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the runner: %v\n%s", err, out)
	}
	return filepath.Join(dir, "seatrial-runner")
}

// numbers is what `seq 1 n | head -c size` writes.
func numbers(t *testing.T, size int64) (sum [sha256.Size]byte, lines int64) {
	t.Helper()
	h := sha256.New()
	line := make([]byte, 0, 16)
	for n := int64(1); size > 0; n++ {
		line = append(strconv.AppendInt(line[:0], n, 10), '\n')
		if int64(len(line)) > size {
			line = line[:size]
		} else {
			lines++
		}
		size -= int64(len(line))
		_, _ = h.Write(line)
	}
	return [sha256.Size]byte(h.Sum(nil)), lines
}

// TestRun_Burst writes 100 MB as fast as the pipe takes them while the agent goes away and comes back.
func TestRun_Burst(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes 100 MB, which takes a while: left out with -short")
	}
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{
		{Script: fmt.Sprintf("seq 1 100000000 | head -c %d", burst)}, {Script: "grep VmHWM /proc/$PPID/status"},
	}})
	p.program = program(t)
	r := p.start(t, "c0")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for _, part := range []int64{burst / 4, burst / 2} {
		if err := a.uplink.Wait(ctx, attempt, stream(0), func(l *workfake.Log) bool { return l.Bytes > part }); err != nil {
			t.Fatal(err)
		}
		a.uplink.Lose()
		a.stop()
		a.start(t)
	}
	select {
	case <-r.done:
	case <-time.After(3 * within):
		t.Fatalf("the runner hangs: %s", r.err.String())
	}
	sum, lines := numbers(t, burst)
	l := a.log(t, 0)
	if l.Bytes != burst || l.Sum != sum || l.Lines != lines || l.Gap != 0 {
		t.Errorf("%d bytes and %d lines with %d missing arrived, want %d and %d; the same bytes: %v", l.Bytes, l.Lines, l.Gap, burst, lines, l.Sum == sum)
	}
	if got := statuses(a.attempts.View()); got != "passed passed" {
		t.Errorf("steps are %s", got)
	}
	var peak int64
	if _, err := fmt.Sscanf(string(a.log(t, 1).Head), "VmHWM: %d kB", &peak); err != nil {
		t.Fatalf("%v: %q", err, a.log(t, 1).Head)
	}
	took := r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime()
	t.Logf("%d bytes, %d sent twice, %d KiB resident at most, %s of processor time", l.Bytes, l.Doubled, peak, took)
	if peak > resident {
		t.Errorf("the runner took %d KiB, want %d at most", peak, resident)
	}
}

// TestRun_Undelivered runs a test to its end although no agent ever answers.
func TestRun_Undelivered(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	a.stop()
	p := newPod(t, a, &runnerv1.Plan{
		UploadAllowance: durationpb.New(time.Second), Steps: []*runnerv1.Step{{Script: "echo one; echo two; exit 3"}},
	})
	r := p.start(t, "c0")
	if code := r.wait(t); code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
	m := r.message(t)
	if m.Delivered || m.Status != "failed" || len(m.Steps) != 1 || m.Steps[0].Bytes != 8 || m.Steps[0].Lines != 2 || *m.Steps[0].Exit != 3 {
		t.Errorf("the termination message is %+v", m)
	}
	if got := r.out.String(); got != "one\ntwo\n" {
		t.Errorf("the container's own output, which is all that is left, is %q", got)
	}
}

// TestRun_Hung meets an agent that takes connections and never says anything.
func TestRun_Hung(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	release := a.uplink.Hold()
	t.Cleanup(release)
	p := newPod(t, a, &runnerv1.Plan{
		UploadAllowance: durationpb.New(2 * time.Second), Steps: []*runnerv1.Step{{Script: "head -c 20000000 /dev/zero; echo end"}},
	})
	r := p.start(t, "c0")
	if code := r.wait(t); code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
	if m := r.message(t); m.Delivered || m.Status != "passed" || m.Steps[0].Bytes != 20000004 {
		t.Errorf("the termination message is %+v", m)
	}
}

// TestRun_NoSharedVolume meets a volume that cannot be written.
func TestRun_NoSharedVolume(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{{Script: "true"}}})
	shared := filepath.Join(p.dir, "shared")
	if err := os.Remove(shared); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(shared, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := p.start(t, "c0")
	if code := r.wait(t); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	if m := r.message(t); m.Status != "errored" || !strings.Contains(m.Reason, "prepare shared volume") {
		t.Errorf("the termination message is %+v", m)
	}
}

// TestRun_DiskFull fills the shared volume: what the disk does not take is a stated gap, and the result still comes.
func TestRun_DiskFull(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{Steps: []*runnerv1.Step{{Script: "head -c 8000000 /dev/zero; echo end; exit 4"}}})
	mount(t, filepath.Join(p.dir, "shared"), "tmpfs", "size=2m")
	r := p.start(t, "c0")
	if code := r.wait(t); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	l := a.log(t, 0)
	if l.Bytes != 8000004 || l.Gap == 0 || l.Gap >= l.Bytes || l.Final == nil {
		t.Errorf("%d bytes with %d missing arrived", l.Bytes, l.Gap)
	}
	v := a.attempts.View()
	if s := v.Steps[0]; s.GetStatus() != failed || s.GetExitCode() != 4 {
		t.Errorf("the step ended %v", s)
	}
	if notes := strings.Join(v.Delivered["c0"], "\n"); !strings.Contains(notes, "disk of the pod's shared volume is full") {
		t.Errorf("nobody is told: %q", notes)
	}
}

// mount mounts a file system for a test, which is skipped where that cannot be done.
func mount(t *testing.T, at, kind, options string) {
	t.Helper()
	if out, err := exec.Command("mount", "-t", kind, "-o", options, kind, at).CombinedOutput(); err != nil {
		t.Skipf("%s cannot be mounted here: %v: %s", kind, err, out)
	}
	_ = os.Chmod(at, 0o777)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// TestRun_Restricted runs containers as two users without rights, over a root file system that is read-only.
func TestRun_Restricted(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become others")
	}
	a := newAgent(t)
	p := newPod(t, a, &runnerv1.Plan{
		Files: []*runnerv1.SourceFile{{Path: "dir/file", Content: []byte("x")}},
		Steps: []*runnerv1.Step{
			{Container: "c0", Script: "id -u; echo a >> dir/file; mkdir own; ! touch /etc/x 2>/dev/null; touch \"$HOME/x\" \"$TMPDIR/x\""},
			{
				Container: "c1", Script: "id -u; echo b >> dir/file; echo c > own/c; cat dir/file",
				Artifacts: &runnerv1.ArtifactSpec{Paths: []string{"own/*"}},
			},
		},
	})
	p.program = copyOf(t, p.dir)
	for d := p.dir; d != "/"; d = filepath.Dir(d) { // others must be able to come here
		if info, err := os.Stat(d); err == nil && info.Mode()&0o005 != 0o005 {
			if err := os.Chmod(d, info.Mode()|0o055); err != nil {
				t.Fatal(err)
			}
		}
	}
	var all []*runner
	for i, c := range []string{"c0", "c1"} {
		id := strconv.Itoa(65530 + i)
		p.wrap = []string{
			"unshare", "--mount", "--propagation=private", "sh", "-ec",
			`mount --bind "$0" "$0"; mount -o remount,bind,ro /; mount -o remount,ro /tmp 2>/dev/null || :; id="$1"; shift
exec setpriv --reuid="$id" --regid="$id" --clear-groups --no-new-privs "$@"`, p.dir, id,
		}
		all = append(all, p.start(t, c))
	}
	for _, r := range all {
		if code := r.wait(t); code != 0 {
			t.Fatalf("container %s ends with %d: %s", r.name, code, r.err.String())
		}
	}
	if got := statuses(a.attempts.View()); got != "passed passed" {
		t.Errorf("steps are %s: %q, %q", got, a.log(t, 0).Head, a.log(t, 1).Head)
	}
	if got := string(a.log(t, 1).Head); got != "65531\nxa\nb\n" {
		t.Errorf("the second step says %q", got)
	}
	if n := len(a.uplink.Files()); n != 1 {
		t.Errorf("%d files arrived, want 1", n)
	}
}

// copyOf puts the test's program where every user may run it.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(dir, "runner")
	// by another process: what another test starts just then would inherit a file that is open here, which could not be run then
	// ("text file busy")
	if out, err := exec.Command("cp", os.Args[0], to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return to
}
