package cmd_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// happenings is the triggers of a control plane and what has happened there.
type happenings struct {
	apiv1connect.UnimplementedTriggerServiceHandler
}

func pushed() []*apiv1.Event {
	return []*apiv1.Event{
		{
			At: instant(0), Source: "acme-github", Type: "push", Subject: "acme/shop", Judged: true,
			Reactions: []*apiv1.Reaction{{Trigger: "on-push", State: "started", Started: []*apiv1.StartedWorkflow{{Workflow: "smoke", ExecutionId: "018f"}}}},
			Passed:    []*apiv1.PassedTrigger{{Trigger: "smoke.2", Why: "the branch main is not one of release/*"}},
		},
		{At: instant(0), Source: "acme-github", Type: "tag", Subject: "acme/cart", Judged: true, Reason: "no trigger is for the repository acme/cart"},
		{At: instant(0), Source: "cd", Type: "dev.cdevents.service.deployed.0.1.1", Subject: "shop"},
	}
}

func rolled() []*apiv1.Event {
	event := func(r *apiv1.Reaction) *apiv1.Event {
		r.Trigger = "on-rollout"
		return &apiv1.Event{
			At: instant(0), Source: "eu-1", Type: "rolled-out", Subject: "deployments shop/checkout", Judged: true, Reactions: []*apiv1.Reaction{r},
		}
	}
	return []*apiv1.Event{
		event(&apiv1.Reaction{State: "waiting", Due: instant(1)}),
		event(&apiv1.Reaction{State: "superseded", Reason: "it happened again before anything was started"}),
		event(&apiv1.Reaction{State: "failed", Reason: "The probe of http://shop.shop.svc:8080/healthz did not succeed in 20 tries within 1m40s: it answers 503 Service Unavailable"}),
	}
}

func (happenings) ListTriggers(context.Context, *apiv1.ListTriggersRequest) (*apiv1.ListTriggersResponse, error) {
	return &apiv1.ListTriggersResponse{Triggers: []*apiv1.Trigger{
		{Name: "on-push", Team: "core", Kind: "git", About: "acme/shop", Starts: []string{"smoke", "suite=api"}},
		{
			Name: "on-rollout", Team: "core", Kind: "kubernetes", About: "rolled-out deployments checkout-* of staging-eu", Starts: []string{"smoke"},
			Watches: []*apiv1.TriggerWatch{{Cluster: "eu-1", State: "watching", Since: instant(0)}, {Cluster: "eu-2", State: "refused"}},
		},
		{Name: "smoke.2", Team: "core", Kind: "workflow", About: "build", Starts: []string{"smoke"}, Suspended: true},
	}}, nil
}

func (happenings) GetTrigger(_ context.Context, r *apiv1.GetTriggerRequest) (*apiv1.GetTriggerResponse, error) {
	if r.GetName() == "on-rollout" {
		return &apiv1.GetTriggerResponse{Trigger: &apiv1.Trigger{
			Name: r.GetName(), Team: "core", Kind: "kubernetes", About: "rolled-out deployments checkout-*", Starts: []string{"smoke"},
			Watches: []*apiv1.TriggerWatch{
				{Cluster: "eu-1", State: "watching", Since: instant(0)},
				{Cluster: "eu-2", State: "refused", Message: "The agent may not watch deployments: add them to triggers.resources of its chart and upgrade the release."},
			},
		}, Events: rolled()}, nil
	}
	return &apiv1.GetTriggerResponse{Trigger: &apiv1.Trigger{
		Name: r.GetName(), Team: "core", Kind: "git", About: "acme/shop", Starts: []string{"smoke"}, Source: "kind: Trigger\n",
	}, Events: pushed()[:1]}, nil
}

func (happenings) DryRunTrigger(_ context.Context, r *apiv1.DryRunTriggerRequest) (*apiv1.DryRunTriggerResponse, error) {
	if r.GetHeaders()["X-GitHub-Event"] == "push" && string(r.GetBody()) == "{}" {
		return &apiv1.DryRunTriggerResponse{Matches: true, Commit: "abc", Params: map[string]string{"version": "1.2"}}, nil
	}
	return &apiv1.DryRunTriggerResponse{Reason: "the branch main is not one of release/*"}, nil
}

func (happenings) ListEvents(context.Context, *apiv1.ListEventsRequest) (*apiv1.ListEventsResponse, error) {
	return &apiv1.ListEventsResponse{Events: pushed()}, nil
}

