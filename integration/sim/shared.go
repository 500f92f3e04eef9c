package sim

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/klog/v2"

	"github.com/seatrial/seatrial/agent/runner/pin"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// sites is how many clusters there are, each of an organization of its own.
const sites = 2

// epoch is when time begins in every bubble.
func epoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// Shared is what all simulations of a process have in common: it would be the same each time, and takes longer than a simulation.
type Shared struct {
	database    []byte // with two organizations, their clusters and workflows
	members     [sites]tenant.Viewer
	clusters    [sites]cluster.ID
	certificate tls.Certificate
	pin         string
	key         ed25519.PrivateKey
	kinds       *kinds
	dir         string
	options     []store.Option
}

// workflows are what clients start, by name.
func workflows() map[string]string {
	return map[string]string{
		"single": `
spec:
  container: {image: "tests:v1"}
  steps: [{name: test, run: ./test}]
`,
		"steps": `
spec:
  container: {image: "tests:v1"}
  retry: {infrastructure: 1}
  steps: [{name: install, run: ./install}, {name: test, run: ./test}]
`,
		"cells": `
spec:
  container: {image: "tests:v1"}
  failFast: true
  matrix: {browser: [firefox, chromium]}
  steps: [{name: test, run: ./test}]
`,
		"turns": `
spec:
  container: {image: "tests:v1"}
  maxParallel: 1
  matrix: {browser: [firefox, chromium]}
  steps: [{name: test, run: ./test}]
`,
	}
}

func workflowNames() []string { return []string{"single", "steps", "cells", "turns"} }

// hush keeps informers from complaining of every fault. The log of their library is one for the whole process.
var hush = sync.OnceFunc(func() { klog.SetSlogLogger(quiet()) })

// Share prepares what simulations have in common.
func Share(tb testing.TB) *Shared {
	tb.Helper()
	hush()
	s := &Shared{dir: tb.TempDir(), options: []store.Option{store.WithSecrets(storetest.Secrets(tb))}}
	var err error
	if s.certificate, s.pin, err = pin.SelfSigned(); err != nil {
		tb.Fatal(err)
	}
	s.key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	if s.kinds, err = newKinds(); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(s.dir, "template.db")
	if err := s.fill(tb.Context(), path); err != nil {
		tb.Fatal(err)
	}
	if s.database, err = os.ReadFile(path); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *Shared) fill(ctx context.Context, path string) (err error) {
	records, err := store.Open(ctx, "sqlite:"+path, append(s.options, store.WithClock(epoch))...)
	if err != nil {
		return fmt.Errorf("open the template: %w", err)
	}
	defer func() {
		if e := records.Close(); err == nil {
			err = e
		}
	}()
	for i := range sites {
		if err := s.organization(ctx, records, i); err != nil {
			return fmt.Errorf("fill the template: %w", err)
		}
	}
	return nil
}

// organization makes one with an owner, a cluster with an environment, and the workflows.
func (s *Shared) organization(ctx context.Context, records *store.Store, i int) error {
	name := siteName(i)
	email := name + "@example.test"
	first := tenant.First{
		Organization: name, Team: name, Admin: tenant.Member{Email: email, PasswordHash: "argon2id-hash", Role: tenant.RoleOwner},
		Token: tenant.Token{Name: "first", Hash: sum("token " + name), Scopes: []tenant.Scope{tenant.ScopeAdmin}, ExpiresAt: epoch().Add(time.Hour)},
	}
	if i == 0 {
		if _, err := records.Bootstrap(ctx, first); err != nil {
			return fmt.Errorf("first organization: %w", err)
		}
	} else if err := records.CreateOrganization(tenant.System(ctx), first); err != nil {
		return fmt.Errorf("organization: %w", err)
	}
	members, err := records.MembersByEmail(ctx, email)
	if err != nil || len(members) != 1 {
		return fmt.Errorf("%d members of %s: %w", len(members), name, err)
	}
	m := members[0]
	s.members[i] = tenant.Viewer{Kind: tenant.KindMember, Organization: m.Organization, Team: m.Team, Subject: m.ID, Name: m.Email, Role: m.Role}
	ctx = tenant.WithViewer(ctx, s.members[i])
	c, _, err := records.EnrollCluster(ctx, cluster.Enrolment{
		Name: name, Environment: name, Namespace: namespace, TokenHash: sum("bootstrap " + name), ExpiresAt: epoch().Add(time.Hour),
	})
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	s.clusters[i] = c.ID
	if _, err := records.SpendBootstrap(ctx, cluster.Arrival{TokenHash: sum("bootstrap " + name), PublicKey: make([]byte, ed25519.PublicKeySize), ClusterUID: name}); err != nil {
		return fmt.Errorf("arrive: %w", err)
	}
	for title, spec := range workflows() {
		source := "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: " + title + "}" + spec
		if _, _, _, err := records.ApplyWorkflow(ctx, workflow.Record{Name: title, Digest: fmt.Sprintf("%x", sum(source)), Source: source}, ""); err != nil {
			return fmt.Errorf("apply workflow %s: %w", title, err)
		}
	}
	return nil
}

func siteName(i int) string { return []string{"harbour", "lagoon"}[i] }

func sum(text string) []byte {
	s := sha256.Sum256([]byte(text))
	return s[:]
}
