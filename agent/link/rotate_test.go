package link_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// said is a log whose messages a test waits for.
type said struct {
	slog.Handler
	messages chan string
}

func (s said) Enabled(context.Context, slog.Level) bool { return true }

func (s said) Handle(_ context.Context, r slog.Record) error {
	select {
	case s.messages <- r.Message:
	default:
	}
	return nil
}

// holder is an agent whose key changes, and the control plane that knows it.
type holder struct {
	plane   *workfake.ControlPlane
	cluster *workfake.Cluster
	vault   link.Vault
	o       link.Options
	log     chan string
	first   link.Identity
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	h := &holder{plane: workfake.NewControlPlane(t), cluster: workfake.NewCluster(t), log: make(chan string, 256)}
	h.vault = vault(t, h.cluster)
	h.o = options(h.plane, make(chan told, 1024))
	h.o.Vault, h.o.Log = h.vault, slog.New(said{slog.DiscardHandler, h.log})
	i, err := h.vault.Load(t.Context())
	if err == nil {
		h.first, err = link.Enrol(t.Context(), h.o, h.vault, i, workfake.Bootstrap, workfake.ClusterUID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// run starts the agent anew, with what its Secret holds, and returns once it is connected.
func (h *holder) run(t *testing.T) (stop func()) {
	t.Helper()
	i, err := h.vault.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := link.New(h.o, i)
	l.Start(context.WithoutCancel(t.Context()), link.Stages{
		Inventory: func(context.Context) ([]*agentv1.InventoryItem, error) { return nil, nil },
	})
	h.plane.NextSession(t)
	return l.Stop
}

func (h *holder) await(t *testing.T, message string) {
	t.Helper()
	for next(t, message, h.log) != message {
	}
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// changed checks that a new key is the only one, at both ends.
func (h *holder) changed(t *testing.T) link.Identity {
	t.Helper()
	i, err := h.vault.Load(t.Context())
	if err != nil || i.Key.Equal(h.first.Key) || i.Next != nil || i.Since.IsZero() || i.Pin() != h.first.Pin() || i.AgentID != h.first.AgentID {
		t.Errorf("stored: the first key %t, another one beside it %t, since %s, %v", i.Key.Equal(h.first.Key), i.Next != nil, i.Since, err)
	}
	if key, beside := h.plane.Keys(); !key.Equal(public(i.Key)) || beside != nil {
		t.Errorf("the control plane holds another key than the agent")
	}
	return i
}

const newKeySaid = "the agent has a new key"

func TestLink_TheKeyChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason  string
		prepare func(*holder)
	}{
		"Asked": {"a person wants it", func(h *holder) { h.plane.AskForKey() }},
		"Old": {"it is older than it may become", func(h *holder) {
			h.o.Rotate = time.Hour
			h.o.Clock = func() time.Time { return time.Now().Add(2 * time.Hour) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t)
			c.prepare(h)
			stop := h.run(t)
			h.await(t, newKeySaid)
			stop()
			h.changed(t)
			defer h.run(t)() // and it connects with it
			if n := h.plane.Calls("RotateKey"); n != 1 {
				t.Errorf("changed %d times: %s", n, c.reason)
			}
		})
	}
}

func TestLink_AYoungKeyStays(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.o.Rotate = time.Hour
	h.run(t)()
	if i, err := h.vault.Load(t.Context()); err != nil || !i.Key.Equal(h.first.Key) || h.plane.Calls("RotateKey") != 0 {
		t.Errorf("changed after %d calls, %v", h.plane.Calls("RotateKey"), err)
	}
}

// TestLink_TheKeyChanges_StoppedAnywhere: an agent that is killed after any step of a change connects at its next start and completes it.
func TestLink_TheKeyChanges_StoppedAnywhere(t *testing.T) {
	t.Parallel()
	_, fresh, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		do   func(t *testing.T, h *holder) error
	}{
		{"Stored", func(t *testing.T, h *holder) error { t.Helper(); return h.vault.Propose(t.Context(), fresh) }},
		{"Registered", func(t *testing.T, h *holder) error {
			t.Helper()
			nonce := []byte("n")
			message := slices.Concat([]byte("seatrial-agent-rotate:"), public(fresh), nonce)
			_, err := h.plane.RotateKey(t.Context(), &agentv1.RotateKeyRequest{
				Nonce: nonce, NewPublicKey: public(fresh), Signature: ed25519.Sign(h.first.Key, message), NewSignature: ed25519.Sign(fresh, message),
			})
			return err
		}},
		{"Used", func(t *testing.T, h *holder) error {
			t.Helper()
			nonce := []byte("n")
			_, err := h.plane.Renew(t.Context(), &agentv1.RenewRequest{Nonce: nonce, Signature: ed25519.Sign(fresh, slices.Concat([]byte("seatrial-agent-renew:"), nonce))})
			return err
		}},
	}
	for n, last := range steps {
		t.Run(last.name, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t)
			for _, s := range steps[:n+1] {
				if err := s.do(t, h); err != nil {
					t.Fatal(err)
				}
			}
			stop := h.run(t)
			h.await(t, newKeySaid)
			stop()
			if i := h.changed(t); !i.Key.Equal(fresh) {
				t.Error("it made another key instead of going on with the one that it had")
			}
		})
	}
}

// TestLink_TheKeyChanges_Fails: whatever fails, the agent stays connected, and nothing is lost of what it needs.
func TestLink_TheKeyChanges_Fails(t *testing.T) {
	t.Parallel()
	const failedSaid = "the agent's key is not changed, the one that it has still holds"
	refusal := func(verb string, from int) func(*holder) {
		return func(h *holder) {
			n := 0 // calls come one after the other
			h.cluster.Fault(func(c workfake.Call) error {
				if c.Verb == verb {
					if n++; n >= from {
						return apierrors.NewInternalError(errors.New("etcd"))
					}
				}
				return nil
			})
		}
	}
	for name, c := range map[string]struct {
		reason  string
		prepare func(*holder)
		calls   int // of RotateKey
	}{
		"NotStored":     {"a key that is stored nowhere must not be registered", refusal("update", 1), 0},
		"NotRegistered": {"an older control plane does not know the call", func(h *holder) { h.plane.Fail("RotateKey", status.Error(codes.Unimplemented, "unknown")) }, 1},
		"NotAdopted":    {"the new key is in use and stands beside the old one", refusal("update", 2), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t)
			h.plane.AskForKey()
			c.prepare(h)
			stop := h.run(t)
			h.await(t, failedSaid)
			stop()
			if got := h.plane.Calls("RotateKey"); got != c.calls {
				t.Errorf("registered %d times, want %d: %s", got, c.calls, c.reason)
			}
			h.cluster.Fault(nil)
			h.plane.Fail("RotateKey", nil)
			stop = h.run(t)
			h.await(t, newKeySaid)
			stop()
			h.changed(t)
		})
	}
}
