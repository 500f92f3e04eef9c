package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/bench/cards"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// atOnce is how many executions a burst has.
const atOnce = 40

// counted is how many executions the calls of the API server are counted over.
const counted = 5

// BenchmarkLoad is P7 to P9 of the metric cards: what an execution costs the API server, what the agent uses, and how many executions at once end,
// beside as many bare Jobs.
func BenchmarkLoad(b *testing.B) {
	p := startPlane(b, b.TempDir())
	a := installAgent(b, p, "--set", "runner.delivery=image-volume", "--set", "linger=1s")
	c := newBareProgram(b, a)
	p.apply(b, document("short", python, "Never", stamp))
	p.api(b, a, "short")
	for round := 0; b.Loop(); round++ {
		note := func(card, metric, arm, unit string, value float64) {
			b.Logf("%s %s, %s: %.2f %s", card, metric, arm, value, unit)
			cards.Note(b, cards.Sample{Card: card, Metric: metric, Arm: arm, Round: round, Value: value, Unit: unit})
		}
		note("P7", "calls for each execution", cards.Seatrial, "calls", p.callsOfExecutions(b, a, 0))
		note("P7", "calls for each execution", cards.Bare, "calls", c.callsOfJobs(b, a))
		note("P7", "calls for ten viewers", cards.Seatrial, "calls", p.callsOfExecutions(b, a, 10)-p.callsOfExecutions(b, a, 0))

		a.quiet(b)
		pid := a.pid(b)
		before := processor(b, pid)
		note("P9", "burst", cards.Seatrial, "s", p.burst(b, a).Seconds())
		note("P8", "processor of 1000", cards.Seatrial, "s", (processor(b, pid)-before).Seconds()*1000/atOnce)
		note("P8", "busy agent", cards.Seatrial, "MiB", float64(peakKiB("/proc/"+pid))/1024)
		a.quiet(b)
		note("P9", "burst", cards.Bare, "s", c.burst(b).Seconds())
	}
	b.ReportMetric(0, "ns/op")
}

// burst starts many executions at once and returns when the last has ended.
func (p *plane) burst(b *testing.B, a *agent) time.Duration {
	b.Helper()
	calls := apiv1connect.NewExecutionServiceClient(p.client(), p.url)
	begin := time.Now()
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			started, err := calls.RunWorkflow(b.Context(), &apiv1.RunWorkflowRequest{Workflow: "short", Environments: []string{a.cluster}})
			if err != nil {
				b.Error(err)
				return
			}
			await(b, calls, started.GetExecution().GetId())
		})
	}
	all.Wait()
	return time.Since(begin)
}

// burst makes as many Jobs at once and returns when the last pod has ended.
func (c *bareProgram) burst(b *testing.B) time.Duration {
	b.Helper()
	begin := time.Now()
	jobs := make([]string, atOnce)
	var all sync.WaitGroup
	for i := range jobs {
		all.Go(func() { jobs[i] = c.post(b, stamp) })
	}
	all.Wait()
	c.ended(b, "job-name in ("+strings.Join(jobs, ", ")+")", atOnce)
	took := time.Since(begin)
	for _, job := range jobs {
		c.remove(b, job)
	}
	return took
}

// quiet waits until nothing of what has ended is left in the cluster.
func (a *agent) quiet(b *testing.B) {
	b.Helper()
	if _, err := a.kube.Kubectl(b.Context(), "-n", a.namespace, "wait", "--for=delete", "job,pod", "--all", "--timeout=5m"); err != nil {
		b.Fatal(err)
	}
}

// callsOfExecutions is how often the agent asks the API server for each of a few executions whose logs so many follow, until what it keeps of
// them is removed. Watches do not count: there is one of each kind, whatever runs.
func (p *plane) callsOfExecutions(b *testing.B, a *agent, viewers int) float64 {
	b.Helper()
	a.quiet(b)
	calls := apiv1connect.NewExecutionServiceClient(p.client(), p.url)
	audit := newAudit(b, a)
	for range counted {
		started, err := calls.RunWorkflow(b.Context(), &apiv1.RunWorkflowRequest{Workflow: "short", Environments: []string{a.cluster}})
		if err != nil {
			b.Fatal(err)
		}
		var watching sync.WaitGroup
		for range viewers {
			watching.Go(func() { p.follow(b, attemptOf(started.GetExecution()).GetId()) })
		}
		await(b, calls, started.GetExecution().GetId())
		watching.Wait()
	}
	a.quiet(b)
	return float64(audit.count(b, func(e call) bool { return e.User.Username == "system:serviceaccount:"+home+":"+a.release })) / counted
}

// callsOfJobs is the same of the program that makes bare Jobs and removes them.
func (c *bareProgram) callsOfJobs(b *testing.B, a *agent) float64 {
	b.Helper()
	audit := newAudit(b, a)
	for range counted {
		job := c.post(b, stamp)
		c.ended(b, "job-name="+job, 1)
		c.remove(b, job)
	}
	return float64(audit.count(b, func(e call) bool { return e.UserAgent == program })) / counted
}

// call is a call in the audit log of the API server.
type call struct {
	Verb, UserAgent string
	User            struct{ Username string }
}

// audit is a place in that log.
type audit struct {
	path  string
	since int64
}

func newAudit(b *testing.B, a *agent) audit {
	b.Helper()
	path := filepath.Join(a.kube.Dir, "log", "audit.log")
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return audit{path, info.Size()}
}

// count counts the calls since, but for watches.
func (a audit) count(b *testing.B, of func(call) bool) (n int) {
	b.Helper()
	file, err := os.Open(a.path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(a.since, io.SeekStart); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e call
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Verb != "watch" && of(e) {
			n++
		}
	}
	if err := lines.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}

// processor is the processor time that a process has used.
func processor(b *testing.B, pid string) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	ticks := 0 // hundredths of a second
	for _, field := range strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))[12:14] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatalf("processor time in %s", stat)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
