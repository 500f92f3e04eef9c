package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

const pausing = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: pausing}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 1m
  steps:
    - name: build
      run: echo "version=42" >> "$SEATRIAL_OUTPUT"
      outputs: [version]
    - name: approve
      pause: {message: "Is ${{ steps.build.outputs.version }} fine?", timeout: 10m}
    - name: promote
      run: echo promoted
`

// TestPause has a person asked, and answer from the CLI and from the page, also when the agent was killed in between.
func TestPause(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	p.apply(t, pausing)

	id := p.run(t, "pausing")
	p.paused(t, id)
	if got := p.must(t, "get", "execution", id); !strings.Contains(got, "Is 42 fine?") {
		t.Errorf("nobody is told what is asked:\n%s", got)
	}
	if got := p.cli(t, "resume", id, "--step", "deploy"); got.code == 0 || !strings.Contains(got.err, "no step deploy") {
		t.Errorf("resumed another step: %+v", got)
	}
	p.must(t, "resume", id, "--comment", "tried it by hand")
	e := p.ended(t, id)
	approve := e.GetRuns()[0].GetAttempts()[0].GetSteps()[1]
	if e.GetStatus() != apiv1.Status_STATUS_PASSED || !strings.Contains(approve.GetReason(), "tried it by hand") {
		t.Errorf("%s: %s; the step says %q", e.GetStatus(), e.GetMessage(), approve.GetReason())
	}
	if got := p.cli(t, "resume", id); got.code == 0 || !strings.Contains(got.err, "nothing left to resume") {
		t.Errorf("resumed what is over: %+v", got)
	}

	id = p.run(t, "pausing")
	p.paused(t, id)
	pod := a.pod(t, id)
	a.kill(t)
	p.must(t, "resume", id) // while nobody listens
	if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_PASSED || a.pod(t, id) != pod {
		t.Errorf("%s in pod %s, was %s: %s", e.GetStatus(), a.pod(t, id), pod, e.GetMessage())
	}

	id = p.run(t, "pausing")
	p.paused(t, id)
	p.stop(t, syscall.SIGKILL)
	p.start(t)
	a.connected(t)
	p.must(t, "cancel", id)
	if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_CANCELLED {
		t.Errorf("cancelled while it waited: %s, %s", e.GetStatus(), e.GetMessage())
	}
}

// paused waits until an execution waits for a person.
func (p *plane) paused(t *testing.T, id string) {
	t.Helper()
	const want = apiv1.Status_STATUS_PAUSED
	if e := p.watch(t, id, func(e *apiv1.Execution) bool { return e.GetStatus() == want }); e.GetStatus() != want {
		t.Fatalf("the execution ended as %s before it was %s: %s", e.GetStatus(), want, e.GetMessage())
	}
}

// watch follows an execution until something holds of it, or it has ended.
func (p *plane) watch(t *testing.T, id string, holds func(*apiv1.Execution) bool) *apiv1.Execution {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := apiv1connect.NewExecutionServiceClient(http.DefaultClient, p.url, connect.WithGRPCWeb())
	ctx, call := connect.NewClientContext(ctx)
	call.RequestHeader().Set("Authorization", "Bearer "+p.token)
	stream, err := client.WatchExecution(ctx, &apiv1.WatchExecutionRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var last *apiv1.Execution
	for stream.Receive() {
		last = stream.Msg().GetExecution()
		if holds(last) || last.GetFinishedAt() != nil {
			return last
		}
	}
	t.Fatalf("the execution never came so far: %v; it is %s: %s", stream.Err(), last.GetStatus(), last.GetMessage())
	return nil
}
