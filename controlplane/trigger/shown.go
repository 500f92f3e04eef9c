package trigger

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// List returns triggers by name.
func (s *Service) List(ctx context.Context, size int, after string) ([]Record, string, error) {
	return s.store.Triggers(ctx, size, after) //nolint:wrapcheck // a fault that speaks for itself
}

// Get returns one trigger.
func (s *Service) Get(ctx context.Context, name string) (Record, error) {
	return s.store.Trigger(ctx, name) //nolint:wrapcheck // a fault that speaks for itself
}

// Remove removes a trigger.
func (s *Service) Remove(ctx context.Context, name string) error {
	if _, err := tenant.Require(ctx, tenant.ScopeCatalog); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	if err := s.store.RemoveTrigger(ctx, name); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	if v, ok := tenant.FromContext(ctx); ok {
		s.bus.Publish(ctx, WatchTopic(v.Organization))
	}
	return nil
}

// Events lists what has happened, the newest first.
func (s *Service) Events(ctx context.Context, f Filter) ([]Event, string, error) {
	return s.store.Events(ctx, f) //nolint:wrapcheck // a fault that speaks for itself
}

// Try says what a trigger would do about a message, which is not stored: it is read as if it had come to a receiver of a kind.
func (s *Service) Try(ctx context.Context, name, kind string, header http.Header, body []byte) (given Given, why string, err error) {
	t, err := s.store.Trigger(ctx, name)
	if err != nil {
		return given, "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	list := []Event{{Kind: Kube, Data: body}}
	if kind == Kube {
		if !json.Valid(body) {
			return given, "", fault.New(fault.Invalid, "the event is not JSON").WithHint("Take one that seatrial events -o json shows as data.")
		}
	} else if list, err = Read(Receiver{Kind: kind, Name: aboutOf(t)}, header, body); err != nil {
		return given, "", err
	}
	why = "the message tells of nothing that triggers are for"
	for _, e := range list {
		if given, why = Match(t.Spec, e); why == "" {
			return given, "", nil
		}
	}
	return given, why, nil
}

func aboutOf(t Record) string { _, about := On(t.Spec); return about }
