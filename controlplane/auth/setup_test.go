package auth_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

var (
	_ api.Accounts       = (*auth.Auth)(nil)
	_ api.Enroller       = (*auth.Auth)(nil)
	_ agentlink.Identity = (*auth.Auth)(nil)
)

const adminEmail = "admin@example.test"

// clock is the time of a test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// instance is a control plane's credentials on a store of its own.
type instance struct {
	*auth.Auth
	clock *clock
	store *store.Store
	first auth.First
	admin tenant.Viewer
}

// setup makes an instance whose hashes cost next to nothing.
func setup(tb testing.TB) *instance {
	tb.Helper()
	return costing(tb, cheap)
}

// cheap is the least memory that a hash may take, in KiB.
const cheap = 8

func costing(tb testing.TB, memory uint32) *instance {
	tb.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s, err := store.Open(tb.Context(), storetest.SQLite(tb), store.WithClock(c.now), store.WithSecrets(storetest.Secrets(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	i := &instance{clock: c, store: s, Auth: replica(tb, s, c, memory)}
	first, created, err := i.Bootstrap(tb.Context(), adminEmail, "")
	if err != nil || !created {
		tb.Fatalf("first start: created %t, %v", created, err)
	}
	i.first = first
	if i.admin, err = i.SignIn(tb.Context(), tenant.Entry{Email: adminEmail, Password: first.Password, Remote: "192.0.2.1"}); err != nil {
		tb.Fatalf("sign in with what the first start gave: %v", err)
	}
	return i
}

// replica is another process of the same control plane.
func replica(tb testing.TB, s *store.Store, c *clock, memory uint32) *auth.Auth {
	tb.Helper()
	a, err := auth.New(tb.Context(), auth.Config{Accounts: s, Agents: s, Keys: s, Log: slog.New(slog.DiscardHandler), Clock: c.now, HashMemory: memory})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func (i *instance) as(tb testing.TB) context.Context {
	tb.Helper()
	return tenant.WithViewer(tb.Context(), i.admin)
}

// enroll registers a cluster and returns its bootstrap token.
func (i *instance) enroll(tb testing.TB, name string) string {
	tb.Helper()
	_, _, token, _, err := i.EnrollCluster(i.as(tb), name, "", "")
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// agent is an enrolled agent with its key.
type agent struct {
	cluster.Identity
	key ed25519.PrivateKey
}

func (i *instance) agent(tb testing.TB, name string) agent {
	tb.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	id, err := i.Enrol(tb.Context(), i.enroll(tb, name), public, "uid", "v1")
	if err != nil {
		tb.Fatal(err)
	}
	return agent{Identity: id, key: key}
}

func (i *instance) agentToken(tb testing.TB, a agent) string {
	tb.Helper()
	token, _, err := i.Token(tb.Context(), a.Identity)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func (i *instance) cookie(tb testing.TB) string {
	tb.Helper()
	ticket, err := i.StartSession(tb.Context(), tenant.Entry{Email: adminEmail, Password: i.first.Password, Remote: "192.0.2.1", Browser: "Test"})
	if err != nil {
		tb.Fatal(err)
	}
	return ticket.Cookie
}

func wantUnauthenticated(tb testing.TB, err error, reason string) {
	tb.Helper()
	if !fault.Is(err, fault.Unauthenticated) {
		tb.Errorf("error %v, want unauthenticated: %s", err, reason)
	}
}
