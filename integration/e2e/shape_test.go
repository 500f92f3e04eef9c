package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/bench/cards"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// TestDelivery proves that the runner gets into pods both ways, and which one the agent finds out by itself here.
func TestDelivery(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	p.apply(t, document("hello", python, "Never", "echo hello"))
	for _, way := range []string{"init-copy", "image-volume", "auto"} {
		a := installAgent(t, p, "--set", "runner.delivery="+way)
		id := p.run(t, "hello", "--env", a.cluster)
		if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_PASSED {
			t.Errorf("%s: status %s: %s", way, e.GetStatus(), e.GetMessage())
		}
		want := way
		if way == "auto" {
			want = "image-volume" // this cluster mounts images
		}
		copied, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "get", "pod", a.pod(t, id), "-o", "jsonpath={.spec.initContainers[*].name}")
		if err != nil || (copied == "") != (want == "image-volume") {
			t.Errorf("%s: init containers %q, %v", way, copied, err)
		}
	}
	// One Kubernetes cluster, enrolled under three names: all of them show up.
	if got := p.must(t, "cluster", "list"); strings.Count(got, "connected") != 3 || strings.Contains(got, "disconnected") {
		t.Errorf("clusters:\n%s", got)
	}
	b := signIn(t, p)
	b.open(t, p.url+b.path(t)+"/clusters")
	if got := b.text(t); strings.Count(got, "mounted as an image") != 2 || strings.Count(got, "copied by an init container") != 1 {
		t.Errorf("the page of the clusters says:\n%s", got)
	}
}

// maxIdleKiB is what an agent with nothing to do may hold.
const maxIdleKiB = 30 << 10

// idle is how long the agent's processor time is measured.
const idle = 20 * time.Second

// TestFootprint measures an agent that has nothing to do.
func TestFootprint(t *testing.T) { //nolint:paralleltest // it measures: nothing else may run
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p, "--set", "linger=1s")
	p.apply(t, document("hello", python, "Never", "echo hello"))
	p.ended(t, p.run(t, "hello")) // it has worked before
	pid := a.pid(t)
	a.released(t)
	audit := filepath.Join(a.kube.Dir, "log", "audit.log")
	cost(t, p, a, audit)
	settled(t, pid)
	begin := size(t, audit)
	before := cpuTicks(t, pid)
	<-time.After(idle) // what is measured is a span of time
	used := float64(cpuTicks(t, pid)-before) / 100 / idle.Seconds() * 100
	rss := residentKiB(t, pid)
	if asked := requests(t, audit, begin, a.called); len(asked) > 0 {
		t.Errorf("the idle agent asked the API server %d times:\n%s", len(asked), strings.Join(asked, "\n"))
	}
	cards.Note(t, cards.Sample{Card: "P8", Metric: "idle agent", Arm: cards.Seatrial, Value: float64(rss) / 1024, Unit: "MiB"},
		cards.Sample{Card: "P8", Metric: "idle processor", Arm: cards.Seatrial, Value: used, Unit: "%"})
	t.Logf("figures: idle agent: %d KiB resident, %.2f %% of a processor", rss, used)
	if rss > maxIdleKiB {
		t.Errorf("the idle agent holds %d KiB, the limit is %d", rss, maxIdleKiB)
	}
	if used > 0.5 {
		t.Errorf("the idle agent uses %.2f %% of a processor, the limit is 0.5 %%", used)
	}
}

// cost proves that the agent follows an execution by what its watches tell it: it makes the Job, asks once whose the runner's token is, reads
// the pod once it has ended, and deletes the Job. It asks about a Job only when the runner's word was quicker than the watch.
func cost(t *testing.T, p *plane, a *agent, audit string) {
	t.Helper()
	begin := size(t, audit)
	p.ended(t, p.run(t, "hello"))
	a.released(t)
	asked := requests(t, audit, begin, a.called)
	t.Logf("figures: an execution costs the API server %d calls of the agent", len(asked))
	read := slices.IndexFunc(asked, func(c string) bool { return strings.HasPrefix(c, "get ") && strings.Contains(c, "/pods/") })
	removed := slices.IndexFunc(asked, func(c string) bool { return strings.HasPrefix(c, "delete ") })
	if read < 0 || removed < read {
		return
	}
	_, job, _ := strings.Cut(asked[removed], " ")
	if slices.Contains(asked, "get "+job) {
		t.Errorf("the agent asked about a Job whose end it knew:\n%s", strings.Join(asked, "\n"))
	}
}

// called reports whether a call is the agent's.
func (a *agent) called(c call) bool {
	return c.User.Username == "system:serviceaccount:"+home+":"+a.release
}

// released waits until the agent has removed the Jobs of what has ended: an idle agent has nothing left to do.
func (a *agent) released(tb testing.TB) {
	tb.Helper()
	if _, err := a.kube.Kubectl(tb.Context(), "-n", a.namespace, "wait", "--for=delete", "job,pod", "--all", "--timeout=5m"); err != nil {
		tb.Fatal(err)
	}
}

// settled waits until the agent has given back what only its start needed.
func settled(t *testing.T, pid string) {
	t.Helper()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for deadline := time.Now().Add(patience); residentKiB(t, pid) > maxIdleKiB && time.Now().Before(deadline); {
		<-again.C
	}
}

func size(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// call is a call in the audit log of the API server.
type call struct {
	Verb, RequestURI, UserAgent string
	User                        struct{ Username string }
}

// requests returns what the API server was asked for by some since a place in its audit log, but for watches, which wait.
func requests(tb testing.TB, audit string, since int64, by func(call) bool) []string {
	tb.Helper()
	f, err := os.Open(audit)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(since, io.SeekStart); err != nil {
		tb.Fatal(err)
	}
	var asked []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err == nil && c.Verb != "watch" && by(c) {
			asked = append(asked, c.Verb+" "+c.RequestURI)
		}
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return asked
}

// cpuTicks returns the processor time of a process in hundredths of a second.
func cpuTicks(tb testing.TB, pid string) int {
	tb.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		tb.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))
	user, err1 := strconv.Atoi(fields[12])
	system, err2 := strconv.Atoi(fields[13])
	if err1 != nil || err2 != nil {
		tb.Fatalf("processor time in %s", stat)
	}
	return user + system
}

func residentKiB(t *testing.T, pid string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatalf("no resident size in\n%s", status)
	return 0
}
