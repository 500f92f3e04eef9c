package api

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/testcase"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// ListUnreliableTests implements TestServiceHandler.
func (s *server) ListUnreliableTests(ctx context.Context, r *apiv1.ListUnreliableTestsRequest) (*apiv1.ListUnreliableTestsResponse, error) {
	list, err := s.Tests.Unreliable(ctx, r.GetWorkflow())
	if err != nil {
		return nil, fmt.Errorf("list unreliable tests: %w", err)
	}
	out := &apiv1.ListUnreliableTestsResponse{}
	for _, h := range list {
		h.Runs = nil
		out.Tests = append(out.Tests, testOf(h))
	}
	return out, nil
}

// GetTest implements TestServiceHandler.
func (s *server) GetTest(ctx context.Context, r *apiv1.GetTestRequest) (*apiv1.GetTestResponse, error) {
	h, err := s.Tests.Test(ctx, r.GetKey())
	if err != nil {
		return nil, fmt.Errorf("get test: %w", err)
	}
	return &apiv1.GetTestResponse{Test: testOf(h)}, nil
}

// QuarantineTest implements TestServiceHandler.
func (s *server) QuarantineTest(ctx context.Context, r *apiv1.QuarantineTestRequest) (*apiv1.QuarantineTestResponse, error) {
	q, err := s.Tests.Quarantine(ctx, testcase.Ask{
		Test: r.GetKey(), Owner: r.GetOwner(), Reason: r.GetReason(), Ticket: r.GetTicket(), For: r.GetLifetime().AsDuration(),
	})
	if err != nil {
		return nil, fmt.Errorf("quarantine test: %w", err)
	}
	return &apiv1.QuarantineTestResponse{Quarantine: quarantineOf(&q)}, nil
}

// EndQuarantine implements TestServiceHandler.
func (s *server) EndQuarantine(ctx context.Context, r *apiv1.EndQuarantineRequest) (*apiv1.EndQuarantineResponse, error) {
	if err := s.Tests.Release(ctx, r.GetKey()); err != nil {
		return nil, fmt.Errorf("end quarantine: %w", err)
	}
	return &apiv1.EndQuarantineResponse{}, nil
}

func testOf(h testcase.History) *apiv1.Test {
	out := &apiv1.Test{
		Key: h.Key, Workflow: h.Workflow, Name: h.Name, Class: string(h.Score.Class), Attempts: int32Of(h.Score.N), Failures: int32Of(h.Score.K),
		FlakySubjects: int32Of(h.Score.D), Unclear: int32Of(h.Score.B), Rate: h.Score.Rate, Low: h.Score.Low, High: h.Score.High,
		CostPerWeek: durationpb.New(h.Cost), FailingInARow: int32Of(h.Since.InARow), ChangedForSure: h.Since.Sure,
		Quarantine: quarantineOf(h.Quarantine),
	}
	if h.Since.InARow > 0 {
		out.FailingSince = testRunOf(h.Since.Run)
		if !h.Since.LastPass.At.IsZero() {
			out.LastPassed = testRunOf(h.Since.LastPass)
		}
	}
	for _, r := range h.Runs {
		out.Runs = append(out.Runs, testRunOf(r))
	}
	return out
}

func testRunOf(r testcase.Run) *apiv1.TestRun {
	out := &apiv1.TestRun{
		ExecutionId: r.Execution.String(), At: timeOf(r.At), Environment: r.Environment, Variant: r.Variant, Outcome: string(r.Outcome),
		Duration: durationpb.New(r.Duration), Message: r.Message, Fingerprint: r.Fingerprint, Commit: r.Commit,
	}
	for _, earlier := range r.Earlier {
		out.Earlier = append(out.Earlier, string(earlier))
	}
	return out
}

func quarantineOf(q *testcase.Quarantine) *apiv1.Quarantine {
	if q == nil {
		return nil
	}
	return &apiv1.Quarantine{
		Id: q.ID, Test: q.Test, Name: q.Name, Owner: q.Owner, Reason: q.Reason, Ticket: q.Ticket, Actor: q.Actor, CreatedAt: timeOf(q.CreatedAt),
		Until: timeOf(q.Until),
	}
}
