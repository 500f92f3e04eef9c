package cmd_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// hooked is the webhooks of a control plane.
type hooked struct {
	apiv1connect.UnimplementedWebhookServiceHandler
}

const deliveryID = "01900000-0000-7000-8000-00000000000d"

func chat() *apiv1.Webhook {
	return &apiv1.Webhook{
		Name: "chat", Team: "core", Format: "slack", Address: "https://hooks.slack.test", Events: []string{"execution.failed", "execution.fixed"},
		Workflows: []string{"checkout-*"}, Labels: map[string]string{"tier": "gold", "app": "shop"},
		Last: &apiv1.Delivery{Id: deliveryID, Event: "execution.failed", State: "pending", Attempts: 2, Code: 500, Error: "it answered 500", TriedAt: instant(0)},
	}
}

func (hooked) ListWebhooks(context.Context, *apiv1.ListWebhooksRequest) (*apiv1.ListWebhooksResponse, error) {
	gone := &apiv1.Webhook{Name: "gone", Team: "core", Format: "standard", Address: "https://ci.test", Events: []string{"release.verdict"}, PausedBy: "the receiver\x1b[31m", PausedBecause: "It has answered 410."}
	return &apiv1.ListWebhooksResponse{Webhooks: []*apiv1.Webhook{chat(), gone}}, nil
}

func (hooked) GetWebhook(_ context.Context, r *apiv1.GetWebhookRequest) (*apiv1.GetWebhookResponse, error) {
	if r.GetName() != "chat" {
		return nil, connect.NewError(connect.CodeNotFound, textError("there is no webhook"))
	}
	return &apiv1.GetWebhookResponse{Webhook: chat()}, nil
}

// SetWebhook says back what it was asked for.
func (hooked) SetWebhook(_ context.Context, r *apiv1.SetWebhookRequest) (*apiv1.SetWebhookResponse, error) {
	if r.GetName() == "say" {
		labels := make([]string, 0, len(r.GetLabels()))
		for k, v := range r.GetLabels() {
			labels = append(labels, k+"="+v)
		}
		slices.Sort(labels)
		return nil, connect.NewError(connect.CodeInvalidArgument, textError(fmt.Sprintf("mask %s; format %q events %q workflows %q labels %q environments %q template %q token %q",
			strings.Join(r.GetUpdateMask().GetPaths(), ","), r.GetFormat(), r.GetEvents(), r.GetWorkflows(), labels, r.GetEnvironments(), r.GetTemplate(), r.GetToken())))
	}
	if r.GetName() == "ours" {
		return &apiv1.SetWebhookResponse{Created: true, Secret: "whsec_abc", Webhook: &apiv1.Webhook{Name: "ours"}}, nil
	}
	return &apiv1.SetWebhookResponse{Webhook: chat()}, nil
}

func (hooked) TestWebhook(_ context.Context, r *apiv1.TestWebhookRequest) (*apiv1.TestWebhookResponse, error) {
	d := &apiv1.Delivery{Id: deliveryID, State: "delivered", Code: 204, TookMillis: 31}
	if r.GetName() == "gone" {
		d = &apiv1.Delivery{Id: deliveryID, State: "failed", Code: 410, Error: "it answered 410"}
	}
	return &apiv1.TestWebhookResponse{Delivery: d}, nil
}

func (hooked) ListDeliveries(context.Context, *apiv1.ListDeliveriesRequest) (*apiv1.ListDeliveriesResponse, error) {
	return &apiv1.ListDeliveriesResponse{Deliveries: []*apiv1.Delivery{
		{Id: deliveryID, Event: "execution.failed", About: "checkout failed in staging", State: "pending", Attempts: 2, Code: 500, TookMillis: 120, Error: "it answered 500", CreatedAt: instant(0)},
		{Id: strings.Replace(deliveryID, "d", "e", 1), Event: "execution.fixed", About: "checkout is fixed in staging", State: "delivered", Attempts: 1, Code: 200, TookMillis: 12, CreatedAt: instant(1)},
	}}, nil
}

func (hooked) Redeliver(_ context.Context, r *apiv1.RedeliverRequest) (*apiv1.RedeliverResponse, error) {
	return &apiv1.RedeliverResponse{Delivery: &apiv1.Delivery{Id: r.GetId(), State: "pending"}}, nil
}

func (hooked) RotateSecret(context.Context, *apiv1.RotateSecretRequest) (*apiv1.RotateSecretResponse, error) {
	return &apiv1.RotateSecretResponse{Secret: "whsec_def"}, nil
}

func (hooked) PauseWebhook(context.Context, *apiv1.PauseWebhookRequest) (*apiv1.PauseWebhookResponse, error) {
	return &apiv1.PauseWebhookResponse{Webhook: chat()}, nil
}

func (hooked) RemoveWebhook(context.Context, *apiv1.RemoveWebhookRequest) (*apiv1.RemoveWebhookResponse, error) {
	return &apiv1.RemoveWebhookResponse{}, nil
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"webhook-list": {"list"}, "webhook-list-json": {"list", "-o", "json"}, "webhook-show": {"show", "chat"}, "webhook-none": {"show", "none"},
		"webhook-set-new": {"set", "ours", "--url", "https://ci.test/hook"}, "webhook-set": {"set", "chat", "--environment", "production-*"},
		"webhook-set-nothing": {"set", "say"}, "webhook-set-lifted": {"set", "say", "--workflow", "", "--label", "", "--environment", "", "--event", "", "--template", ""},
		"webhook-set-all": {
			"set", "say", "--format", "teams", "--event", "tests.flaky", "--event", "release.verdict", "--workflow", "a-*", "--label", "tier=gold", "--label", "x=",
			"--environment", "eu-*", "--template", "${{ execution.workflow }}", "--token-stdin",
		},
		"webhook-set-label": {"set", "say", "--label", "nonsense"}, "webhook-set-nobody": {"set"},
		"webhook-test": {"test", "chat"}, "webhook-test-failed": {"test", "gone"}, "webhook-deliveries": {"deliveries", "chat"},
		"webhook-deliveries-json": {"deliveries", "chat", "-o", "json"}, "webhook-redeliver": {"redeliver", "chat", deliveryID},
		"webhook-rotate": {"rotate-secret", "ours"}, "webhook-pause": {"pause", "chat"}, "webhook-resume": {"resume", "chat"}, "webhook-remove": {"remove", "chat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.in = "token of the receiver\n"
			golden(t, name, s.run(t, append([]string{"webhook"}, args...)...))
		})
	}
}

func TestApply_Webhook(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.in = "kind: Webhook\n"
	s.plane.applied = func(*apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
		return &apiv1.ApplyWorkflowResponse{
			Webhook: &apiv1.Webhook{Name: "chat", Revision: 1}, Outcome: apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED, Missing: "It has no address yet.",
		}, nil
	}
	golden(t, "apply-webhook", s.run(t, "apply", "-f", "-"))
}
