package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/fleet"
	"github.com/seatrial/seatrial/integration/harness"
	"github.com/seatrial/seatrial/integration/history"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// World is everything that runs, until the test ends.
type World struct {
	tb       testing.TB
	ctx      context.Context //nolint:containedctx // ends with the test: whoever belongs to the world watches it
	postgres *harness.Server
	admin    string // DSN of the superuser, not through the wire
	redis    *harness.Server
	s3       *harness.Server
	// The wires from the replicas to their servers.
	toPostgres, toRedis, toS3 *wire
	planes                    []*fleet.Plane
	gateway                   string // of the agents
	token                     string
	sites                     []*site
	agentProgram              string
	tokens                    string // folder of the pods' tokens
	gates                     gates
	decided                   bool // nobody cancels anything
	running                   sync.WaitGroup
	bout                      atomic.Pointer[Bout]

	mu    sync.Mutex
	notes []string
	gaps  int64
}

// Options say how large a World is.
type Options struct {
	Replicas, Sites int
	// Flags are given to each replica.
	Flags []string
}

// NewWorld starts everything.
func NewWorld(tb testing.TB, o Options) *World {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	w := &World{tb: tb, ctx: ctx, tokens: tb.TempDir()}
	tb.Cleanup(func() { // after everything that is started below
		cancel()
		w.running.Wait()
	})
	programs := programs(tb, "seatrial-controlplane", "seatrial-agent")
	w.agentProgram = filepath.Join(programs, "seatrial-agent")
	var dsn string
	w.postgres, dsn, w.admin = harness.OwnPostgres(tb)
	w.redis, w.s3 = harness.OwnRedis(tb), harness.OwnS3(tb)
	w.toPostgres, w.toRedis, w.toS3 = newWire(tb, "PostgreSQL", w.postgres.Address), newWire(tb, "Redis", w.redis.Address), newWire(tb, "S3", w.s3.Address)
	w.planes = replicas(tb, filepath.Join(programs, "seatrial-controlplane"), o.Replicas, append(o.Flags,
		"--database", through(dsn, w.postgres.Address, w.toPostgres.address()), "--redis", "redis://"+w.toRedis.address(),
		"--s3-endpoint", w.toS3.address(), "--s3-bucket", "seatrial", "--s3-insecure", "--s3-region", "us-east-1",
		"--s3-access-key", harness.S3AccessKey, "--s3-secret-key", harness.S3SecretKey)...)
	w.gateway = balance(tb, func() []string {
		var out []string
		for _, p := range w.planes {
			out = append(out, p.AgentAddress)
		}
		return out
	})
	w.token = w.planes[0].Token
	if _, err := w.planes[0].API(w.token).ApplyWorkflow(tb.Context(), &apiv1.ApplyWorkflowRequest{Source: probe}); err != nil {
		tb.Fatal(err)
	}
	for i := range o.Sites {
		w.sites = append(w.sites, newSite(tb, w, fmt.Sprintf("site-%d", i)))
	}
	tb.Cleanup(cancel) // before anything that is started above ends
	w.connected()
	return w
}

// connected waits until all agents are connected.
func (w *World) connected() {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 2*patience)
	defer cancel()
	for there := -1; there != len(w.sites); {
		if there >= 0 && !pass(ctx, tryAgain) {
			w.tb.Fatalf("%d of %d agents are connected", there, len(w.sites))
		}
		reply, err := w.planes[0].API(w.token).ListClusters(ctx, &apiv1.ListClustersRequest{})
		if err != nil {
			w.tb.Fatalf("list the clusters: %v", err)
		}
		there = 0
		for _, c := range reply.GetClusters() {
			if c.GetConnected() {
				there++
			}
		}
	}
}

// probe is the workflow of all runs. What its steps do is played.
const probe = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: probe}
spec:
  container: {image: registry.example.test/probe:1}
  timeout: 10m
  steps:
    - {name: first, run: probe}
    - {name: second, run: probe}
`

// replicas starts a control plane of so many replicas.
func replicas(tb testing.TB, program string, n int, flags ...string) []*fleet.Plane {
	tb.Helper()
	first := fleet.Start(tb, program, flags...)
	out := []*fleet.Plane{first}
	for len(out) < n {
		out = append(out, first.Another(tb))
	}
	return out
}

// through returns a DSN that takes another way to the same server.
func through(dsn, from, to string) string {
	i := len("postgres://seatrial_test@")
	if dsn[i:i+len(from)] != from {
		return dsn
	}
	return dsn[:i] + to + dsn[i+len(from):]
}

// programs returns a folder with programs as they are shipped: those that the test command has built, or newly built ones.
func programs(tb testing.TB, names ...string) (dir string) {
	tb.Helper()
	if dir := os.Getenv("SEATRIAL_TEST_PROGRAMS"); dir != "" {
		return dir
	}
	dir = tb.TempDir()
	build := exec.CommandContext(tb.Context(), filepath.Join("..", "..", "deploy", "build.sh"), append([]string{dir}, names...)...)
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build the programs: %v\n%s", err, out)
	}
	return dir
}

// note keeps what a person may want to know of a failure.
func (w *World) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, time.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
}

// stated counts bytes of logs of which the runner has said that they are missing.
func (w *World) stated(bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gaps += bytes
}

// current is where is written down what happens now.
func (w *World) current() *history.Recorder {
	if b := w.bout.Load(); b != nil {
		return b.book
	}
	return &history.Recorder{}
}
