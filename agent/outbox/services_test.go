package outbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Follow implements outbox.Follower: the log of a service is complete when the test says so.
func (b *bench) Follow(ctx context.Context, _ string, _ work.PodIdentity, service string, over <-chan struct{}) ([]string, error) {
	end := make(chan error)
	b.mu.Lock()
	b.follows = append(b.follows, service)
	b.ends, b.over = append(b.ends, end), over
	b.mu.Unlock()
	select {
	case err := <-end:
		return []string{"read"}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func state(s agentv1.ServiceStatus) *agentv1.ServiceState {
	return &agentv1.ServiceState{Name: "db", Status: s}
}

// withDB is a pod that ended or not, with a service whose log can be read.
func withDB(p *work.Pod, s work.Service) *work.Pod {
	s.Name = "db"
	p.Services = []work.Service{s}
	return p
}

func (b *bench) followed() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.follows)
}

func TestOutbox_FollowsServices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why     string
		service work.Service
		want    int
	}{
		"started":  {"it has a log", work.Service{Started: true}, 1},
		"waiting":  {"there is nothing to read", work.Service{}, 0},
		"withheld": {"nothing would redact it", work.Service{Started: true, Withheld: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				for range 3 {
					b.Update(seen(running, "", withDB(pod(alive("c")), c.service)))
				}
				if got := b.followed(); len(got) != c.want {
					t.Errorf("%s: followed %v", c.why, got)
				}
			})
		})
	}
}

func TestOutbox_DeliveredWaitsForTheLogsOfServices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why  string
		act  func(b *bench)
		note string
	}{
		"complete": {"it was read to its end", func(b *bench) { b.ends[0] <- nil }, "read"},
		"broken":   {"what is missing is said", func(b *bench) { b.ends[0] <- errors.New("no access") }, "The log of service db is not complete: no access"},
		"too long": {"not for ever", func(*bench) { pass(11 * time.Minute) }, "not complete when their time was up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				db := work.Service{Started: true}
				b.Update(seen(running, "", withDB(pod(alive("c")), db)))
				finish(t, b, runnerv1.StepStatus_STEP_STATUS_PASSED)
				deliver(t, b, "c")
				b.Update(seen(running, "", withDB(over(dead(t, "c", nil)), db)))
				if r := b.last(t); r.GetStatus() != passed || r.GetDelivered() {
					t.Errorf("the result waits, or the log does not: %s, delivered %v", r.GetStatus(), r.GetDelivered())
				}
				c.act(b)
				if r := b.last(t); !r.GetDelivered() || !strings.Contains(strings.Join(r.GetNotes(), "\n"), c.note) {
					t.Errorf("%s: delivered %v, notes %q", c.why, r.GetDelivered(), r.GetNotes())
				}
			})
		})
	}
}

func TestOutbox_ReportsServices(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		update := func(status agentv1.ServiceStatus, notes ...string) {
			u := seen(running, "", pod(alive("c")))
			u.Report.Services, u.Report.Notes = []*agentv1.ServiceState{state(status)}, notes
			b.Update(u)
		}
		update(agentv1.ServiceStatus_SERVICE_STATUS_READY)
		update(agentv1.ServiceStatus_SERVICE_STATUS_STARTING, "Service db ended while the steps ran, with exit code 1: at 09:01")
		update(agentv1.ServiceStatus_SERVICE_STATUS_READY, "Service db ended while the steps ran, with exit code 1: at 09:02")
		r := b.last(t)
		if r.GetServices()[0].GetStatus() != agentv1.ServiceStatus_SERVICE_STATUS_READY || len(r.GetNotes()) != 1 {
			t.Errorf("services %v, notes %q: one for each service", r.GetServices(), r.GetNotes())
		}
		update(agentv1.ServiceStatus_SERVICE_STATUS_FAILED)
		update(agentv1.ServiceStatus_SERVICE_STATUS_STOPPED)
		if got := b.last(t).GetServices()[0].GetStatus(); got != agentv1.ServiceStatus_SERVICE_STATUS_FAILED {
			t.Errorf("a service that failed became %s when its pod ended", got)
		}
	})
}

// TestOutbox_EndsServices holds that nothing is said to be ready of which nothing more will be heard.
func TestOutbox_EndsServices(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		u := seen(running, "", pod(alive("c")))
		u.Report.Services = []*agentv1.ServiceState{state(agentv1.ServiceStatus_SERVICE_STATUS_READY)}
		b.Update(u)
		finish(t, b, runnerv1.StepStatus_STEP_STATUS_PASSED)
		deliver(t, b, "c")
		if got := b.last(t).GetServices()[0].GetStatus(); got != agentv1.ServiceStatus_SERVICE_STATUS_STOPPED {
			t.Errorf("the last word about the service is %s", got)
		}
	})
}

// TestOutbox_TellsWhenTheStepsHaveEnded holds that nobody waits for a service that does not end with them.
func TestOutbox_TellsWhenTheStepsHaveEnded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		db := work.Service{Started: true}
		b.Update(seen(running, "", withDB(pod(alive("c")), db)))
		b.followed()
		select {
		case <-b.over:
			t.Error("the steps are said to have ended")
		default:
		}
		for range 2 {
			b.Update(seen(running, "", withDB(over(dead(t, "c", nil)), db)))
		}
		<-b.over
	})
}

// TestOutbox_StoppedBeforeTheStepsBegan holds that nobody waits for a pod to go of which nothing more comes.
func TestOutbox_StoppedBeforeTheStepsBegan(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		waits := work.Container{Name: "c"}
		u := seen(errored, "ServiceNotReady", withDB(pod(waits), work.Service{Started: true}))
		u.Stop = true
		b.Update(u)
		if r := b.last(t); r.GetDelivered() {
			t.Error("the log of the service is not there yet, and tells why")
		}
		<-b.over
		b.ends[0] <- nil
		if r := b.last(t); !r.GetDelivered() || r.GetStatus() != errored || len(r.GetNotes()) != 1 {
			t.Errorf("delivered %v, %s, notes %q", r.GetDelivered(), r.GetStatus(), r.GetNotes())
		}
	})
}
