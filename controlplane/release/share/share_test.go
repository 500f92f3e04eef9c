package share_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/report"
	"github.com/seatrial/seatrial/controlplane/release/share"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// world has one release, and keeps what is shared.
type world struct{ kept []release.Snapshot }

func (w *world) Get(context.Context, string, string) (release.Release, error) {
	return release.Release{Application: "shop", Version: "1.0", Actor: "ci", Verdict: []byte(`{"state":"READY"}`)}, nil
}

func (w *world) SaveSnapshot(_ context.Context, _ release.ID, s release.Snapshot) (release.Snapshot, error) {
	w.kept = append(w.kept, s)
	return s, nil
}

func (w *world) Snapshots(context.Context, string, string) ([]release.Snapshot, error) {
	return w.kept, nil
}

func (w *world) RevokeSnapshot(context.Context, uuid.UUID, string) error { return nil }

func (w *world) OpenSnapshot(_ context.Context, hash []byte) (release.Snapshot, error) {
	for _, one := range w.kept {
		if string(one.Hash) == string(hash) {
			return one, nil
		}
	}
	return release.Snapshot{}, fault.New(fault.NotFound, "none")
}

func (w *world) NewSecret(prefix string) (string, []byte, error) {
	return prefix + "x", []byte("hash of " + prefix + "x"), nil
}

func (w *world) HashSecret(secret string) []byte { return []byte("hash of " + secret) }

func noon() time.Time { return time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC) }

func setup() (*share.Service, *world) {
	w := &world{}
	return share.New(share.Config{Store: w, Releases: w, Secrets: w, Clock: noon, Log: slog.New(slog.DiscardHandler)}), w
}

func as(t *testing.T, role tenant.Role) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New(), Name: "ann", Role: role})
}

func TestService_Share(t *testing.T) {
	t.Parallel()
	s, w := setup()
	kept, secret, err := s.Share(as(t, tenant.RoleMaintainer), "shop", "1.0", 0)
	if err != nil || secret != "st_view_x" || !kept.ExpiresAt.Equal(noon().Add(7*24*time.Hour)) {
		t.Fatalf("%+v, %q, %v", kept, secret, err)
	}
	if strings.Contains(string(w.kept[0].Content)+string(w.kept[0].Hash[:5]), "st_view") {
		t.Error("the secret is kept")
	}
	opened, err := s.OpenSnapshot(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	head, out, err := report.Read(opened.Content)
	if err != nil || out.State != "READY" || head.Shared.By != "ann" || !head.Shared.At.Equal(noon()) || head.URL != "" {
		t.Errorf("%+v, %+v, %v", head, out, err)
	}
}

func TestService_Refuses(t *testing.T) {
	t.Parallel()
	s, w := setup()
	for name, tc := range map[string]struct {
		role     tenant.Role
		lifetime time.Duration
		want     fault.Kind
	}{
		"Viewer": {tenant.RoleViewer, time.Hour, fault.Forbidden}, "TooLong": {tenant.RoleOwner, 91 * 24 * time.Hour, fault.Invalid}, "Never": {tenant.RoleOwner, -1, fault.Invalid},
	} {
		if _, _, err := s.Share(as(t, tc.role), "shop", "1.0", tc.lifetime); fault.KindOf(err) != tc.want || len(w.kept) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.RevokeSnapshot(as(t, tenant.RoleViewer), uuid.New()); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a viewer revokes: %v", err)
	}
	for _, secret := range []string{"", "st_view_y", "st_inv_x"} {
		if _, err := s.OpenSnapshot(t.Context(), secret); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
