package bench_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/bench/cards"
	"github.com/seatrial/seatrial/integration/fleet"
	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

var (
	manyAgents  = flag.Int("capacity.agents", 5000, "simulated agents that are connected to one replica")
	stormAgents = flag.Int("capacity.storm", 2000, "of those that all lose their connection at once")
	perSecond   = flag.Int("capacity.rate", 500, "executions that are asked for each second")
	rateFor     = flag.Duration("capacity.for", 20*time.Second, "how long that goes on")
	logBytes    = flag.Int("capacity.log", 1<<30, "bytes of log that are delivered")
)

// The goals of one replica on two cores, which the simulated agents and PostgreSQL share with it.
const (
	rssGoal    = 500 << 20
	p99Goal    = 50 * time.Millisecond
	logGoal    = 50 // MB for each second of CPU time
	settleGoal = 30 * time.Second
	noiseGoal  = 1.5
)

const bareFlow = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: smoke}
spec:
  container: {image: registry.example.test/tests:1.2}
  steps: [{name: test, run: npx playwright test}]
`

// BenchmarkCapacity loads one replica of the control plane as it is shipped, over PostgreSQL, with agents that connect as the real one does,
// and says which goals it meets: memory of many agents, all of them losing their connection at once, executions a second, logs.
func BenchmarkCapacity(b *testing.B) {
	for range b.N {
		b.StopTimer()
		p := fleet.Start(b, fleet.Program(b), "--database", harness.Postgres(b))
		heard := newArrivals()
		begun := time.Now()
		all := fleet.Enrol(b, p, p.Token, "c", *manyAgents, fleet.Options{Begun: heard.arrived})
		all.Connected(b)
		b.Logf("%d agents are enrolled in %s", *manyAgents, time.Since(begun).Round(time.Second))
		if _, err := p.API(p.Token).ApplyWorkflow(b.Context(), &apiv1.ApplyWorkflowRequest{Source: bareFlow}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		b.Run("Connected", func(b *testing.B) { connected(b, p) })
		b.Run("Dispatch", func(b *testing.B) { dispatched(b, p, all, heard) })
		b.Run("Logs", func(b *testing.B) { shipped(b, p) })
		b.Run("Storm", func(b *testing.B) { storm(b, p, all) })
	}
}

// connected is what the agents take when they do nothing but being there.
func connected(b *testing.B, p *fleet.Plane) {
	b.Helper()
	const while = 30 * time.Second
	before := p.Used(b)
	pass(while)
	now := p.Used(b)
	say(b, now.RSS <= rssGoal, "%d agents: %d MiB (goal %d), %.1f%% of a core", *manyAgents, now.RSS>>20, rssGoal>>20, 100*(now.CPU-before.CPU).Seconds()/while.Seconds())
	b.ReportMetric(float64(now.RSS>>20), "rss_MiB")
	cards.Note(b, cards.Sample{Card: "P11", Metric: "connected", Arm: cards.Seatrial, Value: float64(now.RSS >> 20), Unit: "MiB"})
}

// storm is that all agents lose their connection at the same moment, as when the only replica is killed.
func storm(b *testing.B, p *fleet.Plane, all *fleet.Fleet) {
	b.Helper()
	all.Keep(*stormAgents)
	p.End(b, syscall.SIGKILL)
	all.Lost(b)
	begun := time.Now()
	p.Begin(b)
	ready := time.Since(begun)
	all.Connected(b)
	took := time.Since(begun)
	say(b, took <= settleGoal, "%d agents are back %s after the start of the replica, which took %s (goal %s)", len(all.Agents), took.Round(time.Millisecond), ready.Round(time.Millisecond), settleGoal)
	b.ReportMetric(took.Seconds(), "settled_s")
	cards.Note(b, cards.Sample{Card: "P10", Metric: "agents back", Arm: cards.Seatrial, Value: took.Seconds(), Unit: "s"})
}

// arrivals are when starts have reached their agents.
type arrivals struct {
	mu    sync.Mutex
	asked map[string]time.Time // by execution; zero: not known yet
	took  []time.Duration
	early map[string]time.Time // that arrived before the answer to whoever asked for them
}

func newArrivals() *arrivals {
	return &arrivals{asked: map[string]time.Time{}, early: map[string]time.Time{}}
}

func (a *arrivals) arrived(execution string) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	asked, ok := a.asked[execution]
	if !ok {
		a.early[execution] = now
		return
	}
	delete(a.asked, execution)
	a.took = append(a.took, now.Sub(asked))
}

func (a *arrivals) ask(execution string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if arrived, ok := a.early[execution]; ok {
		delete(a.early, execution)
		a.took = append(a.took, arrived.Sub(at))
		return
	}
	a.asked[execution] = at
}

// take returns how long each took since it was called last, in order.
func (a *arrivals) take() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	took := a.took
	a.took = nil
	slices.Sort(took)
	return took
}

// dispatched asks for executions at a steady rate, whether or not the ones before have begun, and measures from the call until the start has
// reached the agent: what is known by then is stored.
func dispatched(b *testing.B, p *fleet.Plane, all *fleet.Fleet, heard *arrivals) {
	b.Helper()
	api := p.API(p.Token)
	heard.take()
	before := p.Used(b)
	refused, begun := ask(b.Context(), *perSecond, *rateFor, func(ctx context.Context) error {
		at := time.Now()
		reply, err := api.RunWorkflow(ctx, &apiv1.RunWorkflowRequest{Workflow: "smoke", Environments: []string{all.Agents[rand.IntN(len(all.Agents))].Name}})
		if err != nil {
			return err
		}
		heard.ask(reply.GetExecution().GetId(), at)
		return nil
	})
	passed := time.Since(begun)
	quiet(b, heard)
	used := p.Used(b)
	took := heard.take()
	if len(took) == 0 {
		b.Fatalf("all %d calls were refused", refused)
	}
	rate := float64(len(took)) / passed.Seconds()
	say(b, refused == 0 && rate >= 0.98*float64(*perSecond) && most(took) <= p99Goal,
		"%.0f executions a second for %s, %d refused: until the agent has it p50 %s, p99 %s, worst %s (goal %d a second, p99 %s); %.2f ms of CPU for each", rate, passed.Round(time.Second), refused,
		half(took), most(took), took[len(took)-1].Round(time.Millisecond), *perSecond, p99Goal, 1000*(used.CPU-before.CPU).Seconds()/float64(len(took)))
	b.ReportMetric(rate, "executions/s")
	b.ReportMetric(ms(most(took)), "p99_ms")
	cards.Note(b, cards.Sample{Card: "P11", Metric: "dispatched", Arm: cards.Seatrial, Value: rate, Unit: "1/s"})
	cards.Note(b, each("P11", "call to agent", cards.Seatrial, took)...)
}

// quiet waits until all starts have arrived.
func quiet(b *testing.B, heard *arrivals) {
	b.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); ; <-tick.C {
		heard.mu.Lock()
		missing := len(heard.asked)
		heard.mu.Unlock()
		if missing == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d starts have not reached their agents", missing)
		}
	}
}

// ask calls something at a steady rate without waiting for its end, and returns how many calls failed once all have ended.
func ask(ctx context.Context, rate int, while time.Duration, call func(context.Context) error) (failed int64, begun time.Time) {
	begun = time.Now()
	var running sync.WaitGroup
	var bad atomic.Int64
	for n := 0; ; n++ {
		due := begun.Add(time.Duration(n) * time.Second / time.Duration(rate))
		if due.Sub(begun) >= while {
			break
		}
		pass(time.Until(due))
		running.Go(func() {
			if call(ctx) != nil {
				bad.Add(1)
			}
		})
	}
	running.Wait()
	return bad.Load(), begun
}

// pass lets time pass: what is measured is a rate.
func pass(d time.Duration) { <-time.After(d) }

// shipped delivers logs from a few attempts at once as fast as they are taken.
func shipped(b *testing.B, p *fleet.Plane) {
	b.Helper()
	const streams = 4
	line := "2026-03-01T10:00:00Z GET /cart/%06d 200 in %d ms by shop-7f9c for a customer who compares prices\n"
	var text bytes.Buffer
	for i := 0; text.Len() < *logBytes/streams; i++ {
		fmt.Fprintf(&text, line, i, i%97)
	}
	few := fleet.Enrol(b, p, p.Token, "l", streams, fleet.Options{Log: text.Bytes()})
	few.Connected(b)
	api := p.API(p.Token)
	before, begun := p.Used(b), time.Now()
	var ids []string
	for _, a := range few.Agents {
		reply, err := api.RunWorkflow(b.Context(), &apiv1.RunWorkflowRequest{Workflow: "smoke", Environments: []string{a.Name}})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, reply.GetExecution().GetId())
	}
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	for _, id := range ids {
		stream, err := api.WatchExecution(ctx, &apiv1.WatchExecutionRequest{Id: id})
		if err != nil {
			b.Fatal(err)
		}
		last := apiv1.Status_STATUS_UNSPECIFIED
		for stream.Receive() {
			last = stream.Msg().GetExecution().GetStatus()
		}
		if err := stream.Err(); err != nil || last != apiv1.Status_STATUS_PASSED {
			b.Fatalf("an execution whose log was delivered ended as %s, %v", last, err)
		}
	}
	took, used := time.Since(begun), p.Used(b)
	mb := float64(text.Len()*streams) / 1e6
	core := mb / (used.CPU - before.CPU).Seconds()
	say(b, core >= logGoal, "%.0f MB of logs in %s: %.0f MB/s, and %.0f MB for each second of the control plane's CPU time (goal %d); %d MiB afterwards", mb, took.Round(time.Millisecond), mb/took.Seconds(), core, logGoal, used.RSS>>20)
	b.ReportMetric(core, "MB/core_s")
	cards.Note(b, cards.Sample{Card: "P11", Metric: "log per core", Arm: cards.Seatrial, Value: core, Unit: "MB/s"})
}

// each makes a sample of each time, numbered in their order.
func each(card, metric, arm string, took []time.Duration) []cards.Sample {
	samples := make([]cards.Sample, len(took))
	for i, d := range took {
		samples[i] = cards.Sample{Card: card, Metric: metric, Arm: arm, Round: i, Value: ms(d), Unit: "ms"}
	}
	return samples
}

// BenchmarkNoisyTenant measures how long an execution of one organization takes to reach its agent while another floods the control plane with
// ten times what it takes, beside how long it takes when the other is silent. Both take turns.
func BenchmarkNoisyTenant(b *testing.B) {
	for range b.N {
		b.StopTimer()
		p := fleet.Start(b, fleet.Program(b), "--database", harness.Postgres(b))
		loud := p.NewOrganization(b, "loud")
		heard, ignored := newArrivals(), newArrivals()
		calm := fleet.Enrol(b, p, p.Token, "calm", 10, fleet.Options{Begun: heard.arrived})
		noisy := fleet.Enrol(b, p, loud, "loud", 10, fleet.Options{Begun: ignored.arrived})
		calm.Connected(b)
		noisy.Connected(b)
		for _, token := range []string{p.Token, loud} {
			if _, err := p.API(token).ApplyWorkflow(b.Context(), &apiv1.ApplyWorkflowRequest{Source: bareFlow}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		measure := func() {
			api := p.API(p.Token)
			ask(b.Context(), 20, 5*time.Second, func(ctx context.Context) error {
				at := time.Now()
				reply, err := api.RunWorkflow(ctx, &apiv1.RunWorkflowRequest{Workflow: "smoke", Environments: []string{calm.Agents[0].Name}})
				if err != nil {
					b.Error(err)
					return err
				}
				heard.ask(reply.GetExecution().GetId(), at)
				return nil
			})
			quiet(b, heard)
		}
		took := map[bool][]time.Duration{}
		var told, refused int64
		for round := range 6 {
			flood := round%2 == 1
			ctx, stop := context.WithCancel(b.Context())
			var running sync.WaitGroup
			if flood {
				for range 50 {
					running.Go(func() {
						for api := p.API(loud); ctx.Err() == nil; {
							name := noisy.Agents[rand.IntN(len(noisy.Agents))].Name
							if _, err := api.RunWorkflow(ctx, &apiv1.RunWorkflowRequest{Workflow: "smoke", Environments: []string{name}}); err != nil {
								atomic.AddInt64(&refused, 1)
								continue
							}
							atomic.AddInt64(&told, 1)
						}
					})
				}
			}
			measure()
			stop()
			running.Wait()
			took[flood] = append(took[flood], heard.take()...)
		}
		for _, all := range took {
			slices.Sort(all)
		}
		cards.Note(b, append(each("P16", "calm organization", cards.Seatrial, took[true]), each("P16", "calm organization", cards.Calm, took[false])...)...)
		ratio := float64(most(took[true])) / float64(most(took[false]))
		say(b, ratio <= noiseGoal, "p50 %s, p99 %s; while another organization has %d executions accepted and %d refused: p50 %s, p99 %s: %.2f times (goal %.1f)", half(took[false]), most(took[false]),
			told, refused, half(took[true]), most(took[true]), ratio, noiseGoal)
		b.ReportMetric(ratio, "p99_ratio")
	}
}

// say prints a figure with whether its goal is met.
func say(b *testing.B, met bool, format string, args ...any) {
	b.Helper()
	verdict := "missed"
	if met {
		verdict = "met"
	}
	b.Log(strings.TrimSpace(fmt.Sprintf(format, args...)) + ": " + verdict)
}
