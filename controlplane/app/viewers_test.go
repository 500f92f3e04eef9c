package app_test

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// traffic counts the messages of an agent's connection, in both directions. The signs of life that a session needs, watched or not, are
// left out.
type traffic struct{ calls, messages atomic.Int64 }

func (*traffic) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*traffic) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*traffic) HandleConn(context.Context, stats.ConnStats)                       {}

func (c *traffic) HandleRPC(_ context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.Begin:
		c.calls.Add(1)
	case *stats.InPayload:
		if f, ok := s.Payload.(*agentv1.ServerFrame); !ok || f.GetPong() == nil {
			c.messages.Add(1)
		}
	case *stats.OutPayload:
		if f, ok := s.Payload.(*agentv1.AgentFrame); !ok || f.GetPing() == nil {
			c.messages.Add(1)
		}
	}
}

// live gives signs of life until the test ends. Without them the session is given up, and with it the stream of logs: a busy machine
// can take longer over a thousand viewers than a silent session may last.
func live(t *testing.T, s session) {
	t.Helper()
	stop := make(chan struct{})
	var over sync.WaitGroup
	over.Go(func() {
		each := time.NewTicker(5 * time.Second)
		defer each.Stop()
		for {
			select {
			case <-each.C:
				if err := s.Send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Ping{Ping: &agentv1.Ping{}}}); err != nil {
					_, why := s.Recv() // sending says only that it ended
					t.Errorf("the session ended: %v, %v", err, why)
					return
				}
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		over.Wait()
	})
}

// viewer is a browser that follows a log.
type viewer struct {
	body  io.ReadCloser
	lines *bufio.Scanner
}

// watch opens the stream that the page of a log listens to, from its beginning.
func (w *watchers) watch(t *testing.T) *viewer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.address, http.NoBody)
	if err != nil {
		t.Error(err)
		return nil
	}
	req.AddCookie(w.cookie)
	res, err := w.client.Do(req) //nolint:bodyclose // the viewer's, until it has seen all
	if err != nil {
		t.Error(err)
		return nil
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("a viewer got %s", res.Status)
	}
	return &viewer{res.Body, bufio.NewScanner(res.Body)}
}

// watchers are many browsers.
type watchers struct {
	client  *http.Client
	address string
	cookie  *http.Cookie
	all     []*viewer
}

// each does something for all at once.
func (w *watchers) each(do func(i int)) {
	var over sync.WaitGroup
	for i := range w.all {
		over.Go(func() { do(i) })
	}
	over.Wait()
}

// seen waits until all have been sent a text.
func (w *watchers) seen(t *testing.T, text string) {
	t.Helper()
	w.each(func(i int) {
		for w.all[i].lines.Scan() {
			if strings.Contains(w.all[i].lines.Text(), text) {
				return
			}
		}
		t.Errorf("viewer %d never saw %q: %v", i, text, w.all[i].lines.Err())
	})
}

// TestRun_ViewersCostTheAgentNothing has a thousand browsers follow a running log. The agent sends each line once, whoever watches: between
// its lines nothing at all passes between it and the control plane.
func TestRun_ViewersCostTheAgentNothing(t *testing.T) {
	t.Parallel()
	viewers := 1000
	if testing.Short() {
		viewers = 50
	}
	p := start(t, t.TempDir(), "--admin-password", password)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the control plane's log:\n%s", p.log)
		}
	})
	c, count := p.clients(p.token), &traffic{}
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "kind", Namespace: "tests", Environment: "staging"})
	worked(t, err)
	a := p.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken(), grpc.WithStatsHandler(count))
	s := a.connect(t)
	_, err = c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: document})
	worked(t, err)
	run, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout"})
	worked(t, err)
	command := receive(t, s).GetCommand()
	acknowledge(t, s, command.GetId())
	attempt := command.GetStart().GetAssignment().GetAttemptId()
	a.report(t, attempt, agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING, runnerv1.StepStatus_STEP_STATUS_RUNNING, nil, false)
	log := a.appendTo(t, attempt)
	log("first line\n")
	live(t, s)

	w := &watchers{
		client: &http.Client{Transport: &http.Transport{}}, cookie: (&world{program: p}).signIn(t, "admin@localhost"), all: make([]*viewer, viewers),
		address: fmt.Sprintf("%s/o/default/executions/%s/log/0/events?window=1&from=0", p.url, run.GetExecution().GetId()),
	}
	calls, messages := count.calls.Load(), count.messages.Load()
	begun := time.Now()
	w.each(func(i int) { w.all[i] = w.watch(t) })
	if t.Failed() {
		t.FailNow()
	}
	defer w.each(func(i int) { _ = w.all[i].body.Close() })
	w.seen(t, "first line")
	opened := time.Since(begun)
	if more := count.messages.Load() - messages; more != 0 || count.calls.Load() != calls {
		t.Errorf("%d viewers cost the agent %d messages and %d calls", viewers, more, count.calls.Load()-calls)
	}
	begun = time.Now()
	log("second line\n")
	if more := count.messages.Load() - messages; more != 2 || count.calls.Load() != calls {
		t.Errorf("a line cost the agent %d messages and %d calls with %d viewers, want one there, one back and no call", more, count.calls.Load()-calls, viewers)
	}
	w.seen(t, "second line")
	t.Logf("%d viewers see what there is after %s, and a new line after %s", viewers, opened.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
}

// appendTo opens the stream of the logs of an attempt and returns what appends to that of its step.
func (a *agent) appendTo(t *testing.T, attempt string) func(text string) {
	t.Helper()
	stream, err := a.gateway.AppendLogs(a.ctx)
	worked(t, err)
	pack, err := zstd.NewWriter(nil)
	worked(t, err)
	offset, line := int64(0), int64(0)
	return func(text string) {
		t.Helper()
		lines := strings.Count(text, "\n")
		err := stream.Send(&agentv1.AppendLogsRequest{AttemptId: attempt, Chunk: &runnerv1.LogChunk{
			Stream: "step/0", StartOffset: offset, FirstLine: line, RawLen: int32(len(text)), Lines: int32(lines), Data: pack.EncodeAll([]byte(text), nil),
			Crc32C: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)),
		}})
		if err != nil {
			_, err = stream.Recv() // sending says only that it ended
			t.Fatalf("the stream of logs ended: %v", err)
		}
		offset, line = offset+int64(len(text)), line+int64(lines)
		if r, err := stream.Recv(); err != nil || r.GetCommitted() != offset {
			t.Fatalf("answer %v, %v", r, err)
		}
	}
}
