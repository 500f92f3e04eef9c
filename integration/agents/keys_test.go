package agents_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/workfake"
	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	clusterName = "harbour"
	patience    = time.Minute
	// A revocation has to end open streams within it.
	promised = 5 * time.Second
)

// plane is a control plane: replicas that share a store and a bus.
type plane struct {
	store    *store.Store
	hints    *bus.Local
	replicas []replica
	admin    tenant.Viewer
}

type replica struct {
	*auth.Auth
	address string
}

func newPlane(t *testing.T, timings ...agentlink.Timing) *plane {
	t.Helper()
	s, err := store.Open(t.Context(), storetest.SQLite(t), store.WithSecrets(storetest.Secrets(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	p := &plane{store: s, hints: bus.NewLocal()}
	for n, timing := range timings {
		p.replicas = append(p.replicas, p.serve(t, fmt.Sprintf("replica-%d", n), timing))
	}
	first, _, err := p.replicas[0].Bootstrap(t.Context(), "admin@example.test", "")
	if err != nil {
		t.Fatal(err)
	}
	entry := tenant.Entry{Email: "admin@example.test", Password: first.Password, Remote: "192.0.2.1"}
	if p.admin, err = p.replicas[0].SignIn(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *plane) serve(t *testing.T, name string, timing agentlink.Timing) replica {
	t.Helper()
	const cheap = 8 // KiB that the hash of a password takes
	a, err := auth.New(t.Context(), auth.Config{
		Accounts: p.store, Agents: p.store, Keys: p.store, Bus: p.hints, Log: slog.New(slog.DiscardHandler), HashMemory: cheap,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := agentlink.New(agentlink.Options{
		Log: slog.New(slog.DiscardHandler), Store: p.store, Identity: a, Bus: p.hints, Gateway: name, Timing: timing,
	})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.WithoutCancel(t.Context()), listener) }()
	t.Cleanup(func() {
		server.Stop(context.WithoutCancel(t.Context()))
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return replica{a, listener.Addr().String()}
}

func (p *plane) as(t *testing.T) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), p.admin)
}

// enroll returns a bootstrap token.
func (p *plane) enroll(t *testing.T) string {
	t.Helper()
	_, _, token, _, err := p.replicas[0].EnrollCluster(p.as(t), clusterName, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type told struct {
	state link.State
	err   error
}

// agent is an agent of a replica, with a Secret that outlives it.
type agent struct {
	o      link.Options
	states chan told
	said   chan string
}

// log sends the messages on.
type log struct {
	slog.Handler
	said chan string
}

func (l log) Enabled(context.Context, slog.Level) bool { return true }

func (l log) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.said <- r.Message:
	default:
	}
	return nil
}

func newAgent(t *testing.T, at replica) *agent {
	t.Helper()
	cluster := workfake.NewCluster(t)
	cluster.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "seatrial", Name: "agent"}})
	a := &agent{states: make(chan told, 256), said: make(chan string, 256)}
	a.o = link.Options{
		Log: slog.New(log{slog.DiscardHandler, a.said}), Address: at.address, Version: "v1", Namespaces: []string{"tests"}, Starts: 1,
		Rules: []string{"image: registry.example/qa/*"}, Vault: link.Vault{Secrets: cluster.Client(t).Secrets("seatrial"), Name: "agent"},
		OnState: func(s link.State, err error) { a.states <- told{s, err} },
	}
	return a
}

func (a *agent) load(t *testing.T) link.Identity {
	t.Helper()
	i, err := a.o.Vault.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// run starts the agent anew with a token; it returns once the agent is connected.
func (a *agent) run(t *testing.T, token string) (i link.Identity, stop func()) {
	t.Helper()
	i, err := link.Enrol(t.Context(), a.o, a.o.Vault, a.load(t), token, "uid")
	if err != nil {
		t.Fatal(err)
	}
	l := link.New(a.o, i)
	l.Start(context.WithoutCancel(t.Context()), link.Stages{
		Inventory: func(context.Context) ([]*agentv1.InventoryItem, error) { return nil, nil },
	})
	a.reach(t, link.StateConnected, patience)
	return i, l.Stop
}

func (a *agent) reach(t *testing.T, want link.State, within time.Duration) error {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case got := <-a.states:
			if got.state == want {
				return got.err
			}
		case <-timer.C:
			t.Fatalf("the agent is not %q after %s", want, within)
		}
	}
}

