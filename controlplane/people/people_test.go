package people_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/people"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const owner = "ada@acme.example"

type bench struct {
	*people.Service
	now   time.Time
	auth  *auth.Auth
	store *store.Store
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return b.now }
	s, err := store.Open(t.Context(), storetest.SQLite(t), store.WithClock(clock), store.WithSecrets(storetest.Secrets(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b.store = s
	log := slog.New(slog.DiscardHandler)
	b.auth, err = auth.New(t.Context(), auth.Config{Accounts: s, Agents: s, Keys: s, Log: log, Clock: clock, HashMemory: 8})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.auth.Bootstrap(t.Context(), owner, "correct horse"); err != nil {
		t.Fatal(err)
	}
	b.Service = people.New(s, b.auth, clock, log)
	return b
}

// as returns a context of a member, who signs in.
func (b *bench) as(t *testing.T, email string) context.Context {
	t.Helper()
	v, err := b.auth.SignIn(t.Context(), tenant.Entry{Email: email, Password: "correct horse", Remote: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	return tenant.WithViewer(t.Context(), v)
}

// join makes a member.
func (b *bench) join(t *testing.T, email string, role tenant.Role) context.Context {
	t.Helper()
	_, secret, err := b.Invite(b.as(t, owner), tenant.NewInvitation{Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Accept(t.Context(), secret, "A Name", "correct horse"); err != nil {
		t.Fatal(err)
	}
	return b.as(t, email)
}

// TestService_Rights has everybody try everything: administrators change people, and only owners change owners.
func TestService_Rights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin, maintainer := b.join(t, "bea@acme.example", tenant.RoleAdmin), b.join(t, "cyd@acme.example", tenant.RoleMaintainer)
	invite := func(role tenant.Role) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, _, err := b.Invite(ctx, tenant.NewInvitation{Email: "new@acme.example", Role: role})
			return err
		}
	}
	role := func(email string, role tenant.Role) func(ctx context.Context) error {
		return func(ctx context.Context) error { return b.SetRole(ctx, email, role) }
	}
	tests := map[string]struct {
		do                func(ctx context.Context) error
		admin, maintainer fault.Kind
	}{
		"CreateTeam":  {func(ctx context.Context) error { _, err := b.CreateTeam(ctx, "web"); return err }, "", fault.Forbidden},
		"BadTeam":     {func(ctx context.Context) error { _, err := b.CreateTeam(ctx, "No Such"); return err }, fault.Invalid, fault.Forbidden},
		"InviteAdmin": {invite(tenant.RoleAdmin), "", fault.Forbidden},
		"InviteOwner": {invite(tenant.RoleOwner), fault.Forbidden, fault.Forbidden},
		"InviteNone":  {invite("captain"), fault.Invalid, fault.Forbidden},
		"MakeOwner":   {role("cyd@acme.example", tenant.RoleOwner), fault.Forbidden, fault.Forbidden},
		"DemoteOwner": {role(owner, tenant.RoleViewer), fault.Forbidden, fault.Forbidden},
		"RemoveOwner": {func(ctx context.Context) error { _, err := b.Remove(ctx, owner, false); return err }, fault.Forbidden, fault.Forbidden},
		"BadRole":     {role("cyd@acme.example", "captain"), fault.Invalid, fault.Invalid},
		"Unknown":     {role("nobody@acme.example", tenant.RoleViewer), fault.NotFound, fault.Forbidden},
		"Members":     {func(ctx context.Context) error { _, err := b.Members(ctx); return err }, "", ""},
		"Invitations": {func(ctx context.Context) error { _, err := b.Invitations(ctx); return err }, "", fault.Forbidden},
	}
	for name, tc := range tests {
		for who, want := range map[string]fault.Kind{"admin": tc.admin, "maintainer": tc.maintainer} {
			ctx := map[string]context.Context{"admin": admin, "maintainer": maintainer}[who]
			if err := tc.do(ctx); (want == "") != (err == nil) || (err != nil && !fault.Is(err, want)) {
				t.Errorf("%s by %s: %v, want %q", name, who, err, want)
			}
		}
	}
}

func TestService_Invitation(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		use  func(t *testing.T, b *bench, secret string, i tenant.Invitation) string // returns the secret to try
		says string
	}{
		"Expired": {func(_ *testing.T, b *bench, secret string, _ tenant.Invitation) string {
			b.now = b.now.AddDate(0, 0, 8)
			return secret
		}, "expired on 8 March 2026"},
		"Used": {func(t *testing.T, b *bench, secret string, _ tenant.Invitation) string {
			t.Helper()
			if _, err := b.Accept(t.Context(), secret, "Bea", "correct horse"); err != nil {
				t.Fatal(err)
			}
			return secret
		}, "used already"},
		"Withdrawn": {func(t *testing.T, b *bench, secret string, i tenant.Invitation) string {
			t.Helper()
			if err := b.Withdraw(b.as(t, owner), i.ID); err != nil {
				t.Fatal(err)
			}
			return secret
		}, "withdrawn"},
		"Wrong":   {func(_ *testing.T, _ *bench, secret string, _ tenant.Invitation) string { return secret + "x" }, "no invitation"},
		"Nothing": {func(*testing.T, *bench, string, tenant.Invitation) string { return "" }, "no invitation"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			i, secret, err := b.Invite(b.as(t, owner), tenant.NewInvitation{Email: " BEA@acme.example", Role: tenant.RoleViewer})
			if err != nil || i.Email != "bea@acme.example" {
				t.Fatalf("invited %+v, %v", i, err)
			}
			secret = tc.use(t, b, secret, i)
			if _, err := b.Accept(t.Context(), secret, "Eve", "battery staple"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("accepted: %v", err)
			}
		})
	}
}

func TestService_Accept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret, err := b.Invite(b.as(t, owner), tenant.NewInvitation{Email: "bea@acme.example", Role: tenant.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	for what, with := range map[string][2]string{"short password": {"Bea", "short"}, "no name": {" ", "correct horse"}, "control characters": {"B\x07", "correct horse"}} {
		if _, err := b.Accept(t.Context(), secret, with[0], with[1]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if m, err := b.Accept(t.Context(), secret, " Bea ", "correct horse"); err != nil || m.Name != "Bea" {
		t.Errorf("%+v, %v: what was wrong before does not use the link up", m, err)
	}
	list, err := b.Members(b.as(t, owner))
	if err != nil || len(list) != 2 || list[1].PasswordHash != "" {
		t.Errorf("members %+v, %v", list, err)
	}
}

// TestService_Call counts by the minute and by the organization, and shows what it has counted.
func TestService_Call(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := b.as(t, owner)
	v, _ := tenant.FromContext(ctx)
	if err := b.store.SetQuota(t.Context(), v.Organization, tenant.Quota{Calls: 3}); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		if err := b.Call(ctx); (err == nil) != (n < 3) || (err != nil && !fault.Is(err, fault.Exhausted)) {
			t.Errorf("call %d: %v", n, err)
		}
	}
	if list, err := b.Usage(ctx); err != nil || list[4].Used != 3 || list[4].Limit != 3 {
		t.Errorf("usage %+v, %v", list, err)
	}
	other := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Organization: uuid.New()})
	if err := b.Call(other); err != nil {
		t.Errorf("another organization: %v", err)
	}
	b.now = b.now.Add(time.Minute)
	if err := b.Call(ctx); err != nil {
		t.Errorf("in the next minute: %v", err)
	}
}
