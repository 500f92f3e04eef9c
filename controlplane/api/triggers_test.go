package api_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/trigger"
	language "github.com/seatrial/seatrial/controlplane/workflow/document"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// reactions is the triggers of a world, of which there is one, and what has happened there.
type reactions struct{ w *world }

func (s reactions) Get(ctx context.Context, name string) (trigger.Record, error) {
	if name != "on-push" {
		return trigger.Record{}, fault.New(fault.NotFound, "there is no trigger %q", name)
	}
	return trigger.Record{Name: name, Source: "kind: Trigger", Spec: language.TriggerSpec{
		Git: &language.GitEvent{Repository: "Acme/Shop"}, Start: language.Start{Workflows: []language.StartRef{{Name: "smoke"}}},
	}}, s.w.check(ctx)
}

func (s reactions) List(ctx context.Context, _ int, _ string) ([]trigger.Record, string, error) {
	r, err := s.Get(ctx, "on-push")
	return []trigger.Record{r}, "", err
}

func (s reactions) Remove(ctx context.Context, _ string) error { return s.w.check(ctx) }

func (s reactions) Try(ctx context.Context, _, kind string, header http.Header, _ []byte) (trigger.Given, string, error) {
	if kind == "github" && header.Get("X-GitHub-Event") == "push" {
		return trigger.Given{Commit: "abc"}, "", s.w.check(ctx)
	}
	return trigger.Given{}, "it is for another kind of events", s.w.check(ctx)
}

func (s reactions) Events(ctx context.Context, _ trigger.Filter) ([]trigger.Event, string, error) {
	return []trigger.Event{{
		ID: uuid.UUID{1}, Kind: "git", Source: "forge", Type: "push", Subject: "acme/shop", Judged: true, Data: []byte("{}"), Passed: []trigger.Passed{{Trigger: "other", Why: "it is for main"}},
		Reactions: []trigger.Reaction{{Name: "on-push", State: trigger.Started, Starts: []starter.Started{{Workflow: "smoke", Execution: uuid.UUID{2}}}}},
	}}, "", s.w.check(ctx)
}

func (s reactions) Watched(ctx context.Context, _ []trigger.Record) (map[uuid.UUID][]trigger.Watched, error) {
	return map[uuid.UUID][]trigger.Watched{{}: {{Name: "eu-1", State: trigger.WatchWatching}}}, s.w.check(ctx)
}

func (s reactions) Receivers(ctx context.Context) ([]trigger.Receiver, error) {
	return []trigger.Receiver{{ID: uuid.UUID{3}, Name: "forge", Kind: "github"}}, s.w.check(ctx)
}

func (s reactions) CreateReceiver(ctx context.Context, name, kind, _ string) (trigger.Receiver, string, error) {
	return trigger.Receiver{ID: uuid.UUID{3}, Name: name, Kind: kind}, "whsec_x", s.w.check(ctx)
}

func (s reactions) RotateReceiver(ctx context.Context, _ string) (string, error) {
	return "whsec_y", s.w.check(ctx)
}

func (s reactions) RemoveReceiver(ctx context.Context, _ string) error { return s.w.check(ctx) }

// asked is one deployment that waits.
type asked struct{ w *world }

func (a asked) SetApp(ctx context.Context, _ string, _ gate.App) error { return a.w.check(ctx) }

func (a asked) List(ctx context.Context, _ int, _ string) ([]gate.Deployment, string, error) {
	return []gate.Deployment{{ID: uuid.UUID{7}, From: "forge", Repository: "acme/shop", Environment: "Production", Target: "production", State: gate.Waiting}}, "more", a.w.check(ctx)
}

func triggerCalls() map[string]call {
	const name = "on-push"
	return map[string]call{
		"ListTriggers": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.ListTriggers(ctx, &apiv1.ListTriggersRequest{})
			return err
		}},
		"GetTrigger": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.GetTrigger(ctx, &apiv1.GetTriggerRequest{Name: name})
			return err
		}},
		"DryRunTrigger": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.DryRunTrigger(ctx, &apiv1.DryRunTriggerRequest{Name: name, Kind: "github"})
			return err
		}},
		"RemoveTrigger": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.RemoveTrigger(ctx, &apiv1.RemoveTriggerRequest{Name: name})
			return err
		}},
		"ListEvents": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.ListEvents(ctx, &apiv1.ListEventsRequest{})
			return err
		}},
		"ListReceivers": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.ListReceivers(ctx, &apiv1.ListReceiversRequest{})
			return err
		}},
		"CreateReceiver": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.CreateReceiver(ctx, &apiv1.CreateReceiverRequest{Name: "forge", Kind: "github"})
			return err
		}},
		"RotateReceiver": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.RotateReceiver(ctx, &apiv1.RotateReceiverRequest{Name: "forge"})
			return err
		}},
		"SetReceiverApp": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.SetReceiverApp(ctx, &apiv1.SetReceiverAppRequest{Name: "forge", App: "1", PrivateKey: "key"})
			return err
		}},
		"ListDeployments": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.ListDeployments(ctx, &apiv1.ListDeploymentsRequest{})
			return err
		}},
		"RemoveReceiver": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.triggers.RemoveReceiver(ctx, &apiv1.RemoveReceiverRequest{Name: "forge"})
			return err
		}},
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	got, err := b.triggers.GetTrigger(t.Context(), &apiv1.GetTriggerRequest{Name: "on-push"})
	if err != nil || got.GetTrigger().GetKind() != "git" || got.GetTrigger().GetAbout() != "acme/shop" || got.GetEvents()[0].GetReactions()[0].GetStarted()[0].GetWorkflow() != "smoke" ||
		got.GetEvents()[0].GetPassed()[0].GetWhy() != "it is for main" {
		t.Errorf("%v, %v", got, err)
	}
	made, err := b.triggers.CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "forge", Kind: "github"})
	if err != nil || made.GetSecret() != "whsec_x" || made.GetReceiver().GetUrl() != "https://seatrial.test/hooks/"+(uuid.UUID{3}).String() {
		t.Errorf("%v, %v", made, err)
	}
	held, err := b.triggers.ListDeployments(t.Context(), &apiv1.ListDeploymentsRequest{})
	if d := held.GetDeployments(); err != nil || len(d) != 1 || d[0].GetState() != "waiting" || d[0].GetReceiver() != "forge" || d[0].GetTarget() != "production" || held.GetNextPageToken() != "more" {
		t.Errorf("%v, %v", held, err)
	}
	tried, err := b.triggers.DryRunTrigger(t.Context(), &apiv1.DryRunTriggerRequest{Name: "on-push", Kind: "github", Headers: map[string]string{"x-github-event": "push"}})
	if err != nil || !tried.GetMatches() || tried.GetCommit() != "abc" {
		t.Errorf("%v, %v", tried, err)
	}
}
