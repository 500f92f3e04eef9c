package app_test

import (
	"crypto/sha256"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/app"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const document = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: checkout}
spec:
  container: {image: debian}
  steps:
    - name: test
      run: pytest
      reports: [{format: junit, paths: [r.xml]}]
`

const report = `<testsuite name="s" tests="2" failures="1"><testcase name="good"/>` +
	`<testcase name="bad"><failure message="expected 1, got 2"/></testcase></testsuite>`

const logText = "one\ntwo\n"

// TestRun_Chain goes the whole way with the program as it ships, on SQLite: everything but the cluster is real.
func TestRun_Chain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir)
	if p.token == "" {
		t.Fatalf("no credentials at the first start: %s", p.out)
	}
	c := p.clients(p.token)
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "kind", Namespace: "tests", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	a := p.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	s := a.connect(t)

	if _, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: document}); err != nil {
		t.Fatal(err)
	}
	run, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout", IdempotencyKey: "build-7"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout", IdempotencyKey: "build-7"})
	if err != nil || !again.GetExisted() || again.GetExecution().GetId() != run.GetExecution().GetId() {
		t.Fatalf("the same key started twice: %v, %v", again, err)
	}

	command := receive(t, s).GetCommand()
	assignment := command.GetStart().GetAssignment()
	if assignment.GetNamespace() != "tests" || assignment.GetExecutionId() != run.GetExecution().GetId() {
		t.Fatalf("command %v", command)
	}
	acknowledge(t, s, command.GetId())
	deliver(t, a, assignment.GetAttemptId(), c, run.GetExecution().GetId())

	// The agent is told that the Job may go.
	if r := receive(t, s).GetCommand().GetRelease(); r.GetAttemptId() != assignment.GetAttemptId() {
		t.Errorf("release %v", r)
	}
	look(t, p, c, run.GetExecution().GetId())

	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	restarted := start(t, dir)
	if strings.Contains(restarted.out.String(), "API token") {
		t.Error("credentials are shown a second time")
	}
	look(t, restarted, restarted.clients(p.token), run.GetExecution().GetId())
	restarted.renew(t, enrolled.GetAgentCa(), a)
	a.connect(t)
}

func acknowledge(t *testing.T, s session, id string) {
	t.Helper()
	send(t, s, &agentv1.AgentFrame{Frame: &agentv1.AgentFrame_CommandAck{CommandAck: &agentv1.CommandAck{
		CommandId: id, Outcome: agentv1.CommandOutcome_COMMAND_OUTCOME_DONE,
	}}})
}

// deliver sends what a run leaves behind while somebody follows.
func deliver(t *testing.T, a *agent, attempt string, c clients, execution string) {
	t.Helper()
	watch, err := c.executions.WatchExecution(t.Context(), &apiv1.WatchExecutionRequest{Id: execution})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	a.report(t, attempt, agentv1.AttemptStatus_ATTEMPT_STATUS_RUNNING, runnerv1.StepStatus_STEP_STATUS_RUNNING, nil, false)
	for watch.Receive() && watch.Msg().GetExecution().GetStatus() != apiv1.Status_STATUS_RUNNING {
	}
	follow, err := c.executions.StreamLog(t.Context(), &apiv1.StreamLogRequest{AttemptId: attempt, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	a.log(t, attempt, logText)
	got := ""
	for follow.Receive() {
		got += string(follow.Msg().GetData())
	}
	if got != logText || follow.Err() != nil {
		t.Fatalf("followed %q, %v", got, follow.Err())
	}
	code := int32(1)
	a.report(t, attempt, agentv1.AttemptStatus_ATTEMPT_STATUS_FAILED, runnerv1.StepStatus_STEP_STATUS_FAILED, &code, false)
	a.file(t, attempt, report)
	a.report(t, attempt, agentv1.AttemptStatus_ATTEMPT_STATUS_FAILED, runnerv1.StepStatus_STEP_STATUS_FAILED, &code, true)
	var last *apiv1.Execution
	for watch.Receive() {
		last = watch.Msg().GetExecution()
	}
	if watch.Err() != nil || last.GetStatus() != apiv1.Status_STATUS_FAILED || !last.GetRuns()[0].GetAttempts()[0].GetDelivered() {
		t.Fatalf("watched to %v, %v", last, watch.Err())
	}
}

func (a *agent) report(t *testing.T, attempt string, status agentv1.AttemptStatus, step runnerv1.StepStatus, code *int32, delivered bool) {
	t.Helper()
	_, err := a.gateway.ReportAttempt(a.ctx, &agentv1.ReportAttemptRequest{Report: &agentv1.AttemptReport{
		AttemptId: attempt, Status: status, Delivered: delivered, FromRunner: true, ObservedAt: timestamppb.Now(), StartedAt: timestamppb.Now(),
		Steps: []*runnerv1.StepState{{Index: 0, Name: "test", Status: step, ExitCode: code, StartedAt: timestamppb.Now()}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func (a *agent) log(t *testing.T, attempt, text string) {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	crc := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	stream, err := a.gateway.AppendLogs(a.ctx)
	if err != nil {
		t.Fatal(err)
	}
	size, lines := int64(len(text)), strings.Count(text, "\n")
	err = stream.Send(&agentv1.AppendLogsRequest{AttemptId: attempt, Chunk: &runnerv1.LogChunk{
		Stream: "step/0", RawLen: int32(size), Lines: int32(lines), Data: enc.EncodeAll([]byte(text), nil), Crc32C: crc,
		Final: &runnerv1.LogTotals{Bytes: size, Lines: int64(lines), Crc32C: crc},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := stream.Recv(); err != nil || r.GetCommitted() != size || !r.GetFinal() {
		t.Fatalf("answer %v, %v", r, err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
}

func (a *agent) file(t *testing.T, attempt, text string) {
	t.Helper()
	stream, err := a.gateway.PutFile(a.ctx)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	_ = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Header{Header: &runnerv1.FileHeader{
		AttemptId: attempt, Kind: runnerv1.FileKind_FILE_KIND_REPORT, Path: "r.xml", Size: int64(len(text)), Sha256: sum[:], Format: "junit",
	}}})
	_ = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Data{Data: []byte(text)}})
	if _, err := stream.CloseAndRecv(); err != nil {
		t.Fatal(err)
	}
}

// look reads the result as a pipeline does.
func look(t *testing.T, p *program, c clients, id string) {
	t.Helper()
	res, err := c.executions.GetExecution(t.Context(), &apiv1.GetExecutionRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	if e := res.GetExecution(); e.GetTests().GetTotal() != 2 || e.GetTests().GetFailed() != 1 {
		t.Errorf("counts %v", e.GetTests())
	}
	tests, err := c.executions.ListTestResults(t.Context(), &apiv1.ListTestResultsRequest{ExecutionId: id, Outcomes: []string{"failed"}})
	if err != nil || len(tests.GetResults()) != 1 || tests.GetResults()[0].GetMessage() != "expected 1, got 2" {
		t.Errorf("results %v, %v", tests, err)
	}
	files, err := c.executions.ListFiles(t.Context(), &apiv1.ListFilesRequest{ExecutionId: id})
	if err != nil || len(files.GetFiles()) != 1 || files.GetFiles()[0].GetGrade() != "consistent" {
		t.Fatalf("files %v, %v", files, err)
	}
	if body := get(t, c.http, p.url+files.GetFiles()[0].GetDownload()); body != report {
		t.Errorf("downloaded %q", body)
	}
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return string(body)
}

func TestRun_HealthMetricsAndPages(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/login": "<form", "/openapi.json": `"openapi": "3.1.1"`, "/api": "ExecutionService", "/schemas/v1/seatrial.json": `"$id": "https://seatrial.dev/schemas/v1/seatrial.json"`} {
		if body := get(t, http.DefaultClient, p.url+path); !strings.Contains(body, want) {
			t.Errorf("%s: %.200q", path, body)
		}
	}
	address := freeAddress(t)
	apart := start(t, t.TempDir(), "--metrics-listen", address)
	for url, want := range map[string]bool{
		p.url + "/metrics": true, apart.url + "/metrics": false, "http://" + address + "/metrics": true,
	} {
		if got := strings.Contains(get(t, http.DefaultClient, url), "seatrial_agent_sessions"); got != want {
			t.Errorf("%s has metrics: %t", url, got)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().String()
}

func TestRun_StopEndsStreams(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	c := p.clients(p.token)
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "kind"})
	if err != nil {
		t.Fatal(err)
	}
	s := p.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken()).connect(t)
	begun := time.Now()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("the stop took %s with an agent connected", took)
	}
	away := false
	for {
		f, err := s.Recv()
		if err != nil {
			break
		}
		away = away || f.GetGoAway() != nil
	}
	if !away {
		t.Error("the agent was not told")
	}
}

func TestRun_SaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		dir   string
		args  []string
		shown []string
	}{
		"PortTaken":  {t.TempDir(), []string{"--listen", lis.Addr().String()}, []string{"--listen", "another process"}},
		"DataDir":    {filepath.Join(file, "data"), nil, []string{"--data-dir"}},
		"Database":   {t.TempDir(), []string{"--database", "mysql://x"}, []string{"database"}},
		"Redis":      {t.TempDir(), []string{"--redis", "nonsense"}, []string{"--redis"}},
		"NoCert":     {t.TempDir(), []string{"--tls-cert", file + "1", "--tls-key", file}, []string{"--tls-cert"}},
		"NoAgentCrt": {t.TempDir(), []string{"--agent-tls-cert", file + "1", "--agent-tls-key", file}, []string{"--agent-tls-cert"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := app.Run(t.Context(), app.Options{Config: configure(t, tc.dir, tc.args...), Out: io.Discard, Log: io.Discard})
			if err == nil {
				t.Fatal("started")
			}
			for _, want := range tc.shown {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}
