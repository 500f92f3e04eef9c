package trigger

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// agents is a store that knows since when an agent is connected.
type agents struct {
	Store

	since  time.Time
	fail   error
	until  time.Time
	result State
}

func (a *agents) ConnectedSince(context.Context, uuid.UUID) (time.Time, error) {
	return a.since, a.fail
}

func (a *agents) BeginProbes(_ context.Context, _ uuid.UUID, until time.Time) error {
	a.until = until
	return nil
}

func (a *agents) FinishReaction(_ context.Context, r Reaction) error {
	a.result = r.State
	return nil
}

// TestFire_Overdue: that an agent is away is no failure of what it is to try, but nobody waits for ever.
func TestFire_Overdue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	spec := document.TriggerSpec{Kubernetes: &document.KubernetesEvent{Probes: []document.Probe{{Timeout: document.Duration(time.Minute)}}}}
	for name, tc := range map[string]struct {
		since  time.Time
		event  time.Time
		fail   error
		failed bool
	}{
		"Away":     {time.Time{}, now.Add(-time.Hour), nil, false},
		"JustBack": {now.Add(-2 * time.Minute), now.Add(-time.Hour), nil, false},
		"There":    {now.Add(-4 * time.Minute), now.Add(-time.Hour), nil, true},
		"ForLong":  {time.Time{}, now.Add(-25 * time.Hour), nil, true},
		"Gone":     {time.Time{}, now.Add(-time.Hour), fault.New(fault.NotFound, "no cluster"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &agents{since: tc.since, fail: tc.fail}
			s := New(a, nil, nil, nil, slog.New(slog.DiscardHandler), func() time.Time { return now })
			if err := s.fire(t.Context(), Claim{Trigger: Record{Spec: spec}, Event: Event{At: tc.event}, Reaction: Reaction{State: Probing}}); err != nil {
				t.Fatal(err)
			}
			if failed := a.result == Failed; failed != tc.failed || !failed && !a.until.Equal(now.Add(3*time.Minute)) {
				t.Errorf("%q, waits until %v", a.result, a.until)
			}
		})
	}
}
