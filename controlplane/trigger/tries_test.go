package trigger_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
)

// gate is a store with one receiver, which counts how often it is asked.
type gate struct {
	trigger.Store

	receiver uuid.UUID
	asked    int
	away     error
}

func (g *gate) ReceiverSecret(_ context.Context, id uuid.UUID) (trigger.Receiver, string, error) {
	g.asked++
	if id != g.receiver {
		return trigger.Receiver{}, "", fault.New(fault.NotFound, "there is no such receiver")
	}
	return trigger.Receiver{ID: id, Kind: "github", Name: "forge"}, "secret", g.away
}

func (g *gate) AddEvents(_ context.Context, list []trigger.Event) (int, error) { return len(list), nil }

func (g *gate) Heard(context.Context, trigger.Receiver, string) error { return nil }

func (g *gate) WorkflowsLabelled(context.Context, map[string]string) ([]string, error) {
	return nil, nil
}

func (g *gate) AccessOf(context.Context, tenant.ID) (tenant.Access, error) {
	return tenant.Access{}, nil
}

func (g *gate) Publish(context.Context, string) {}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the message was read")
	return 0, io.EOF
}

// TestService_Tries: whoever sends what is refused has to wait, which costs nothing; a forge that signs as it should never has to, whatever
// others send.
func TestService_Tries(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := &gate{receiver: uuid.UUID{1}}
	s := trigger.New(g, nil, g, g, slog.New(slog.DiscardHandler), func() time.Time { return now })
	const push = `{"ref":"refs/heads/main","after":"c0ffee","repository":{"full_name":"acme/shop"}}`
	send := func(id uuid.UUID, remote, secret string) error {
		h := forge.Sign(secret, "m", []byte(push), now)
		h.Set("X-Github-Event", "ping")
		h.Set("X-Hub-Signature-256", sign(secret, push))
		_, err := s.Receive(t.Context(), id, remote, h, strings.NewReader(push))
		return err
	}
	for range 100 {
		if err := send(g.receiver, "192.0.2.1", "secret"); err != nil {
			t.Fatalf("what is signed as it should: %v", err)
		}
	}
	for i := range 30 {
		if err := send(g.receiver, "192.0.2.66", "guess"); !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	asked := g.asked
	wait := s.Wait(g.receiver, "192.0.2.66")
	if _, err := s.Receive(t.Context(), g.receiver, "192.0.2.66", http.Header{}, unread{t}); !fault.Is(err, fault.Exhausted) || g.asked != asked || wait <= 0 || wait > 2*time.Second {
		t.Errorf("after many guesses: %v, wait %s, looked up %d times", err, wait, g.asked-asked)
	}
	for name, other := range map[string]struct {
		receiver uuid.UUID
		remote   string
	}{"the same receiver from elsewhere": {g.receiver, "192.0.2.1"}, "another receiver from there": {uuid.UUID{2}, "192.0.2.66"}, "nobody knows from where": {g.receiver, ""}} {
		if wait := s.Wait(other.receiver, other.remote); wait != 0 {
			t.Errorf("%s has to wait %s", name, wait)
		}
	}
	now = now.Add(wait)
	if err := send(g.receiver, "192.0.2.66", "secret"); err != nil {
		t.Errorf("after it has waited: %v", err)
	}
	for i := range 600 { // from many addresses
		if err := send(g.receiver, fmt.Sprintf("198.51.%d.%d", i/250, i%250), "guess"); !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.Exhausted) {
			t.Fatal(err)
		}
	}
	if wait := s.Wait(g.receiver, "203.0.113.9"); wait <= 0 || wait > time.Second {
		t.Errorf("a receiver that the whole world guesses at: %s", wait)
	}
	for range 600 {
		if err := send(uuid.New(), "192.0.2.99", "guess"); !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}
	if s.Wait(uuid.New(), "192.0.2.99") <= 0 {
		t.Error("who tries receivers that there are not never waits")
	}
	now = now.Add(time.Hour)
	g.away = errors.New("the database is away")
	for range 100 {
		if err := send(g.receiver, "192.0.2.7", "secret"); err == nil || fault.Is(err, fault.Exhausted) {
			t.Fatalf("what is nobody's fault counts: %v", err)
		}
	}
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
