package app_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/mirror"
	"github.com/seatrial/seatrial/controlplane/mirror/git"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	language "github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/integration/harness"
)

// missedPushes is a control plane that reads a repository of a real git server, without its clock and its sweeps.
type missedPushes struct {
	git      *gitServer
	now      time.Time
	mirror   *mirror.Mirror
	triggers *trigger.Service
	ctx      context.Context //nolint:containedctx // of the owner
}

func newReading(t *testing.T) *missedPushes {
	t.Helper()
	root := t.TempDir()
	g := &gitServer{t: t, work: t.TempDir()}
	bare := filepath.Join(root, "acme", "shop.git")
	g.git("init", "-q", "--bare", "-b", "main", bare)
	g.git("init", "-q", "-b", "main")
	g.git("remote", "add", "origin", bare)
	server := httptest.NewServer(harness.Git(t, root))
	t.Cleanup(server.Close)
	r := &missedPushes{git: g, now: time.Now()}
	s, err := store.Open(t.Context(), storetest.SQLite(t), store.WithSecrets(storetest.Secrets(t)))
	worked(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, err = s.Bootstrap(t.Context(), tenant.First{
		Organization: "default", Team: "default", Admin: tenant.Member{Email: "a@example.test", PasswordHash: "x", Role: tenant.RoleOwner},
		Token: tenant.Token{Name: "first", Hash: []byte("x"), Scopes: []tenant.Scope{tenant.ScopeAdmin}, ExpiresAt: r.now.Add(time.Hour)},
	})
	worked(t, err)
	members, err := s.MembersByEmail(t.Context(), "a@example.test")
	worked(t, err)
	m := members[0]
	r.ctx = tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: m.Organization, Team: m.Team, Subject: m.ID, Name: m.Email, Role: m.Role})
	clock := func() time.Time { return r.now }
	log, hints := slog.New(slog.DiscardHandler), bus.NewLocal()
	rules := outbound.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	r.triggers = trigger.New(s, nil, s, hints, log, clock)
	r.mirror = mirror.New(mirror.Config{
		Store: s, Apply: catalog.New(s), Record: s, Git: git.New(rules), Bus: hints, Rules: outbound.Rules{Allow: rules.Allow}, Log: log, Clock: clock,
	})
	r.mirror.Pushes = r.triggers
	_, err = r.mirror.AddRepository(r.ctx, origin.Repository{Name: "shop", URL: server.URL + "/acme/shop.git", Kinds: origin.KindsTests}, origin.Credential{})
	worked(t, err)
	_, _, _, err = s.ApplyTrigger(r.ctx, trigger.Record{Name: "on-push", Digest: "1", Source: "x", Spec: language.TriggerSpec{
		Git:   &language.GitEvent{Repository: "Acme/Shop", Events: []string{"push", "tag"}},
		Start: language.Start{Workflows: []language.StartRef{{Name: "smoke"}}},
	}}, "")
	worked(t, err)
	return r
}

// read reads the repository after a while, and returns the pushes on record, the newest first.
func (r *missedPushes) read(t *testing.T, after time.Duration) (out []string) {
	t.Helper()
	r.now = r.now.Add(after)
	got, err := r.mirror.SyncNamed(r.ctx, "shop")
	worked(t, err)
	if got.Failure != "" {
		t.Fatal(got.Failure)
	}
	return r.pushes(t)
}

func (r *missedPushes) pushes(t *testing.T) (out []string) {
	t.Helper()
	list, _, err := r.triggers.Events(r.ctx, trigger.Filter{})
	worked(t, err)
	for _, e := range list {
		var p forge.Push
		worked(t, json.Unmarshal(e.Data, &p))
		out = append(out, fmt.Sprintf("%s %s of %s from %s: %s", p.Event, p.Ref, p.Repository, e.Source, e.Type))
	}
	return out
}

// tip is the newest commit of the clone.
func (r *missedPushes) tip(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD")
	cmd.Dir = r.git.work
	out, err := cmd.Output()
	worked(t, err)
	return strings.TrimSpace(string(out))
}

// TestTriggers_Missed: a push that no forge has told of is found by reading, once; one that it tells of later starts nothing more, and one that
// it has told of before is not found.
func TestTriggers_Missed(t *testing.T) {
	t.Parallel()
	r := newReading(t)
	want := func(got []string, want ...string) {
		t.Helper()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r.git.push(map[string]string{"README.md": "one"})
	want(r.read(t, 0))
	r.git.push(map[string]string{"README.md": "two"})
	want(r.read(t, time.Minute)) // the forge may be about to tell of it
	const missed = "push refs/heads/main of acme/shop from repository shop: push, found by reading"
	want(r.read(t, 3*time.Minute), missed)
	want(r.read(t, 5*time.Minute), missed)

	made, secret, err := r.triggers.CreateReceiver(r.ctx, "forge", "github", "")
	worked(t, err)
	told := func(commit string) int {
		t.Helper()
		body := []byte(`{"ref": "refs/heads/main", "before": "` + strings.Repeat("1", 40) + `", "after": "` + commit + `", "repository": {"full_name": "Acme/Shop"}, "commits": []}`)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		h := http.Header{}
		h.Set("X-GitHub-Event", "push")
		h.Set("X-GitHub-Delivery", "delivery of "+commit)
		h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		n, err := r.triggers.Receive(t.Context(), made.ID, "192.0.2.7", h, strings.NewReader(string(body)))
		worked(t, err)
		return n
	}
	if n := told(r.tip(t)); n != 0 {
		t.Errorf("%d events of a push that was found before", n)
	}
	r.git.push(map[string]string{"README.md": "three"})
	if n := told(r.tip(t)); n != 1 {
		t.Errorf("%d events of a push", n)
	}
	const heard = "push refs/heads/main of Acme/Shop from forge: push"
	want(r.read(t, time.Minute), heard, missed)
	want(r.read(t, time.Hour/2), heard, missed)
	r.git.git("tag", "-a", "v1", "-m", "one")
	r.git.git("push", "-q", "origin", "v1")
	r.read(t, time.Minute)
	want(r.read(t, 3*time.Minute), "tag refs/tags/v1 of acme/shop from repository shop: push, found by reading", heard, missed)
}
