package storetest

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// watchingCondition holds that the state of a trigger's resource says whether agents look at what it is for, and that it is news when that
// changes.
func watchingCondition(t *testing.T, f *fixture) {
	c, err := f.SeeClaim(f.as(t), origin.Claim{Kind: document.TriggerKind, Name: "deployed", Origin: f.in("a"), UID: "u", Generation: 1, Digest: "d", Source: "s"})
	if err != nil {
		t.Fatal(err)
	}
	spec := document.TriggerSpec{
		Kubernetes: &document.KubernetesEvent{Resource: "deployments", Event: trigger.RolledOut}, Start: document.Start{Workflows: []document.StartRef{{Name: "smoke"}}},
	}
	ctx := origin.With(f.as(t), origin.Applying{Claim: c.ID})
	r, _, _, err := f.ApplyTrigger(ctx, trigger.Record{Name: "deployed", Digest: "d1", Source: "x", Spec: spec}, "")
	if err != nil {
		t.Fatal(err)
	}
	agent, epoch := f.connected(t)
	says := func(since time.Time, want string) {
		t.Helper()
		all, err := f.DocumentStates(f.as(t), f.cluster.ID, since)
		if err != nil {
			t.Fatal(err)
		}
		got := "nothing"
		for _, s := range all.States {
			for _, is := range s.Conditions {
				got = is.Type + " " + is.Reason + ": " + is.Message
			}
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	says(time.Time{}, "Watching Pending: harbour: The agent has not said yet")
	service := trigger.New(f, nil, nil, silent{}, slog.New(slog.DiscardHandler), func() time.Time { return f.now })
	said := func(state, message string) {
		t.Helper()
		wanted, err := service.Wanted(agent)
		if err == nil {
			err = service.Standing(agent, wanted.Digest, []trigger.Watched{{Trigger: r.ID, State: state, Message: message}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	since := time.Now()
	says(since, "nothing")
	said(trigger.WatchRefused, "The cluster does not let the agent watch deployments.")
	says(since, "Watching Refused: harbour: The cluster does not let")
	said(trigger.WatchWatching, "")
	says(since, "Watching Watching: The agent of harbour looks")
	since = time.Now()
	says(since, "nothing")
	if err := f.CloseSession(agent, epoch); err != nil {
		t.Fatal(err)
	}
	says(since, "Watching Offline: harbour: The agent is not connected.")
	spec.Suspend = true
	if _, _, _, err := f.ApplyTrigger(ctx, trigger.Record{Name: "deployed", Digest: "d2", Source: "x", Spec: spec}, ""); err != nil {
		t.Fatal(err)
	}
	says(time.Time{}, "nothing")
}

// silent tells nobody.
type silent struct{}

// Publish implements trigger.Bus.
func (silent) Publish(context.Context, string) {}
