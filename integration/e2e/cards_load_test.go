package e2e_test

import (
	"path/filepath"
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

		a.released(b)
		pid := a.pid(b)
		before := cpuTicks(b, pid)
		note("P9", "burst", cards.Seatrial, "s", p.burst(b, a).Seconds())
		note("P8", "processor of 1000", cards.Seatrial, "s", float64(cpuTicks(b, pid)-before)/100*1000/atOnce)
		note("P8", "busy agent", cards.Seatrial, "MiB", float64(peakKiB("/proc/"+pid))/1024)
		a.released(b)
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

// callsOfExecutions is how often the agent asks the API server for each of a few executions whose logs so many follow, until what it keeps of
// them is removed. Watches do not count: there is one of each kind, whatever runs.
func (p *plane) callsOfExecutions(b *testing.B, a *agent, viewers int) float64 {
	b.Helper()
	a.released(b)
	calls := apiv1connect.NewExecutionServiceClient(p.client(), p.url)
	audit := filepath.Join(a.kube.Dir, "log", "audit.log")
	begin := size(b, audit)
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
	a.released(b)
	return float64(len(requests(b, audit, begin, a.called))) / counted
}

// callsOfJobs is the same of the program that makes bare Jobs and removes them.
func (c *bareProgram) callsOfJobs(b *testing.B, a *agent) float64 {
	b.Helper()
	audit := filepath.Join(a.kube.Dir, "log", "audit.log")
	begin := size(b, audit)
	for range counted {
		job := c.post(b, stamp)
		c.ended(b, "job-name="+job, 1)
		c.remove(b, job)
	}
	return float64(len(requests(b, audit, begin, func(c call) bool { return c.UserAgent == program }))) / counted
}