// TestRevoke: an agent that is revoked at one replica loses its session at another, and all calls; enrolled again it comes back with
// a new key, while the runners of its pods know it as before.
func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason string
		timing agentlink.Timing
	}{
		"ByHint":  {"the replica that takes the revocation tells the others", agentlink.Timing{Revoked: time.Hour, Touch: time.Hour}},
		"ByStore": {"hints are lost when Redis is away", agentlink.Timing{Touch: time.Hour}}, // as it is in production
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, agentlink.Timing{}, c.timing)
			a := newAgent(t, p.replicas[1])
			first, stop := a.run(t, p.enroll(t))
			defer stop()
			id, err := p.store.AgentIdentity(t.Context(), uuid.MustParse(first.AgentID))
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := p.replicas[0].Token(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if name == "ByHint" {
				_, err = p.replicas[0].RevokeCluster(p.as(t), clusterName, "stolen")
			} else {
				_, err = p.store.RevokeAgent(p.as(t), clusterName, "stolen")
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := a.reach(t, link.StateRevoked, promised); !errors.Is(err, link.ErrRevoked) {
				t.Errorf("told %v: %s", err, c.reason)
			}
			for _, r := range p.replicas {
				err := report(t, r.address, token)
				if status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "the agent was revoked: stolen") {
					t.Errorf("a call with a token from before: %v", err)
				}
			}
			stop()
			again, stop := a.run(t, p.enroll(t))
			defer stop()
			if again.Key.Equal(first.Key) || again.AgentID != first.AgentID || again.Pin() != first.Pin() {
				t.Errorf("it came back with the key that was revoked (%t), as %s", again.Key.Equal(first.Key), again.AgentID)
			}
			list, err := p.store.Clusters(p.as(t))
			if err != nil || !list[0].Connected || !list[0].RevokedAt.IsZero() || len(list[0].Rules) != 1 {
				t.Errorf("clusters %+v, %v", list, err)
			}
		})
	}
}

func report(t *testing.T, address, token string) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token), patience)
	defer cancel()
	_, err = agentv1.NewAgentGatewayClient(conn).StreamState(ctx, &agentv1.StreamStateRequest{AttemptId: uuid.NewString()})
	return err
}

// TestRotateKey: an agent that is asked for another key takes it, and the old one is worth nothing.
func TestRotateKey(t *testing.T) {
	t.Parallel()
	p := newPlane(t, agentlink.Timing{})
	a := newAgent(t, p.replicas[0])
	first, stop := a.run(t, p.enroll(t))
	stop()
	if _, err := p.replicas[0].RotateClusterKey(p.as(t), clusterName); err != nil {
		t.Fatal(err)
	}
	_, stop = a.run(t, "")
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for said := ""; said != "the agent has a new key"; {
		select {
		case said = <-a.said:
		case <-timer.C:
			t.Fatal("the agent takes no other key")
		}
	}
	stop()
	now := a.load(t)
	id, err := p.store.AgentIdentity(t.Context(), uuid.MustParse(first.AgentID))
	if err != nil || now.Key.Equal(first.Key) || !bytes.Equal(id.PublicKey, now.Key.Public().(ed25519.PublicKey)) || id.NextKey != nil || id.RotationAsked {
		t.Errorf("the key is the first: %t; known to the control plane: %+v, %v", now.Key.Equal(first.Key), id, err)
	}
	_, stop = a.run(t, "")
	stop()
	old := link.New(a.o, first)
	old.Start(context.WithoutCancel(t.Context()), link.Stages{})
	defer old.Stop()
	if err := a.reach(t, link.StateRevoked, patience); !errors.Is(err, link.ErrRevoked) {
		t.Errorf("with the old key: %v", err)
	}
}
