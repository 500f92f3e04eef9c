package sign_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/sign"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func sum(of string) string {
	digest := sha256.Sum256([]byte(of))
	return hex.EncodeToString(digest[:])
}

// log is what the service logs.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is an organization in a database, with one release whose evidence the test chooses.
type world struct {
	*store.Store

	now        time.Time
	org        tenant.ID
	in         verdict.Input
	executions []uuid.UUID
	log        *log
	service    *sign.Service
}

// Execution is of a workflow with the name and the revision of its suite.
func (w *world) Execution(_ context.Context, id execution.ID) (execution.Execution, error) {
	for i, known := range w.executions {
		if id == known {
			return execution.Execution{ID: id, Workflow: "smoke", Revision: 3 + i, Digest: sum("workflow")}, nil
		}
	}
	return execution.Execution{}, fault.New(fault.NotFound, "there is no execution %s", id)
}

// Input is that of the one release, now.
func (w *world) Input(_ context.Context, application, version string) (verdict.Input, error) {
	if application != w.in.Release.Application || version != w.in.Release.Version {
		return verdict.Input{}, fault.New(fault.NotFound, "there is no release %s %s", application, version)
	}
	in := w.in
	in.Now = w.now
	return in, nil
}

func setup(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), storetest.SQLite(t), store.WithSecrets(storetest.Secrets(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Store: s, now: time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC), log: &log{}}
	if _, err := s.Bootstrap(t.Context(), tenant.First{
		Organization: "acme", Team: "core", Admin: tenant.Member{Email: "ann@example.test", Role: tenant.RoleOwner},
		Token: tenant.Token{Name: "first", Hash: []byte("h"), ExpiresAt: w.now.Add(time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	if w.org, err = s.OrganizationID(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		id, err := uuid.NewV7()
		if err != nil {
			t.Fatal(err)
		}
		w.executions = append(w.executions, id)
	}
	w.in = w.input()
	w.service = sign.NewService(sign.Config{
		Store: w, Releases: w, Log: slog.New(slog.NewTextHandler(w.log, nil)), Clock: func() time.Time { return w.now },
		PublicURL: "https://seatrial.test", Version: "v1.2.0",
	})
	return w
}

// input is of a release with one suite in two environments; of the first both executions are evidence, of the second none.
func (w *world) input() verdict.Input {
	image := []verdict.Image{{Name: "shop", Digest: "sha256:" + sum("shop")}}
	in := verdict.Input{
		Release: verdict.Release{Application: "shop/cart", Version: "1.42.0", Commit: strings.Repeat("a", 40), Images: image},
		Policy: verdict.Policy{Name: "gate", Revision: 7, Digest: sum("gate"), Rules: policy.DefaultRules(), Waivers: verdict.WaiverTerms{
			Approvers: "team:core", MaxAge: verdict.Duration(72 * time.Hour),
		}},
		Approvers: []string{"bob"},
		Cells: []verdict.Cell{
			{Environment: "eu", Suite: "smoke", Required: []verdict.Test{{Key: "k1", Name: "pays"}, {Key: "k2", Name: "pays"}}},
		},
	}
	for i, id := range w.executions {
		run := string(rune('a' + i))
		in.Runs = append(in.Runs, verdict.Run{
			ID: run, Execution: id.String(), Workflow: "smoke", Environment: "eu", Status: "passed", FinishedAt: w.now.Add(-time.Hour),
			Subject: verdict.Subject{Start: image, End: image},
		})
		for _, test := range in.Cells[0].Required {
			in.Cells[0].Evidence = append(in.Cells[0].Evidence, verdict.Evidence{
				Test: test.Key, Name: test.Name, Outcome: results.Passed, Run: run, FinishedAt: w.now.Add(-time.Hour),
			})
		}
	}
	return in
}

// as acts for somebody of the organization.
func (w *world) as(t *testing.T, scopes ...tenant.Scope) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Organization: w.org, Name: "ci", Scopes: scopes})
}

func (w *world) bundle(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := w.service.Bundle(w.as(t, tenant.ScopeRead), "shop/cart", "1.42.0", &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (w *world) ring(t *testing.T) key.Ring {
	t.Helper()
	r, err := w.service.Ring(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) rotate(t *testing.T) {
	t.Helper()
	if _, err := w.service.Rotate(w.as(t, tenant.ScopeAdmin)); err != nil {
		t.Fatal(err)
	}
}

// examine checks a bundle as somebody does who has nothing but the keys.
func examine(t *testing.T, file []byte, ring key.Ring) attest.Finding {
	t.Helper()
	f, err := attest.Examine(t.Context(), bytes.NewReader(file), ring, verdict.Recompute)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
