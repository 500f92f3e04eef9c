package viewfake

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ui/web/view"
)

// happenings is the triggers of a world and what has happened there.
type happenings struct{ *World }

// Triggers returns those of the sample; a world without workflows has none.
func (w *World) Triggers() view.Triggers { return happenings{w} }

// List implements view.Triggers.
func (h happenings) List(ctx context.Context, _ int, _ string) ([]trigger.Record, string, error) {
	if len(h.Workflows) == 0 {
		return nil, "", h.allowed(ctx)
	}
	starts := document.Start{Workflows: []document.StartRef{{Name: "checkout-api"}}}
	paused := starts
	paused.Suspend = true
	return []trigger.Record{
		{ID: uuid.UUID{7}, Name: "on-rollout", Team: "payments", Spec: document.TriggerSpec{Kubernetes: &document.KubernetesEvent{Environment: "staging-eu", Resource: "deployments", Event: trigger.RolledOut, Name: "checkout-*"}, Start: starts}},
		{ID: uuid.UUID{8}, Name: "on-certificate", Team: "payments", Spec: document.TriggerSpec{Kubernetes: &document.KubernetesEvent{Cluster: "eu-9", Resource: "certificates.cert-manager.io", Event: trigger.Reached, Condition: &document.ObjectCondition{Type: "Ready"}}, Start: starts}},
		{Name: "after-build", Team: "payments", Spec: document.TriggerSpec{Workflow: &document.WorkflowEvent{Name: "build-smoke"}, Start: paused}},
		{Name: "checkout-api.2", Workflow: "checkout-api", Team: "payments", Spec: document.TriggerSpec{Git: &document.GitEvent{Repository: "acme/shop", Events: []string{"push", "tag"}}, Start: starts}},
		{Name: "on-deploy", Team: "payments", Spec: document.TriggerSpec{Event: &document.CloudEvent{Receiver: "cd", Types: []string{"dev.cdevents.service.deployed.*"}}, Start: starts}},
	}, "", h.allowed(ctx)
}

// Watched implements view.Triggers.
func (h happenings) Watched(ctx context.Context, _ []trigger.Record) (map[uuid.UUID][]trigger.Watched, error) {
	return map[uuid.UUID][]trigger.Watched{
		{7}: {
			{Name: "eu-1", State: trigger.WatchWatching},
			{Name: "eu-2", State: trigger.WatchRefused, Message: "The agent may not watch in namespace shop: add it to triggers.namespaces of its chart and upgrade the release."},
		},
		{8}: {{State: trigger.WatchAbsent, Message: "There is no cluster eu-9 with an agent."}},
	}, h.allowed(ctx)
}

// Receivers implements view.Triggers.
func (h happenings) Receivers(ctx context.Context) ([]trigger.Receiver, error) {
	if len(h.Workflows) == 0 {
		return nil, h.allowed(ctx)
	}
	return []trigger.Receiver{
		{ID: uuid.UUID{1}, Name: "acme-github", Kind: "github", Team: "payments", HeardAt: h.Now().Add(-time.Minute)},
		{ID: uuid.UUID{2}, Name: "cd", Kind: "cloudevents", Team: "payments", RefusedAt: h.Now().Add(-time.Hour), Refused: "the token is not the receiver's secret"},
	}, h.allowed(ctx)
}

// Events implements view.Triggers.
func (h happenings) Events(ctx context.Context, f trigger.Filter) ([]trigger.Event, string, error) {
	if len(h.Workflows) == 0 || f.Subject == "none" {
		return nil, "", h.allowed(ctx)
	}
	return []trigger.Event{
		{
			Kind: trigger.Kube, Source: "eu-1", Type: "rolled-out", Subject: "deployments shop/checkout", At: h.Now().Add(-time.Second), Judged: true,
			Data:      []byte(`{"images":[{"container":"checkout","image":"registry.example/checkout:1.2","digest":"sha256:4001c41f83a096755f9746979782952c3345082b96420b8db978ce2106184c4d"}]}`),
			Reactions: []trigger.Reaction{{Name: "on-rollout", State: trigger.Waiting, Due: h.Now().Add(29 * time.Second)}},
		},
		{
			Kind: trigger.Kube, Source: "eu-1", Type: "rolled-out", Subject: "deployments shop/cart", At: h.Now().Add(-time.Minute), Judged: true,
			Reactions: []trigger.Reaction{
				{Name: "cart-smoke", State: trigger.Superseded, Reason: "it happened again before anything was started"},
				{Name: "cart-slow", State: trigger.Probing},
				{Name: "cart-deep", State: trigger.Failed, Reason: "The probe of port db.shop.svc:5432 did not succeed in 12 tries within 1m0s: connection refused"},
			},
		},
		{Source: "cd", Type: "dev.cdevents.service.deployed.0.1.1", Subject: "shop", At: h.Now().Add(-2 * time.Second)},
		{
			Source: "acme-github", Type: "push", Subject: "acme/shop", At: h.Now().Add(-time.Minute), Judged: true,
			Reactions: []trigger.Reaction{{Name: "checkout-api.2", State: trigger.Started, Reason: "the forge does not say which files have changed, so that paths were not looked at", Starts: []starter.Started{{Workflow: "checkout-api", Execution: ExecutionID(Passed)}}}},
			Passed:    []trigger.Passed{{Trigger: "on-release", Why: "the branch main is not one of release/*"}},
		},
		{Source: "acme-github", Type: "tag", Subject: "acme/cart", At: h.Now().Add(-time.Hour), Judged: true, Reason: "no trigger is for the repository acme/cart"},
	}, "", h.allowed(ctx)
}
