package api

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// ApplyWorkflow implements WorkflowServiceHandler.
func (s *server) ApplyWorkflow(ctx context.Context, r *apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
	doc, err := workflow.Parse(r.GetFile(), []byte(r.GetSource()))
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	record := workflow.Record{
		Name: doc.Metadata.Name, Labels: doc.Metadata.Labels, Description: doc.Spec.Description, Digest: doc.Digest, Source: r.GetSource(),
	}
	outcome := apiv1.ApplyOutcome_APPLY_OUTCOME_UNCHANGED
	if r.GetDryRun() {
		record, outcome, err = s.wouldApply(ctx, record)
	} else {
		var created, changed bool
		record, created, changed, err = s.Catalog.ApplyWorkflow(ctx, record, r.GetTeam())
		switch {
		case created:
			outcome = apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED
		case changed:
			outcome = apiv1.ApplyOutcome_APPLY_OUTCOME_CHANGED
		}
	}
	if err != nil {
		return nil, fmt.Errorf("apply workflow %s: %w", doc.Metadata.Name, err)
	}
	out := workflowOf(record)
	out.Source, out.Params = "", paramsOf(doc.Spec.Params)
	return &apiv1.ApplyWorkflowResponse{Workflow: out, Outcome: outcome}, nil
}

// wouldApply says what applying would do.
func (s *server) wouldApply(ctx context.Context, record workflow.Record) (workflow.Record, apiv1.ApplyOutcome, error) {
	known, err := s.Catalog.Workflow(ctx, record.Name)
	switch {
	case fault.Is(err, fault.NotFound):
		record.Revision = 1
		return record, apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED, nil
	case err != nil:
		return record, apiv1.ApplyOutcome_APPLY_OUTCOME_UNSPECIFIED, err //nolint:wrapcheck // the caller says what for
	case known.Digest == record.Digest:
		return known, apiv1.ApplyOutcome_APPLY_OUTCOME_UNCHANGED, nil
	}
	record.ID, record.Team, record.Revision = known.ID, known.Team, known.Revision+1
	return record, apiv1.ApplyOutcome_APPLY_OUTCOME_CHANGED, nil
}

// GetWorkflow implements WorkflowServiceHandler.
func (s *server) GetWorkflow(ctx context.Context, r *apiv1.GetWorkflowRequest) (*apiv1.GetWorkflowResponse, error) {
	record, err := s.Catalog.Workflow(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("get workflow %s: %w", r.GetName(), err)
	}
	out := workflowOf(record)
	// What an earlier version accepted is shown even when this one cannot read it; running it says why.
	if doc, err := workflow.Parse(record.Name, []byte(record.Source)); err == nil {
		out.Params = paramsOf(doc.Spec.Params)
	}
	return &apiv1.GetWorkflowResponse{Workflow: out}, nil
}

// ListWorkflows implements WorkflowServiceHandler.
func (s *server) ListWorkflows(ctx context.Context, r *apiv1.ListWorkflowsRequest) (*apiv1.ListWorkflowsResponse, error) {
	records, next, err := s.Catalog.Workflows(ctx, int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list workflows: %w", err)
	}
	out := &apiv1.ListWorkflowsResponse{NextPageToken: next}
	for _, record := range records {
		out.Workflows = append(out.Workflows, workflowOf(record))
	}
	return out, nil
}
