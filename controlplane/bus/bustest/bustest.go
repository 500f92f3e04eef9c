// Package bustest is the contract of a bus, for every implementation.
package bustest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Limit bounds every wait for a hint that must come.
const Limit = 2 * time.Minute

// Bus is what the stages use.
type Bus interface {
	Publish(ctx context.Context, topic string)
	Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func())
}

// Run checks a bus; open returns two ends of it, the same one twice where there is only one.
func Run(t *testing.T, open func(t *testing.T) (a, b Bus)) {
	t.Helper()
	tests := map[string]func(t *testing.T, a, b Bus){
		"Wakes":               wakes,
		"OneOfSeveralTopics":  oneOfSeveral,
		"OtherTopicsAreQuiet": otherTopics,
		"Coalesces":           coalesces,
		"EveryWaiter":         everyWaiter,
		"CancelledIsQuiet":    cancelled,
		"PublishNeverBlocks":  neverBlocks,
		"Organizations":       organizations,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t)
			test(t, a, b)
		})
	}
}

// Await waits for a hint, publishing again until it comes: a subscription may take a moment to reach the other end, and doubled
// hints are allowed.
func Await(t *testing.T, from Bus, topic string, wake <-chan struct{}) {
	t.Helper()
	awaitAs(t, t.Context(), from, topic, wake)
}

func awaitAs(t *testing.T, ctx context.Context, from Bus, topic string, wake <-chan struct{}) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	limit := time.After(Limit)
	from.Publish(ctx, topic)
	for {
		select {
		case <-wake:
			return
		case <-again.C:
			from.Publish(ctx, topic)
		case <-limit:
			t.Fatalf("no hint about %s", topic)
		}
	}
}

func topic() string { return "org/" + uuid.NewString() }

func wakes(t *testing.T, a, b Bus) {
	name := topic()
	wake, cancel := a.Subscribe(t.Context(), name)
	defer cancel()
	Await(t, b, name, wake)
}

func oneOfSeveral(t *testing.T, a, b Bus) {
	first, second := topic(), topic()
	wake, cancel := a.Subscribe(t.Context(), first, second)
	defer cancel()
	Await(t, b, second, wake)
	Await(t, b, first, wake)
}

func otherTopics(t *testing.T, a, b Bus) {
	mine, other := topic(), topic()
	wake, cancel := a.Subscribe(t.Context(), mine)
	defer cancel()
	probe, cancelProbe := a.Subscribe(t.Context(), other)
	defer cancelProbe()
	Await(t, b, other, probe) // hints keep their order, so one about mine would be there by now
	select {
	case <-wake:
		t.Error("woken by another topic")
	default:
	}
}

func coalesces(t *testing.T, a, _ Bus) {
	name := topic()
	wake, cancel := a.Subscribe(t.Context(), name)
	defer cancel()
	for range 100 {
		a.Publish(t.Context(), name)
	}
	if n := len(wake); n != 1 {
		t.Errorf("%d signals wait after 100 hints, want 1", n)
	}
}

func everyWaiter(t *testing.T, a, b Bus) {
	name := topic()
	one, cancelOne := a.Subscribe(t.Context(), name)
	defer cancelOne()
	two, cancelTwo := b.Subscribe(t.Context(), name)
	defer cancelTwo()
	Await(t, a, name, one)
	Await(t, a, name, two)
}

func cancelled(t *testing.T, a, _ Bus) {
	name := topic()
	gone, cancel := a.Subscribe(t.Context(), name)
	cancel()
	cancel() // twice is once
	stays, cancelStays := a.Subscribe(t.Context(), name)
	defer cancelStays()
	Await(t, a, name, stays)
	if len(gone) != 0 {
		t.Error("a cancelled subscription was woken")
	}
}

func neverBlocks(t *testing.T, a, _ Bus) {
	name := topic()
	_, cancel := a.Subscribe(t.Context(), name)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			a.Publish(context.WithoutCancel(t.Context()), name)
		}
	}()
	select {
	case <-done:
	case <-time.After(Limit):
		t.Fatal("publishing waits for a subscriber that does not read")
	}
}

// organizations proves that a viewer neither hears of another organization nor wakes anybody of it.
func organizations(t *testing.T, a, b Bus) {
	own, other := uuid.New(), uuid.New()
	as := func(organization uuid.UUID) context.Context {
		return tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: organization, Role: tenant.RoleOwner})
	}
	of := func(organization uuid.UUID) string { return organization.String() + "/execution/" + uuid.NewString() }
	foreign, mine := of(other), of(own)
	spy, cancelSpy := b.Subscribe(as(own), foreign)
	defer cancelSpy()
	nobody, cancelNobody := b.Subscribe(t.Context(), foreign)
	defer cancelNobody()
	both, cancelBoth := b.Subscribe(as(own), foreign, mine)
	defer cancelBoth()
	owner, cancelOwner := b.Subscribe(as(other), foreign)
	defer cancelOwner()
	a.Publish(as(own), foreign) // a forged hint
	a.Publish(t.Context(), foreign)
	select {
	case <-owner:
		t.Error("another organization wakes somebody")
	default:
	}
	awaitAs(t, as(other), a, foreign, owner)
	awaitAs(t, tenant.System(t.Context()), a, foreign, owner)
	for name, wake := range map[string]<-chan struct{}{"another organization": spy, "nobody": nobody, "who may hear of one of two": both} {
		select {
		case <-wake:
			t.Errorf("%s hears of an organization", name)
		default:
		}
	}
	awaitAs(t, as(own), a, mine, both)
}