func (happenings) ListReceivers(context.Context, *apiv1.ListReceiversRequest) (*apiv1.ListReceiversResponse, error) {
	return &apiv1.ListReceiversResponse{Receivers: []*apiv1.Receiver{
		{Name: "acme-github", Kind: "github", Team: "core", Url: "https://seatrial.test/hooks/018f", HeardAt: instant(0)},
		{Name: "cd", Kind: "cloudevents", Team: "core", Url: "https://seatrial.test/hooks/018e", RefusedAt: instant(1), Refused: "the token is not the receiver's secret"},
	}}, nil
}

func (happenings) CreateReceiver(_ context.Context, r *apiv1.CreateReceiverRequest) (*apiv1.CreateReceiverResponse, error) {
	return &apiv1.CreateReceiverResponse{Receiver: &apiv1.Receiver{Name: r.GetName(), Kind: r.GetKind(), Url: "https://seatrial.test/hooks/018f"}, Secret: "whsec_abc"}, nil
}

func (happenings) RemoveReceiver(context.Context, *apiv1.RemoveReceiverRequest) (*apiv1.RemoveReceiverResponse, error) {
	return &apiv1.RemoveReceiverResponse{}, nil
}

func (happenings) RemoveTrigger(context.Context, *apiv1.RemoveTriggerRequest) (*apiv1.RemoveTriggerResponse, error) {
	return &apiv1.RemoveTriggerResponse{}, nil
}

func (happenings) RotateReceiver(context.Context, *apiv1.RotateReceiverRequest) (*apiv1.RotateReceiverResponse, error) {
	return &apiv1.RotateReceiverResponse{Secret: "whsec_def"}, nil
}

func (happenings) SetReceiverApp(_ context.Context, r *apiv1.SetReceiverAppRequest) (*apiv1.SetReceiverAppResponse, error) {
	if r.GetPrivateKey() == "" || r.GetUrl() != "" {
		return nil, errors.New("not what was given")
	}
	return &apiv1.SetReceiverAppResponse{}, nil
}

func (happenings) ListDeployments(context.Context, *apiv1.ListDeploymentsRequest) (*apiv1.ListDeploymentsResponse, error) {
	return &apiv1.ListDeploymentsResponse{Deployments: []*apiv1.Deployment{
		{Id: "2", Receiver: "acme-github", Repository: "acme/shop", Environment: "Production", Target: "production", Commit: "c0ffee" + strings.Repeat("0", 34), State: "waiting", CreatedAt: instant(1), Error: "GitHub answered 503"},
		{Id: "1", Receiver: "acme-github", Repository: "acme/shop", Environment: "staging", Target: "staging", Commit: "c0ffee" + strings.Repeat("0", 34), State: "approved", CreatedAt: instant(0), Said: "[shop 1.42.0](https://seatrial.test/o/acme/releases/shop/1.42.0) is **READY**."},
	}}, nil
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"trigger-list": {"trigger", "list"}, "trigger-show": {"trigger", "show", "on-push"}, "trigger-show-watches": {"trigger", "show", "on-rollout"}, "events": {"events", "--subject", "acme/shop"},
		"trigger-test": {"trigger", "test", "on-push", "-f", "-", "--from", "github", "-H", "X-GitHub-Event: push"}, "trigger-test-not": {"trigger", "test", "on-push", "-f", "-"},
		"trigger-test-header": {"trigger", "test", "on-push", "-f", "-", "-H", "nonsense"},
		"receiver-list":       {"trigger", "receiver", "list"}, "receiver-create": {"trigger", "receiver", "create", "acme-github", "--from", "github"},
		"receiver-rotate": {"trigger", "receiver", "rotate", "acme-github"}, "receiver-app": {"trigger", "receiver", "app", "acme-github", "--app-id", "Iv23", "--key-file", "-"}, "release-deployments": {"release", "deployments"},
		"receiver-app-no-key": {"trigger", "receiver", "app", "acme-github", "--app-id", "Iv23", "--key-file", "missing.pem"}, "receiver-remove": {"trigger", "receiver", "remove", "acme-github"},
		"trigger-remove": {"trigger", "remove", "on-push"}, "events-json": {"events", "-o", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.in = "{}"
			golden(t, name, s.run(t, args...))
		})
	}
}
