package cmd_test

import (
	"context"
	"slices"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// runs are the executions of a control plane: one, whose states are sent one after the other, and the log of its one step.
type runs struct {
	files []*apiv1.File // what ListFiles answers when set
	apiv1connect.UnimplementedExecutionServiceHandler

	mu     sync.Mutex
	states []*apiv1.Execution // what a watcher sees; the last one stays
	at     int                // how many were sent
	log    []byte
	chunk  int   // bytes in a message of the log
	gapAt  int64 // where a gap of ten bytes is; below zero for none

	cutWatch func(n int) error // after the n-th watch has sent one state: nil goes on, else it ends so; errClean ends it in order
	cutLog   func(n int) error // the same for messages of the log
	watching func()            // when set, a watch goes on after the last state and tells so
	watches  int
	streams  int
	offsets  []int64  // where the log was asked for from
	services []string // whose log was asked for instead of a step's

	perAttempt bool // each attempt has a log that names it

	started   func(*apiv1.RunWorkflowRequest) (*apiv1.RunWorkflowResponse, error)
	listErr   error
	cancelled []string
	resumed   []*apiv1.ResumeExecutionRequest
	stopped   *apiv1.Execution // what cancelling answers; running when nil
}

// errClean ends a stream as if everything had been said.
const errClean = textError("clean")

func newRuns() *runs { return &runs{gapAt: -1, chunk: 7} }

// execution returns one with one step.
func execution(s apiv1.Status, message string) *apiv1.Execution {
	return &apiv1.Execution{
		Id: "ex-1", Workflow: "smoke", Status: s, Message: message, CreatedAt: instant(0), StartedAt: instant(1), FinishedAt: instant(3),
		Tests: &apiv1.TestCounts{Total: 3, Passed: 1, Failed: 1, Skipped: 1},
		Runs: []*apiv1.Run{{Environment: "staging", Cluster: "eu-1", Attempts: []*apiv1.Attempt{{
			Id: "at-1", Number: 1, Status: s, Steps: []*apiv1.Step{{Index: 0, Name: "test", Status: s, StartedAt: instant(1), FinishedAt: instant(3)}},
		}}}},
	}
}

// withServices adds one that ran and one that was given a secret.
func withServices(e *apiv1.Execution) *apiv1.Execution {
	e.Runs[0].Attempts[0].Services = []*apiv1.Service{
		{
			Name: "db", Status: apiv1.ServiceStatus_SERVICE_STATUS_STOPPED, Restarts: 1, Message: "Ended with exit code 3: panic", StartedAt: instant(1),
			Log: &apiv1.Log{Bytes: 6, Lines: 1, Complete: true},
		},
		{Name: "vault", Status: apiv1.ServiceStatus_SERVICE_STATUS_STOPPED, LogWithheld: true},
	}
	return e
}

func (r *runs) RunWorkflow(_ context.Context, m *apiv1.RunWorkflowRequest) (*apiv1.RunWorkflowResponse, error) {
	if r.started != nil {
		return r.started(m)
	}
	return &apiv1.RunWorkflowResponse{Execution: execution(apiv1.Status_STATUS_QUEUED, ""), Url: "http://seatrial.example/ex-1"}, nil
}

func (r *runs) newest() *apiv1.Execution {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[len(r.states)-1]
}

func (r *runs) GetExecution(_ context.Context, m *apiv1.GetExecutionRequest) (*apiv1.GetExecutionResponse, error) {
	if m.GetId() != "ex-1" {
		return nil, connect.NewError(connect.CodeNotFound, textError("no execution "+m.GetId()))
	}
	return &apiv1.GetExecutionResponse{Execution: r.newest()}, nil
}

func (r *runs) ListExecutions(context.Context, *apiv1.ListExecutionsRequest) (*apiv1.ListExecutionsResponse, error) {
	return &apiv1.ListExecutionsResponse{Executions: []*apiv1.Execution{r.newest()}}, nil
}

// WatchExecution sends the state as it is now, then each that follows, as a real control plane does.
func (r *runs) WatchExecution(ctx context.Context, _ *apiv1.WatchExecutionRequest, s *connect.ServerStream[apiv1.WatchExecutionResponse]) error {
	err := r.watch(s)
	if r.watching != nil {
		r.watching()
		<-ctx.Done()
	}
	return err
}

func (r *runs) watch(s *connect.ServerStream[apiv1.WatchExecutionResponse]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches++
	for sent := max(r.at-1, 0); sent < len(r.states); sent++ {
		r.at = sent + 1
		if err := s.Send(&apiv1.WatchExecutionResponse{Execution: r.states[sent]}); err != nil {
			return err
		}
		if err := cut(r.cutWatch, r.watches); err != nil {
			return ended(err)
		}
	}
	return nil
}

func cut(when func(int) error, n int) error {
	if when == nil {
		return nil
	}
	return when(n)
}

func ended(err error) error {
	if err == errClean { //nolint:errorlint // it is never wrapped
		return nil
	}
	return err
}

func (r *runs) StreamLog(_ context.Context, m *apiv1.StreamLogRequest, s *connect.ServerStream[apiv1.StreamLogResponse]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams++
	r.offsets = append(r.offsets, m.GetOffset())
	if m.GetService() != "" {
		r.services = append(r.services, m.GetService())
	}
	// Chunks begin where they were stored, which may be before the offset that was asked for: the reader drops what it has.
	at := m.GetOffset() - m.GetOffset()%int64(r.chunk)
	log := r.log
	if r.perAttempt {
		log = []byte("the log of " + m.GetAttemptId() + "\n")
	}
	for at < int64(len(log)) {
		end := min(at+int64(r.chunk), int64(len(log)))
		res := &apiv1.StreamLogResponse{Offset: at, Data: log[at:end], Complete: end == int64(len(log))}
		if at == r.gapAt {
			res.Data, res.GapBytes = nil, end-at
		}
		if err := s.Send(res); err != nil {
			return err
		}
		at = end
		if err := cut(r.cutLog, r.streams); err != nil {
			return ended(err)
		}
	}
	return nil
}

func (r *runs) CancelExecution(_ context.Context, m *apiv1.CancelExecutionRequest) (*apiv1.CancelExecutionResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelled = append(r.cancelled, m.GetId()+": "+m.GetReason())
	if r.stopped != nil {
		return &apiv1.CancelExecutionResponse{Execution: r.stopped}, nil
	}
	return &apiv1.CancelExecutionResponse{Execution: execution(apiv1.Status_STATUS_RUNNING, "")}, nil
}

func (r *runs) ResumeExecution(_ context.Context, m *apiv1.ResumeExecutionRequest) (*apiv1.ResumeExecutionResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resumed = append(r.resumed, m)
	return &apiv1.ResumeExecutionResponse{Execution: execution(apiv1.Status_STATUS_PAUSED, ""), Steps: 1}, nil
}

func (r *runs) ListTestResults(_ context.Context, m *apiv1.ListTestResultsRequest) (*apiv1.ListTestResultsResponse, error) {
	if r.listErr != nil {
		return nil, r.listErr
	}
	all := []*apiv1.TestResult{
		{Outcome: "failed", Suite: "cart", Name: "total", Message: "41 is not 42\x1b[31m", AttemptId: "at-2", Duration: durationpb.New(1500e6)},
		{Outcome: "timed_out", Suite: "cart", Name: "pays", Message: "stopped after 30 s"},
		{Outcome: "blocked", Suite: "cart", Name: "ships"},
		{Outcome: "skipped", Suite: "cart", Name: "voucher"},
		{Outcome: "passed", Suite: "cart", Name: "empty"},
	}
	if only := m.GetOutcomes(); len(only) > 0 {
		all = slices.DeleteFunc(all, func(r *apiv1.TestResult) bool { return !slices.Contains(only, r.GetOutcome()) })
	}
	return &apiv1.ListTestResultsResponse{Results: all}, nil
}

func (r *runs) ListFiles(context.Context, *apiv1.ListFilesRequest) (*apiv1.ListFilesResponse, error) {
	if r.files != nil {
		return &apiv1.ListFilesResponse{Files: r.files, Archive: "/archives/ex-1"}, nil
	}
	return &apiv1.ListFilesResponse{Files: []*apiv1.File{{Kind: "report", Path: "out/junit.xml", Size: 512, AttemptId: "at-3", Grade: "consistent", Download: "/files/1"}}}, nil
}

func (r *runs) ListMetrics(_ context.Context, q *apiv1.ListMetricsRequest) (*apiv1.ListMetricsResponse, error) {
	if only := q.GetAttemptIds(); len(only) > 0 && !slices.Contains(only, "at-2") {
		return &apiv1.ListMetricsResponse{Cut: true}, nil
	}
	usage := &apiv1.Usage{Cpu: durationpb.New(1500e6), MemoryPeak: 200 << 20, ReadBytes: 12, WrittenBytes: 3 << 30, Throttled: durationpb.New(20e6)}
	return &apiv1.ListMetricsResponse{Steps: []*apiv1.StepMetrics{
		{AttemptId: "at-2", Step: "test", Usage: usage, Samples: []*apiv1.Sample{
			{At: durationpb.New(1e9), Cpu: durationpb.New(900e6), Memory: 200 << 20}, {At: durationpb.New(1700e6), Cpu: durationpb.New(1500e6), WrittenBytes: 3 << 30},
		}},
		{AttemptId: "at-2", StepIndex: 1, Step: "report", Usage: &apiv1.Usage{Note: "what the step used was not measured"}},
	}}, nil
}

// then returns the states one after the other.
func then(states ...*apiv1.Execution) []*apiv1.Execution {
	out := make([]*apiv1.Execution, len(states))
	for i, s := range states {
		out[i] = proto.CloneOf(s)
	}
	return out
}
