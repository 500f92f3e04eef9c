package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/trigger"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Triggers says what happens and what is started by it, for the viewer of the context. Implemented by trigger.
type Triggers interface {
	List(ctx context.Context, size int, after string) (list []trigger.Record, next string, err error)
	Get(ctx context.Context, name string) (trigger.Record, error)
	Remove(ctx context.Context, name string) error
	// Watched says of triggers for what happens in clusters how it stands with them there.
	Watched(ctx context.Context, records []trigger.Record) (map[uuid.UUID][]trigger.Watched, error)
	// Try says what a trigger would do about a message, or why nothing.
	Try(ctx context.Context, name, kind string, header http.Header, body []byte) (given trigger.Given, why string, err error)
	Events(ctx context.Context, f trigger.Filter) (list []trigger.Event, next string, err error)
	Receivers(ctx context.Context) ([]trigger.Receiver, error)
	// CreateReceiver returns the secret, which nobody can show again.
	CreateReceiver(ctx context.Context, name, kind, team string) (r trigger.Receiver, secret string, err error)
	RotateReceiver(ctx context.Context, name string) (secret string, err error)
	RemoveReceiver(ctx context.Context, name string) error
}

// Gate answers forges that hold deployments back, for the viewer of the context. Implemented by gate.
type Gate interface {
	SetApp(ctx context.Context, receiver string, app gate.App) error
	List(ctx context.Context, size int, after string) (list []gate.Deployment, next string, err error)
}

// HooksPath is where receivers are; the id of one follows.
const HooksPath = "/hooks/"

// ListTriggers implements TriggerServiceHandler.
func (s *server) ListTriggers(ctx context.Context, r *apiv1.ListTriggersRequest) (*apiv1.ListTriggersResponse, error) {
	list, next, err := s.Triggers.List(ctx, int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list triggers: %w", err)
	}
	watched, err := s.Triggers.Watched(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("list watches: %w", err)
	}
	out := &apiv1.ListTriggersResponse{NextPageToken: next}
	for _, record := range list {
		record.Source = ""
		out.Triggers = append(out.Triggers, triggerOf(record, watched[record.ID]))
	}
	return out, nil
}

// GetTrigger implements TriggerServiceHandler.
func (s *server) GetTrigger(ctx context.Context, r *apiv1.GetTriggerRequest) (*apiv1.GetTriggerResponse, error) {
	record, err := s.Triggers.Get(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("get trigger: %w", err)
	}
	events, _, err := s.Triggers.Events(ctx, trigger.Filter{Trigger: r.GetName(), Size: preview})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	watched, err := s.Triggers.Watched(ctx, []trigger.Record{record})
	if err != nil {
		return nil, fmt.Errorf("list watches: %w", err)
	}
	return &apiv1.GetTriggerResponse{Trigger: triggerOf(record, watched[record.ID]), Events: eventsOf(events)}, nil
}

// DryRunTrigger implements TriggerServiceHandler.
func (s *server) DryRunTrigger(ctx context.Context, r *apiv1.DryRunTriggerRequest) (*apiv1.DryRunTriggerResponse, error) {
	header := http.Header{}
	for name, value := range r.GetHeaders() {
		header.Set(name, value)
	}
	given, why, err := s.Triggers.Try(ctx, r.GetName(), r.GetKind(), header, r.GetBody())
	if err != nil {
		return nil, fmt.Errorf("test trigger: %w", err)
	}
	return &apiv1.DryRunTriggerResponse{Matches: why == "", Reason: why, Params: given.Params, Commit: given.Commit}, nil
}

// RemoveTrigger implements TriggerServiceHandler.
func (s *server) RemoveTrigger(ctx context.Context, r *apiv1.RemoveTriggerRequest) (*apiv1.RemoveTriggerResponse, error) {
	if err := s.Triggers.Remove(ctx, r.GetName()); err != nil {
		return nil, fmt.Errorf("remove trigger: %w", err)
	}
	return &apiv1.RemoveTriggerResponse{}, nil
}

// ListEvents implements TriggerServiceHandler.
func (s *server) ListEvents(ctx context.Context, r *apiv1.ListEventsRequest) (*apiv1.ListEventsResponse, error) {
	list, next, err := s.Triggers.Events(ctx, trigger.Filter{
		Trigger: r.GetTrigger(), Kind: r.GetKind(), Subject: r.GetSubject(), Size: int(r.GetPageSize()), After: r.GetPageToken(),
	})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return &apiv1.ListEventsResponse{Events: eventsOf(list), NextPageToken: next}, nil
}

// ListReceivers implements TriggerServiceHandler.
func (s *server) ListReceivers(ctx context.Context, _ *apiv1.ListReceiversRequest) (*apiv1.ListReceiversResponse, error) {
	list, err := s.Triggers.Receivers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list receivers: %w", err)
	}
	out := &apiv1.ListReceiversResponse{}
	for _, r := range list {
		out.Receivers = append(out.Receivers, s.receiverOf(r))
	}
	return out, nil
}

