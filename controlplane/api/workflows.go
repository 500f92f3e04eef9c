package api

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// ApplyWorkflow implements WorkflowServiceHandler.
func (s *server) ApplyWorkflow(ctx context.Context, r *apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
	applied, err := s.Applier.Apply(ctx, catalog.Request{
		File: r.GetFile(), Source: r.GetSource(), Team: r.GetTeam(), DryRun: r.GetDryRun(), Along: r.GetAlong(),
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	out := &apiv1.ApplyWorkflowResponse{Outcome: map[catalog.Outcome]apiv1.ApplyOutcome{
		catalog.Unchanged: apiv1.ApplyOutcome_APPLY_OUTCOME_UNCHANGED, catalog.Created: apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED,
		catalog.Changed: apiv1.ApplyOutcome_APPLY_OUTCOME_CHANGED,
	}[applied.Outcome], Missing: applied.Missing}
	if applied.Place != nil {
		out.Environment = environmentOf(*applied.Place)
		return out, nil
	}
	switch applied.Record.Kind {
	case document.TemplateKind:
		out.Template = templateOf(applied.Record)
		out.Template.Params = paramsOf(applied.Params)
		return out, nil
	case document.ReadinessPolicyKind:
		out.Policy = policyOf(applied.Record)
		return out, nil
	case document.ScheduleKind:
		out.Schedule = &apiv1.Schedule{
			Name: applied.Record.Name, Team: applied.Record.Team, Labels: applied.Record.Labels, Revision: int32Of(applied.Record.Revision),
			Digest: applied.Record.Digest, UpdatedAt: timeOf(applied.Record.UpdatedAt),
		}
		return out, nil
	}
	if applied.Record.Kind == document.WebhookKind {
		out.Webhook = &apiv1.Webhook{
			Name: applied.Record.Name, Team: applied.Record.Team, Revision: int32Of(applied.Record.Revision), Digest: applied.Record.Digest,
			UpdatedAt: timeOf(applied.Record.UpdatedAt),
		}
		return out, nil
	}
	if applied.Record.Kind == document.TriggerKind {
		out.Trigger = &apiv1.Trigger{
			Name: applied.Record.Name, Team: applied.Record.Team, Revision: int32Of(applied.Record.Revision), Digest: applied.Record.Digest,
			UpdatedAt: timeOf(applied.Record.UpdatedAt),
		}
		return out, nil
	}
	out.Workflow = workflowOf(applied.Record)
	out.Workflow.Params = paramsOf(applied.Params)
	return out, nil
}

// GetWorkflow implements WorkflowServiceHandler.
func (s *server) GetWorkflow(ctx context.Context, r *apiv1.GetWorkflowRequest) (*apiv1.GetWorkflowResponse, error) {
	record, err := s.Catalog.Workflow(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("get workflow %s: %w", r.GetName(), err)
	}
	out := workflowOf(record)
	// What an earlier version accepted is shown even when this one cannot read it; running it says why.
	if doc, err := workflow.Load(record.Name, []byte(record.Source)); err == nil {
		out.Params = paramsOf(doc.Spec.Params)
	}
	return &apiv1.GetWorkflowResponse{Workflow: out}, nil
}

// ListWorkflows implements WorkflowServiceHandler.
func (s *server) ListWorkflows(ctx context.Context, r *apiv1.ListWorkflowsRequest) (*apiv1.ListWorkflowsResponse, error) {
	last, ok := statusFrom(r.GetLastStatus())
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no status %d", r.GetLastStatus()).WithField("last_status")
	}
	f := workflow.Filter{Text: r.GetText(), Team: r.GetTeam(), Labels: r.GetLabels(), Last: string(last)}
	if r.GetNeverRan() {
		f.Last = workflow.NeverRun
	}
	records, next, err := s.Catalog.FindWorkflows(ctx, f, int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list workflows: %w", err)
	}
	out := &apiv1.ListWorkflowsResponse{NextPageToken: next}
	for _, record := range records {
		out.Workflows = append(out.Workflows, workflowOf(record))
	}
	return out, nil
}

// GetTemplate implements WorkflowServiceHandler.
func (s *server) GetTemplate(ctx context.Context, r *apiv1.GetTemplateRequest) (*apiv1.GetTemplateResponse, error) {
	record, err := s.Catalog.Template(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("get template %s: %w", r.GetName(), err)
	}
	users, err := s.Catalog.TemplateUsers(ctx, record.Name)
	if err != nil {
		return nil, fmt.Errorf("users of template %s: %w", record.Name, err)
	}
	out := templateOf(record)
	for _, user := range users {
		if user.Kind == document.TemplateKind {
			out.Templates = append(out.Templates, user.Name)
		} else {
			out.Workflows = append(out.Workflows, user.Name)
		}
	}
	if doc, err := workflow.Load(record.Name, []byte(record.Source)); err == nil {
		out.Params = paramsOf(doc.Spec.Params)
	}
	return &apiv1.GetTemplateResponse{Template: out}, nil
}

// ListTemplates implements WorkflowServiceHandler.
func (s *server) ListTemplates(ctx context.Context, r *apiv1.ListTemplatesRequest) (*apiv1.ListTemplatesResponse, error) {
	records, next, err := s.Catalog.Templates(ctx, int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	out := &apiv1.ListTemplatesResponse{NextPageToken: next}
	for _, record := range records {
		out.Templates = append(out.Templates, templateOf(record))
	}
	return out, nil
}
