package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/archive"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/results"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// idOf parses an id that a caller gave. What is no id at all cannot be found, but saying so helps more.
func idOf(text, field string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil, fault.New(fault.Invalid, "%q is not an id", text).WithField(field).
			WithHint("Ids look like %s; `seatrial get executions` lists them.", uuid.Nil)
	}
	return id, nil
}

// RunWorkflow implements ExecutionServiceHandler.
func (s *server) RunWorkflow(ctx context.Context, r *apiv1.RunWorkflowRequest) (*apiv1.RunWorkflowResponse, error) {
	if err := release.CheckCommit(r.GetCommit()); err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	e, existed, err := s.Runner.Start(ctx, execution.Request{
		Workflow: r.GetWorkflow(), Params: r.GetParams(), Environments: r.GetEnvironments(), IdempotencyKey: r.GetIdempotencyKey(), Trigger: "api",
		Commit: r.GetCommit(), Application: r.GetRelease().GetApplication(), Version: r.GetRelease().GetVersion(),
	})
	if err != nil {
		return nil, fmt.Errorf("run workflow %s: %w", r.GetWorkflow(), err)
	}
	return &apiv1.RunWorkflowResponse{Execution: executionOf(e), Existed: existed, Url: s.executionPage(ctx, e.ID)}, nil
}

// executionPage is the address of the page of an execution, empty when it is not known: it is a convenience.
func (s *server) executionPage(ctx context.Context, id execution.ID) string {
	if s.PublicURL == "" {
		return ""
	}
	organization, _, err := s.Accounts.Describe(ctx)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s/o/%s/executions/%s", s.PublicURL, organization, id)
}

// RerunExecution implements ExecutionServiceHandler.
func (s *server) RerunExecution(ctx context.Context, r *apiv1.RerunExecutionRequest) (*apiv1.RerunExecutionResponse, error) {
	id, err := idOf(r.GetId(), "id")
	if err != nil {
		return nil, err
	}
	e, existed, err := s.Runner.Rerun(ctx, id, execution.Again{Failed: r.GetFailedOnly(), IdempotencyKey: r.GetIdempotencyKey(), Trigger: "api"})
	if err != nil {
		return nil, fmt.Errorf("run execution %s again: %w", id, err)
	}
	return &apiv1.RerunExecutionResponse{Execution: executionOf(e), Existed: existed, Url: s.executionPage(ctx, e.ID)}, nil
}

// GetExecution implements ExecutionServiceHandler.
func (s *server) GetExecution(ctx context.Context, r *apiv1.GetExecutionRequest) (*apiv1.GetExecutionResponse, error) {
	id, err := idOf(r.GetId(), "id")
	if err != nil {
		return nil, err
	}
	e, err := s.History.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("get execution: %w", err)
	}
	return &apiv1.GetExecutionResponse{Execution: executionOf(e)}, nil
}

// ListExecutions implements ExecutionServiceHandler.
func (s *server) ListExecutions(ctx context.Context, r *apiv1.ListExecutionsRequest) (*apiv1.ListExecutionsResponse, error) {
	status, ok := statusFrom(r.GetStatus())
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no status %d", r.GetStatus()).WithField("status")
	}
	list, next, err := s.History.Executions(ctx, r.GetWorkflow(), status, int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list executions: %w", err)
	}
	out := &apiv1.ListExecutionsResponse{NextPageToken: next}
	for _, e := range list {
		out.Executions = append(out.Executions, executionOf(e))
	}
	return out, nil
}

// CancelExecution implements ExecutionServiceHandler.
func (s *server) CancelExecution(ctx context.Context, r *apiv1.CancelExecutionRequest) (*apiv1.CancelExecutionResponse, error) {
	id, err := idOf(r.GetId(), "id")
	if err != nil {
		return nil, err
	}
	if err := s.Runner.Cancel(ctx, id, r.GetReason()); err != nil {
		return nil, fmt.Errorf("cancel execution: %w", err)
	}
	e, err := s.History.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read cancelled execution: %w", err)
	}
	return &apiv1.CancelExecutionResponse{Execution: executionOf(e)}, nil
}

// ResumeExecution implements ExecutionServiceHandler.
func (s *server) ResumeExecution(ctx context.Context, r *apiv1.ResumeExecutionRequest) (*apiv1.ResumeExecutionResponse, error) {
	id, err := idOf(r.GetId(), "id")
	if err != nil {
		return nil, err
	}
	which := execution.Resume{Step: r.GetStep(), Reason: r.GetComment()}
	if r.GetRunId() != "" {
		if which.Run, err = idOf(r.GetRunId(), "run_id"); err != nil {
			return nil, err
		}
	}
	steps, err := s.Runner.Resume(ctx, id, which)
	if err != nil {
		return nil, fmt.Errorf("resume execution: %w", err)
	}
	e, err := s.History.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read resumed execution: %w", err)
	}
	return &apiv1.ResumeExecutionResponse{Execution: executionOf(e), Steps: int32(steps)}, nil //nolint:gosec // G115: a few thousand
}

// ListTestResults implements ExecutionServiceHandler.
func (s *server) ListTestResults(ctx context.Context, r *apiv1.ListTestResultsRequest) (*apiv1.ListTestResultsResponse, error) {
	id, err := idOf(r.GetExecutionId(), "execution_id")
	if err != nil {
		return nil, err
	}
	known := results.Outcomes()
	for _, o := range r.GetOutcomes() {
		if !slices.Contains(known, results.Outcome(o)) {
			return nil, fault.New(fault.Invalid, "there is no outcome %q", o).WithField("outcomes").WithHint("Outcomes are %q.", known)
		}
	}
	list, next, err := s.History.Results(ctx, id, r.GetOutcomes(), int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list test results: %w", err)
	}
	out := &apiv1.ListTestResultsResponse{NextPageToken: next}
	for _, one := range list {
		out.Results = append(out.Results, resultOf(one))
	}
	return out, nil
}

// ListFiles implements ExecutionServiceHandler.
func (s *server) ListFiles(ctx context.Context, r *apiv1.ListFilesRequest) (*apiv1.ListFilesResponse, error) {
	id, err := idOf(r.GetExecutionId(), "execution_id")
	if err != nil {
		return nil, err
	}
	e, err := s.History.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read execution: %w", err)
	}
	list, err := s.History.Files(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	out := &apiv1.ListFilesResponse{}
	names := archive.Names(e, list)
	for i, f := range list {
		out.Files = append(out.Files, fileOf(f, names[i]))
	}
	if len(list) > 0 {
		out.Archive = archivesPath + id.String()
	}
	return out, nil
}
