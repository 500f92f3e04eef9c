package agentlink_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// calls makes every call of AgentGateway once and returns its error.
func calls() map[string]func(context.Context, agentv1.AgentGatewayClient) error {
	id := uuid.NewString()
	return map[string]func(context.Context, agentv1.AgentGatewayClient) error{
		"Session": func(ctx context.Context, c agentv1.AgentGatewayClient) error {
			s, err := c.Session(ctx)
			if err != nil {
				return err
			}
			_, err = s.Recv()
			return err
		},
		"AppendLogs": func(ctx context.Context, c agentv1.AgentGatewayClient) error {
			s, err := c.AppendLogs(ctx)
			if err != nil {
				return err
			}
			_, err = s.Recv()
			return err
		},
		"PutFile": func(ctx context.Context, c agentv1.AgentGatewayClient) error {
			s, err := c.PutFile(ctx)
			if err != nil {
				return err
			}
			_, err = s.CloseAndRecv()
			return err
		},
		"FetchAttempt": func(ctx context.Context, c agentv1.AgentGatewayClient) error {
			_, err := c.FetchAttempt(ctx, &agentv1.FetchAttemptRequest{AttemptId: id})
			return err
		},
		"ReportAttempt": func(ctx context.Context, c agentv1.AgentGatewayClient) error {
			_, err := c.ReportAttempt(ctx, &agentv1.ReportAttemptRequest{Report: &agentv1.AttemptReport{AttemptId: id}})
			return err
		},
		"StreamState": func(ctx context.Context, c agentv1.AgentGatewayClient) error {
			_, err := c.StreamState(ctx, &agentv1.StreamStateRequest{AttemptId: id})
			return err
		},
	}
}

func TestServer_EveryCallNeedsAnAgentsToken(t *testing.T) {
	t.Parallel()
	if want := len(agentv1.AgentGateway_ServiceDesc.Methods) + len(agentv1.AgentGateway_ServiceDesc.Streams); len(calls()) != want {
		t.Fatalf("%d calls are tried, the service has %d", len(calls()), want)
	}
	b := setup(t, agentlink.Timing{})
	for name, call := range calls() {
		for kind, token := range map[string]string{"None": "", "Expired": "old", "Person": "person"} {
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if token != "" {
					ctx = as(ctx, token)
				}
				if err := call(ctx, b.gateway); status.Code(err) != codes.Unauthenticated {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestServer_ReportAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	id, now, code := uuid.New(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), int32(3)
	reply, err := b.gateway.ReportAttempt(as(t.Context(), "good"), &agentv1.ReportAttemptRequest{Report: &agentv1.AttemptReport{
		AttemptId: id.String(), Status: agentv1.AttemptStatus_ATTEMPT_STATUS_TIMED_OUT, Reason: "Timeout", Message: "m", Node: "n", Pod: "p",
		Notes: []string{"x"}, Delivered: true, FromRunner: true, ObservedAt: timestamppb.New(now),
		StartedAt: &timestamppb.Timestamp{Nanos: -1},
		Steps: []*runnerv1.StepState{{
			Index: 1, Name: "s", Status: runnerv1.StepStatus_STEP_STATUS_FAILED, ExitCode: &code, Reason: "r", FinishedAt: timestamppb.New(now),
			Log: &runnerv1.LogTotals{Bytes: 9, Lines: 2, GapBytes: 1},
		}},
		Services: []*agentv1.ServiceState{
			{
				Name: "db", Status: agentv1.ServiceStatus_SERVICE_STATUS_FAILED, Message: "m", ExitCode: &code, Restarts: 2, StartedAt: timestamppb.New(now),
				FinishedAt: timestamppb.New(now),
			},
			{Name: "web", Status: 99},
		},
		SubjectStart: &agentv1.Subject{
			Images: []*agentv1.SubjectImage{{Container: "c", Image: "shop:1", Digest: "sha256:1"}}, ObservedAt: timestamppb.New(now), Cut: true, Message: "m",
		},
		SubjectEnd: &agentv1.Subject{Message: "nobody knows", ObservedAt: &timestamppb.Timestamp{Nanos: -1}},
	}})
	if err != nil || reply.GetStatus() != agentv1.AttemptStatus_ATTEMPT_STATUS_TIMED_OUT {
		t.Fatalf("reply %v, error %v", reply, err)
	}
	exit := 3
	want := []execution.Report{{
		Attempt: id, Status: execution.TimedOut, Reason: "Timeout", Message: "m", Node: "n", Pod: "p", Notes: []string{"x"},
		Delivered: true, FromRunner: true, ObservedAt: now,
		Steps: []execution.Step{{
			Index: 1, Name: "s", Status: execution.Failed, ExitCode: &exit, Reason: "r", FinishedAt: now,
			Log: execution.Log{Bytes: 9, Lines: 2, GapBytes: 1},
		}},
		Services: []execution.Service{
			{Name: "db", Status: execution.ServiceFailed, Message: "m", ExitCode: &exit, Restarts: 2, StartedAt: now, FinishedAt: now},
			{Name: "web"},
		},
		SubjectStart: &execution.Subject{
			Images: []execution.SubjectImage{{Container: "c", Image: "shop:1", Digest: "sha256:1"}}, ObservedAt: now, Cut: true, Message: "m",
		},
		SubjectEnd: &execution.Subject{Message: "nobody knows"},
	}}
	if d := cmp.Diff(want, b.intake.reports); d != "" {
		t.Error(d)
	}
	if b.intake.viewer.Cluster != b.viewer.Cluster {
		t.Error("the report did not run as its agent")
	}
}

func TestServer_StreamState(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	got, err := b.gateway.StreamState(as(t.Context(), "good"), &agentv1.StreamStateRequest{AttemptId: uuid.NewString()})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int64{"step/0": 7, "step/1": 3, "service/db": 4}, got.GetCommitted()); d != "" || len(got.GetFinal()) != 1 {
		t.Errorf("%v: %s", got, d)
	}
	c := got.GetCursors()["service/db"]
	if len(got.GetCursors()) != 1 || c.GetLastTime().AsTime().Unix() != 5 || c.GetLines() != 1 || c.GetGapBytes() != 2 {
		t.Errorf("cursors %v: the log of a service is found again by time", got.GetCursors())
	}
}

func TestServer_PutFile(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	stream, err := b.gateway.PutFile(as(t.Context(), "good"))
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Header{Header: &runnerv1.FileHeader{
		AttemptId: uuid.NewString(), Kind: runnerv1.FileKind_FILE_KIND_ARTIFACT, Path: "a.txt", Size: 10,
	}}})
	for _, part := range []string{"hello", "", "world"} {
		_ = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Data{Data: []byte(part)}})
	}
	if r, err := stream.CloseAndRecv(); err != nil || r.GetSize() != 10 {
		t.Fatalf("reply %v, error %v", r, err)
	}
	if b.intake.files["a.txt"] != "helloworld" {
		t.Errorf("stored %q", b.intake.files)
	}
}

