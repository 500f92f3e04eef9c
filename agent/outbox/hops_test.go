package outbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// launcher takes a second to make a Job, unless it fails.
type launcher struct{ fail error }

func (l launcher) Handle(context.Context, work.Assignment) error {
	pass(time.Second)
	return l.fail
}

func placed(b *bench) {
	u := seen(pending, "", pod(alive("main")))
	u.Report.Node = "node-1"
	b.Update(u)
}

func TestOutbox_TellsWhereTheTimeWent(t *testing.T) {
	t.Parallel()
	assignment := work.Assignment{Assignment: &agentv1.Assignment{AttemptId: attempt}}
	tests := map[string]struct {
		way    func(t *testing.T, b *bench)
		want   []time.Duration // job, schedule, container, run; nil for none
		reason string
	}{
		"Whole": {func(t *testing.T, b *bench) {
			t.Helper()
			_ = b.Timed(launcher{}).Handle(t.Context(), assignment)
			pass(2 * time.Second)
			placed(b)
			pass(3 * time.Second)
			placed(b) // seen again
			b.Attached(attempt, "main")
			b.Attached(attempt, "other")
			pass(4 * time.Second)
		}, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}, "the first time of each counts"},
		"InformerFirst": {func(t *testing.T, b *bench) {
			t.Helper()
			placed(b)
			_ = b.Timed(launcher{}).Handle(t.Context(), assignment)
			b.Attached(attempt, "main")
			pass(time.Second)
		}, []time.Duration{time.Second, 0, 0, time.Second}, "the pod may be seen before the API server has answered"},
		"StartedAnew": {func(t *testing.T, b *bench) {
			t.Helper()
			placed(b)
			b.Attached(attempt, "main")
		}, nil, "an agent that was started anew has not seen the command"},
		"Duplicate": {func(t *testing.T, b *bench) {
			t.Helper()
			if err := b.Timed(launcher{work.ErrDuplicate}).Handle(t.Context(), assignment); !errors.Is(err, work.ErrDuplicate) {
				t.Errorf("%v", err)
			}
			placed(b)
			b.Attached(attempt, "main")
		}, nil, "the Job is older than this command"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				tc.way(t, b)
				finish(t, b, stepPassed)
				h := b.last(t).GetHops()
				if tc.want == nil {
					if h != nil {
						t.Errorf("hops %v: %s", h, tc.reason)
					}
					return
				}
				got := []time.Duration{h.GetJob().AsDuration(), h.GetSchedule().AsDuration(), h.GetContainer().AsDuration(), h.GetRun().AsDuration()}
				for i := range got {
					if got[i] != tc.want[i] {
						t.Errorf("hops %v, want %v: %s", got, tc.want, tc.reason)
						break
					}
				}
			})
		})
	}
}
