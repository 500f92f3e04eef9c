package storetest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
)

func revokedAgent(t *testing.T, f *fixture) {
	epoch, err := f.OpenSession(f.agent(t, f.cluster), cluster.Hello{Rules: []string{"images: a/*"}})
	if err != nil {
		t.Fatal(err)
	}
	enrolment := func(token string) cluster.Enrolment {
		return cluster.Enrolment{Name: "harbour", Environment: "staging", Namespace: "tests", TokenHash: hash(token), ExpiresAt: f.now.Add(time.Hour)}
	}
	got, err := f.RevokeAgent(f.as(t), "harbour", "stolen")
	if err != nil || got.Connected || !got.RevokedAt.Equal(f.now) || got.RevokedReason != "stolen" || !slices.Equal(got.Rules, []string{"images: a/*"}) {
		t.Fatalf("revoked: %+v, %v", got, err)
	}
	if says := got.Away(true); !strings.Contains(says, "stolen") || !strings.Contains(says, "seatrial cluster enroll harbour") {
		t.Errorf("a test that waits says %q", says)
	}
	if again, err := f.RevokeAgent(f.as(t), "harbour", "stolen for sure"); err != nil || again.RevokedReason != "stolen for sure" {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := f.RevokeAgent(f.as(t), "nobody", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("a cluster that is none: %v", err)
	}
	if _, err := f.RevokeAgent(foreigner(t), "harbour", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("by another organization: %v", err)
	}
	if _, err := f.OpenSession(f.agent(t, f.cluster), cluster.Hello{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a session of a revoked agent: %v", err)
	}
	if _, revoked, err := f.TouchSessions(t.Context(), map[cluster.ID]int64{f.cluster.ID: epoch}); err != nil || len(revoked) != 1 {
		t.Errorf("touched: %v, %v", revoked, err)
	}
	for within, want := range map[time.Duration]int{time.Minute: 1, -time.Minute: 0} {
		if ids, err := f.RevokedAgents(t.Context(), within); err != nil || len(ids) != want {
			t.Errorf("revoked within %s: %v, %v", within, ids, err)
		}
	}
	if _, err := f.AskRotation(f.as(t), "harbour"); !fault.Is(err, fault.Conflict) {
		t.Errorf("asked for another key: %v", err)
	}

	if _, _, err := f.EnrollCluster(f.as(t), enrolment("again")); err != nil {
		t.Fatal(err)
	}
	arrival := cluster.Arrival{TokenHash: hash("again"), PublicKey: make([]byte, 32), ClusterUID: "uid-harbour"}
	if _, err := f.SpendBootstrap(t.Context(), arrival); !fault.Is(err, fault.Conflict) {
		t.Errorf("with the key that was revoked: %v", err)
	}
	arrival.PublicKey = bytes.Repeat([]byte{7}, 32)
	if id, err := f.SpendBootstrap(t.Context(), arrival); err != nil || id.Revoked || id.Cluster != f.cluster.ID {
		t.Errorf("with a new key: %+v, %v", id, err)
	}
	if ids, err := f.RevokedAgents(t.Context(), time.Minute); err != nil || len(ids) != 0 {
		t.Errorf("still revoked: %v, %v", ids, err)
	}
	if _, err := f.OpenSession(f.agent(t, f.cluster), cluster.Hello{}); err != nil {
		t.Errorf("its session: %v", err)
	}

	f.enroll(t, "second", "production")
	late := enrolment("leaked")
	late.Name, late.Environment = "third", "third"
	if _, _, err := f.EnrollCluster(f.as(t), late); err != nil {
		t.Fatal(err)
	}
	if _, err := f.RevokeAgent(f.as(t), "third", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SpendBootstrap(t.Context(), cluster.Arrival{TokenHash: hash("leaked"), PublicKey: make([]byte, 32)}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a bootstrap token from before the revocation: %v", err)
	}
}

func twoKeys(t *testing.T, f *fixture) {
	first, second, third := make([]byte, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)
	keys := func(reason string, public, next []byte) {
		t.Helper()
		id, err := f.AgentIdentity(t.Context(), f.cluster.ID)
		if err != nil || !bytes.Equal(id.PublicKey, public) || !bytes.Equal(id.NextKey, next) {
			t.Errorf("%s: %+v, %v", reason, id, err)
		}
	}
	if c, err := f.AskRotation(f.as(t), "harbour"); err != nil || !c.RotationAsked {
		t.Fatalf("asked: %+v, %v", c, err)
	}
	for _, key := range [][]byte{second, third, third} {
		if err := f.AddKey(t.Context(), f.cluster.ID, key); err != nil {
			t.Fatal(err)
		}
	}
	keys("the last one that was never used counts", first, third)
	if err := f.PromoteKey(t.Context(), f.cluster.ID, second); err != nil {
		t.Fatal(err)
	}
	keys("a key that gave way is nothing", first, third)
	f.now = f.now.Add(time.Hour)
	for range 2 { // two renewals at once
		if err := f.PromoteKey(t.Context(), f.cluster.ID, third); err != nil {
			t.Fatal(err)
		}
	}
	keys("its use is the end of the old one", third, nil)
	list, err := f.Clusters(f.as(t))
	if err != nil || list[0].RotationAsked || !list[0].KeySince.Equal(f.now) {
		t.Errorf("afterwards: %+v, %v", list[0], err)
	}
	if _, err := f.RevokeAgent(f.as(t), "harbour", ""); err != nil {
		t.Fatal(err)
	}
	if err := f.AddKey(t.Context(), f.cluster.ID, second); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a second key of a revoked agent: %v", err)
	}
}