// TestServer_PutFile_Silence proves that an agent which opens an upload and sends nothing holds nothing for ever.
func TestServer_PutFile_Silence(t *testing.T) {
	t.Parallel()
	for _, withHeader := range []bool{true, false} {
		b := setup(t, agentlink.Timing{Idle: time.Millisecond})
		stream, err := b.gateway.PutFile(as(t.Context(), "good"))
		if err != nil {
			t.Fatal(err)
		}
		if withHeader {
			_ = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Header{Header: &runnerv1.FileHeader{
				AttemptId: uuid.NewString(), Kind: runnerv1.FileKind_FILE_KIND_ARTIFACT, Path: "a.txt", Size: 10,
			}}})
		}
		err = stream.RecvMsg(&agentv1.PutFileResponse{})
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "nothing more of the file") {
			t.Errorf("with a header %t: answer %v", withHeader, err)
		}
	}
}

func TestServer_ErrorsSayWhatToDoAndHideDefects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err   error
		code  codes.Code
		shown string
	}{
		"Fault":    {fault.New(fault.NotFound, "no such attempt").WithHint("Ask again."), codes.NotFound, "no such attempt (Ask again.)"},
		"Conflict": {fault.New(fault.Conflict, "ended"), codes.FailedPrecondition, "ended"},
		"Quota":    {fault.New(fault.Exhausted, "full"), codes.ResourceExhausted, "full"},
		"Defect":   {errors.New("dial tcp: password=hunter2"), codes.Internal, "the control plane failed; its log says why"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, agentlink.Timing{})
			b.intake.fail = tc.err
			_, err := b.gateway.StreamState(as(t.Context(), "good"), &agentv1.StreamStateRequest{AttemptId: uuid.NewString()})
			if status.Code(err) != tc.code || status.Convert(err).Message() != tc.shown {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestServer_Identity(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	request := func() *agentv1.EnrolRequest {
		return &agentv1.EnrolRequest{BootstrapToken: "boot", PublicKey: make([]byte, 32), ClusterUid: "uid"}
	}
	got, err := b.names.Enrol(t.Context(), request())
	if err != nil || got.GetToken() != "good" || got.GetAgentId() != b.viewer.Cluster.String() || got.GetClusterName() != "kind" {
		t.Fatalf("enrolled %v, error %v", got, err)
	}
	nonce, err := b.names.Challenge(t.Context(), &agentv1.ChallengeRequest{AgentId: got.GetAgentId()})
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := b.names.Renew(t.Context(), &agentv1.RenewRequest{AgentId: got.GetAgentId(), Nonce: nonce.GetNonce()})
	if err != nil || renewed.GetToken() != "good" {
		t.Errorf("renewed %v, error %v", renewed, err)
	}
	short := request()
	short.PublicKey = short.PublicKey[1:]
	if _, err := b.names.Enrol(t.Context(), short); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a short key: %v", err)
	}
	spent := request()
	spent.BootstrapToken = "other"
	if _, err := b.names.Enrol(t.Context(), spent); status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "Create a new one.") {
		t.Errorf("a spent token: %v", err)
	}
	for range 600 {
		if _, err = b.names.Enrol(t.Context(), spent); status.Code(err) == codes.ResourceExhausted {
			return
		}
	}
	t.Error("tokens can be guessed without limit")
}
