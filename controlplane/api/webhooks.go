package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Webhooks says who hears of what happens, for the viewer of the context. Implemented by notify.
type Webhooks interface {
	List(ctx context.Context) ([]notify.Webhook, error)
	Get(ctx context.Context, name string) (notify.Webhook, error)
	// Set makes a webhook or changes it; the secret is empty unless it was made just now.
	Set(ctx context.Context, in notify.Setting) (w notify.Webhook, secret string, created bool, err error)
	Test(ctx context.Context, name string) (notify.Delivery, error)
	Pause(ctx context.Context, name string, paused bool) (notify.Webhook, error)
	Rotate(ctx context.Context, name string) (w notify.Webhook, secret string, err error)
	Remove(ctx context.Context, name string) error
	Deliveries(ctx context.Context, name string, state notify.State, size int, after string) (list []notify.Delivery, next string, err error)
	Redeliver(ctx context.Context, name string, id uuid.UUID) (notify.Delivery, error)
}

// ListWebhooks implements WebhookServiceHandler.
func (s *server) ListWebhooks(ctx context.Context, _ *apiv1.ListWebhooksRequest) (*apiv1.ListWebhooksResponse, error) {
	list, err := s.Webhooks.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	out := &apiv1.ListWebhooksResponse{}
	for _, w := range list {
		out.Webhooks = append(out.Webhooks, webhookOf(w))
	}
	return out, nil
}

// GetWebhook implements WebhookServiceHandler.
func (s *server) GetWebhook(ctx context.Context, r *apiv1.GetWebhookRequest) (*apiv1.GetWebhookResponse, error) {
	w, err := s.Webhooks.Get(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("get webhook: %w", err)
	}
	return &apiv1.GetWebhookResponse{Webhook: webhookOf(w)}, nil
}

// SetWebhook implements WebhookServiceHandler.
func (s *server) SetWebhook(ctx context.Context, r *apiv1.SetWebhookRequest) (*apiv1.SetWebhookResponse, error) {
	in := notify.Setting{URL: r.GetUrl(), Token: r.GetToken(), Webhook: notify.Webhook{
		Name: r.GetName(), Team: r.GetTeam(), Format: notify.Format(r.GetFormat()), Template: r.GetTemplate(),
		Filter: notify.Filter{Workflows: r.GetWorkflows(), Labels: r.GetLabels(), Environments: r.GetEnvironments()},
	}}
	for _, e := range r.GetEvents() {
		in.Events = append(in.Events, notify.Event(e))
	}
	if r.GetUpdateMask() != nil {
		in.Given = []notify.Part{}
	}
	for _, path := range r.GetUpdateMask().GetPaths() {
		in.Given = append(in.Given, notify.Part(path))
	}
	w, secret, created, err := s.Webhooks.Set(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("set webhook: %w", err)
	}
	return &apiv1.SetWebhookResponse{Webhook: webhookOf(w), Created: created, Secret: secret}, nil
}

// TestWebhook implements WebhookServiceHandler.
func (s *server) TestWebhook(ctx context.Context, r *apiv1.TestWebhookRequest) (*apiv1.TestWebhookResponse, error) {
	d, err := s.Webhooks.Test(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("test webhook: %w", err)
	}
	return &apiv1.TestWebhookResponse{Delivery: deliveryOf(d)}, nil
}

// PauseWebhook implements WebhookServiceHandler.
func (s *server) PauseWebhook(ctx context.Context, r *apiv1.PauseWebhookRequest) (*apiv1.PauseWebhookResponse, error) {
	w, err := s.Webhooks.Pause(ctx, r.GetName(), r.GetPaused())
	if err != nil {
		return nil, fmt.Errorf("pause webhook: %w", err)
	}
	return &apiv1.PauseWebhookResponse{Webhook: webhookOf(w)}, nil
}

// RotateSecret implements WebhookServiceHandler.
func (s *server) RotateSecret(ctx context.Context, r *apiv1.RotateSecretRequest) (*apiv1.RotateSecretResponse, error) {
	w, secret, err := s.Webhooks.Rotate(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("rotate secret: %w", err)
	}
	return &apiv1.RotateSecretResponse{Webhook: webhookOf(w), Secret: secret}, nil
}

// RemoveWebhook implements WebhookServiceHandler.
func (s *server) RemoveWebhook(ctx context.Context, r *apiv1.RemoveWebhookRequest) (*apiv1.RemoveWebhookResponse, error) {
	if err := s.Webhooks.Remove(ctx, r.GetName()); err != nil {
		return nil, fmt.Errorf("remove webhook: %w", err)
	}
	return &apiv1.RemoveWebhookResponse{}, nil
}

// ListDeliveries implements WebhookServiceHandler.
func (s *server) ListDeliveries(ctx context.Context, r *apiv1.ListDeliveriesRequest) (*apiv1.ListDeliveriesResponse, error) {
	list, next, err := s.Webhooks.Deliveries(ctx, r.GetName(), notify.State(r.GetState()), int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	out := &apiv1.ListDeliveriesResponse{NextPageToken: next}
	for _, d := range list {
		out.Deliveries = append(out.Deliveries, deliveryOf(d))
	}
	return out, nil
}

// Redeliver implements WebhookServiceHandler.
func (s *server) Redeliver(ctx context.Context, r *apiv1.RedeliverRequest) (*apiv1.RedeliverResponse, error) {
	id, err := uuid.Parse(r.GetId())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "that is no id of a delivery").WithField("id")
	}
	d, err := s.Webhooks.Redeliver(ctx, r.GetName(), id)
	if err != nil {
		return nil, fmt.Errorf("redeliver: %w", err)
	}
	return &apiv1.RedeliverResponse{Delivery: deliveryOf(d)}, nil
}

func webhookOf(w notify.Webhook) *apiv1.Webhook {
	out := &apiv1.Webhook{
		Name: w.Name, Team: w.Team, Format: string(w.Format), Address: w.Address, Workflows: w.Filter.Workflows, Labels: w.Filter.Labels,
		Environments: w.Filter.Environments, Template: w.Template, PausedBy: w.PausedBy, PausedBecause: w.PausedWhy, PausedAt: timeOf(w.PausedAt),
		RotatedAt: timeOf(w.RotatedAt), Source: w.Source, Digest: w.Digest, Suspended: w.Suspended, UpdatedAt: timeOf(w.UpdatedAt),
	}
	if w.Digest != "" {
		out.Revision = int32Of(w.Revision)
	}
	for _, e := range w.Events {
		out.Events = append(out.Events, string(e))
	}
	if w.Last != nil {
		out.Last = deliveryOf(*w.Last)
	}
	return out
}

func deliveryOf(d notify.Delivery) *apiv1.Delivery {
	return &apiv1.Delivery{
		Id: d.ID.String(), Event: string(d.Event), About: d.About, State: string(d.State), Attempts: int32Of(d.Attempts), CreatedAt: timeOf(d.At),
		TriedAt: timeOf(d.TriedAt), NextAt: timeOf(d.NextAt), Code: int32Of(d.Code), TookMillis: d.Took.Milliseconds(),
		Answer: strings.ToValidUTF8(string(d.Answer), "�"), Error: d.Error, Body: string(d.Body),
	}
}