// CreateReceiver implements TriggerServiceHandler.
func (s *server) CreateReceiver(ctx context.Context, r *apiv1.CreateReceiverRequest) (*apiv1.CreateReceiverResponse, error) {
	made, secret, err := s.Triggers.CreateReceiver(ctx, r.GetName(), r.GetKind(), r.GetTeam())
	if err != nil {
		return nil, fmt.Errorf("create receiver: %w", err)
	}
	return &apiv1.CreateReceiverResponse{Receiver: s.receiverOf(made), Secret: secret}, nil
}

// RotateReceiver implements TriggerServiceHandler.
func (s *server) RotateReceiver(ctx context.Context, r *apiv1.RotateReceiverRequest) (*apiv1.RotateReceiverResponse, error) {
	secret, err := s.Triggers.RotateReceiver(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("rotate receiver: %w", err)
	}
	return &apiv1.RotateReceiverResponse{Secret: secret}, nil
}

// SetReceiverApp implements TriggerServiceHandler.
func (s *server) SetReceiverApp(ctx context.Context, r *apiv1.SetReceiverAppRequest) (*apiv1.SetReceiverAppResponse, error) {
	if err := s.Gate.SetApp(ctx, r.GetName(), gate.App{ID: r.GetApp(), Key: r.GetPrivateKey(), URL: r.GetUrl()}); err != nil {
		return nil, fmt.Errorf("set the app of a receiver: %w", err)
	}
	return &apiv1.SetReceiverAppResponse{}, nil
}

// ListDeployments implements TriggerServiceHandler.
func (s *server) ListDeployments(ctx context.Context, r *apiv1.ListDeploymentsRequest) (*apiv1.ListDeploymentsResponse, error) {
	list, next, err := s.Gate.List(ctx, int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list deployments: %w", err)
	}
	out := &apiv1.ListDeploymentsResponse{NextPageToken: next}
	for _, d := range list {
		out.Deployments = append(out.Deployments, &apiv1.Deployment{
			Id: d.ID.String(), Receiver: d.From, Repository: d.Repository, Environment: d.Environment, Target: d.Target, Commit: d.Commit, Actor: d.Actor,
			State: string(d.State), Said: d.Said, Error: d.Error, CreatedAt: timeOf(d.At), AnsweredAt: timeOf(d.Answered),
		})
	}
	return out, nil
}

// RemoveReceiver implements TriggerServiceHandler.
func (s *server) RemoveReceiver(ctx context.Context, r *apiv1.RemoveReceiverRequest) (*apiv1.RemoveReceiverResponse, error) {
	if err := s.Triggers.RemoveReceiver(ctx, r.GetName()); err != nil {
		return nil, fmt.Errorf("remove receiver: %w", err)
	}
	return &apiv1.RemoveReceiverResponse{}, nil
}

func triggerOf(r trigger.Record, watched []trigger.Watched) *apiv1.Trigger {
	kind, about := trigger.On(r.Spec)
	if k := r.Spec.Kubernetes; k != nil {
		about = trigger.Sight(*k)
	}
	var watches []*apiv1.TriggerWatch
	for _, w := range watched {
		watches = append(watches, &apiv1.TriggerWatch{Cluster: w.Name, State: w.State, Message: w.Message, Since: timeOf(w.Since)})
	}
	return &apiv1.Trigger{
		Watches: watches,
		Name:    r.Name, Team: r.Team, Workflow: r.Workflow, Revision: int32Of(r.Revision), Digest: r.Digest, Source: r.Source, Kind: kind, About: about,
		Suspended: r.Spec.Suspend, Starts: starter.Words(r.Spec.Start), UpdatedAt: timeOf(r.UpdatedAt),
	}
}

func eventsOf(list []trigger.Event) (out []*apiv1.Event) {
	for _, e := range list {
		wire := &apiv1.Event{
			Id: e.ID.String(), Kind: e.Kind, Source: e.Source, Type: e.Type, Subject: e.Subject, At: timeOf(e.At), Judged: e.Judged, Reason: e.Reason,
			Data: string(e.Data),
		}
		for _, r := range e.Reactions {
			wire.Reactions = append(wire.Reactions, &apiv1.Reaction{
				Trigger: r.Name, State: string(r.State), Reason: r.Reason, FiredAt: timeOf(r.FiredAt), Due: timeOf(r.Due), Started: startedOf(r.Starts),
			})
		}
		for _, p := range e.Passed {
			wire.Passed = append(wire.Passed, &apiv1.PassedTrigger{Trigger: p.Trigger, Why: p.Why})
		}
		out = append(out, wire)
	}
	return out
}

func (s *server) receiverOf(r trigger.Receiver) *apiv1.Receiver {
	return &apiv1.Receiver{
		Name: r.Name, Kind: r.Kind, Team: r.Team, Url: s.PublicURL + HooksPath + r.ID.String(), CreatedAt: timeOf(r.CreatedAt), HeardAt: timeOf(r.HeardAt),
		RefusedAt: timeOf(r.RefusedAt), Refused: r.Refused,
	}
}
