package app_test

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func TestBurst(t *testing.T) {
	p := start(t, t.TempDir())
	c := p.clients(p.token)
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "kind", Namespace: "tests", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	a := p.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	s := a.connect(t)
	c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: document})
	begun := time.Now()
	_, err = c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout"})
	if err != nil {
		t.Fatal(err)
	}
	command := receive(t, s).GetCommand()
	t.Log("trigger to command", time.Since(begun))
	acknowledge(t, s, command.GetId())
	attempt := command.GetStart().GetAssignment().GetAttemptId()
	a.report(t, attempt, agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING, runnerv1.StepStatus_STEP_STATUS_RUNNING, nil, false)
	enc, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	var raw []byte
	lines := int32(0)
	for len(raw) < 250<<10 {
		raw = fmt.Appendf(raw, "2026-01-01T00:00:00Z INFO request id=%016x path=/checkout/items status=200 duration=%dms\n", rand.Uint64(), rand.IntN(1000))
		lines++
	}
	data := enc.EncodeAll(raw, nil)
	crc := crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli))
	const n = 400
	begun = time.Now()
	stream, err := a.gateway.AppendLogs(a.ctx)
	if err != nil {
		t.Fatal(err)
	}
	window := make(chan struct{}, 16)
	go func() {
		for i := range int64(n) {
			window <- struct{}{}
			stream.Send(&agentv1.AppendLogsRequest{AttemptId: attempt, Chunk: &runnerv1.LogChunk{
				Stream: "step/0", StartOffset: i * int64(len(raw)), RawLen: int32(len(raw)), Lines: lines, FirstLine: i * int64(lines), Data: data, Crc32C: crc,
			}})
		}
	}()
	for range n {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		<-window
	}
	d := time.Since(begun)
	t.Logf("%d MB raw in %s: %.1f MB/s, packed %d of %d", n*len(raw)>>20, d, float64(n*len(raw))/1e6/d.Seconds(), len(data), len(raw))
	begun = time.Now()
	follow, _ := c.executions.StreamLog(t.Context(), &apiv1.StreamLogRequest{AttemptId: attempt})
	got := 0
	for follow.Receive() {
		got += len(follow.Msg().GetData())
	}
	t.Logf("read %d MB in %s", got>>20, time.Since(begun))
	if got != n*len(raw) {
		t.Errorf("got %d", got)
	}
}
