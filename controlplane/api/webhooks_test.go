package api_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// hooks is the webhooks of a world, of which there is one.
type hooks struct{ w *world }

func (h hooks) Get(ctx context.Context, name string) (notify.Webhook, error) {
	if err := h.w.check(ctx); err != nil {
		return notify.Webhook{}, err
	}
	if name != "chat" {
		return notify.Webhook{}, fault.New(fault.NotFound, "there is no webhook %q", name)
	}
	return notify.Webhook{Name: "chat", Team: "core", Format: notify.Slack, Address: "https://hooks.example", Events: []notify.Event{notify.Failed}}, nil
}

func (h hooks) List(ctx context.Context) ([]notify.Webhook, error) {
	w, err := h.Get(ctx, "chat")
	return []notify.Webhook{w}, err
}

func (h hooks) Set(ctx context.Context, in notify.Setting) (notify.Webhook, string, bool, error) {
	return in.Webhook, "whsec_new", true, h.w.check(ctx)
}

func (h hooks) Test(ctx context.Context, name string) (notify.Delivery, error) {
	_, err := h.Get(ctx, name)
	return notify.Delivery{State: notify.Delivered, Code: 204}, err
}

func (h hooks) Pause(ctx context.Context, name string, _ bool) (notify.Webhook, error) {
	return h.Get(ctx, name)
}

func (h hooks) Rotate(ctx context.Context, name string) (notify.Webhook, string, error) {
	w, err := h.Get(ctx, name)
	return w, "whsec_newer", err
}

func (h hooks) Remove(ctx context.Context, name string) error {
	_, err := h.Get(ctx, name)
	return err
}

func (h hooks) Deliveries(ctx context.Context, name string, _ notify.State, _ int, _ string) ([]notify.Delivery, string, error) {
	_, err := h.Get(ctx, name)
	return []notify.Delivery{{Event: notify.Failed, State: notify.GivenUp, Error: "it answered 500", Answer: []byte{0xff}}}, "more", err
}

func (h hooks) Redeliver(ctx context.Context, name string, id uuid.UUID) (notify.Delivery, error) {
	_, err := h.Get(ctx, name)
	return notify.Delivery{ID: id, State: notify.Pending}, err
}

func webhookCalls() map[string]call {
	const name = "chat"
	return map[string]call{
		"ListWebhooks": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.ListWebhooks(ctx, &apiv1.ListWebhooksRequest{})
			return err
		}},
		"GetWebhook": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.GetWebhook(ctx, &apiv1.GetWebhookRequest{Name: name})
			return err
		}},
		"ListDeliveries": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.ListDeliveries(ctx, &apiv1.ListDeliveriesRequest{Name: name})
			return err
		}},
		"SetWebhook": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.SetWebhook(ctx, &apiv1.SetWebhookRequest{Name: name})
			return err
		}},
		"TestWebhook": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.TestWebhook(ctx, &apiv1.TestWebhookRequest{Name: name})
			return err
		}},
		"PauseWebhook": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.PauseWebhook(ctx, &apiv1.PauseWebhookRequest{Name: name, Paused: true})
			return err
		}},
		"RotateSecret": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.RotateSecret(ctx, &apiv1.RotateSecretRequest{Name: name})
			return err
		}},
		"RemoveWebhook": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.RemoveWebhook(ctx, &apiv1.RemoveWebhookRequest{Name: name})
			return err
		}},
		"Redeliver": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.webhooks.Redeliver(ctx, &apiv1.RedeliverRequest{Name: name, Id: uuid.NewString()})
			return err
		}},
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	res, err := b.webhooks.SetWebhook(t.Context(), &apiv1.SetWebhookRequest{Name: "chat", Url: "https://hooks.example/x", Token: "hidden"})
	if err != nil || res.GetSecret() != "whsec_new" || !res.GetCreated() {
		t.Errorf("%v, %v", res, err)
	}
	list, err := b.webhooks.ListDeliveries(t.Context(), &apiv1.ListDeliveriesRequest{Name: "chat"})
	if err != nil || list.GetNextPageToken() != "more" || list.GetDeliveries()[0].GetState() != "failed" || list.GetDeliveries()[0].GetAnswer() != "�" {
		t.Errorf("%v, %v", list, err)
	}
}
