package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const boss = "admin@example.test"

const bea = "bea@example.test"

// invited makes a member by an invitation: bea.
func (f *fixture) invited(t *testing.T, role tenant.Role) tenant.Member {
	t.Helper()
	i, err := f.CreateInvitation(f.as(t), tenant.Invitation{Email: bea, Role: role, Maker: boss, Hash: hash(bea + f.now.String()), ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.AcceptInvitation(t.Context(), i, "A Name", password)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func folk() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Teams":            teams,
		"TeamsOfAMember":   teamsOfAMember,
		"LastOwnerStays":   lastOwner,
		"RemovalEndsAll":   removal,
		"InvitationOnce":   invitationOnce,
		"InvitationLatest": invitationLatest,
		"ForeignIsAbsent":  foreignPeople,
	}
}

func teams(t *testing.T, f *fixture) {
	ctx := f.as(t)
	if _, err := f.CreateTeam(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateTeam(ctx, "web"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second web: %v", err)
	}
	list, err := f.Teams(ctx)
	if err != nil || len(list) != 2 || list[0].Name != "default" || list[0].Members != 1 || list[0].Tokens != 1 || list[0].Owns != 2 || list[1].Owns != 0 {
		t.Errorf("teams %+v, %v; the default one owns a workflow and an environment", list, err)
	}
	if err := f.RenameTeam(ctx, "web", "default"); !fault.Is(err, fault.Conflict) {
		t.Errorf("renamed to one that is there: %v", err)
	}
	if err := f.RenameTeam(ctx, "web", "shop"); err != nil {
		t.Error(err)
	}
	err = f.DeleteTeam(ctx, "default")
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "1 member, 1 token, 1 workflow, 1 environment") {
		t.Errorf("deleted what has members: %v", err)
	}
	if err := f.DeleteTeam(ctx, "shop"); err != nil {
		t.Error(err)
	}
	if err := f.DeleteTeam(ctx, "shop"); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func teamsOfAMember(t *testing.T, f *fixture) {
	ctx := f.as(t)
	if _, err := f.CreateTeam(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	if err := f.LeaveTeam(ctx, boss, "default"); !fault.Is(err, fault.Conflict) {
		t.Errorf("left the only team: %v", err)
	}
	for range 2 {
		if err := f.JoinTeam(ctx, boss, "web"); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := f.Member(ctx, boss); err != nil || len(m.Teams) != 2 || m.Teams[1].Name != "web" {
		t.Errorf("member %+v, %v", m, err)
	}
	if err := f.LeaveTeam(ctx, boss, "default"); err != nil {
		t.Fatal(err)
	}
	m, err := f.Member(ctx, boss)
	if err != nil || len(m.Teams) != 1 || m.Team != m.Teams[0].ID {
		t.Errorf("member %+v, %v: the own tokens would be of a team that was left", m, err)
	}
	if err := f.JoinTeam(ctx, boss, "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("joined a team that there is not: %v", err)
	}
}

func lastOwner(t *testing.T, f *fixture) {
	ctx := f.as(t)
	f.invited(t, tenant.RoleAdmin)
	if err := f.SetRole(ctx, boss, tenant.RoleAdmin); !fault.Is(err, fault.Conflict) {
		t.Errorf("the last owner became an admin: %v", err)
	}
	if _, err := f.RemoveMember(ctx, boss, false); !fault.Is(err, fault.Conflict) {
		t.Errorf("the last owner is gone: %v", err)
	}
	if err := f.SetRole(ctx, bea, tenant.RoleOwner); err != nil {
		t.Fatal(err)
	}
	if err := f.SetRole(ctx, boss, tenant.RoleViewer); err != nil {
		t.Errorf("there is another owner: %v", err)
	}
	if m, err := f.Member(ctx, boss); err != nil || m.Role != tenant.RoleViewer {
		t.Errorf("member %+v, %v", m, err)
	}
}

func removal(t *testing.T, f *fixture) {
	ctx := f.as(t)
	m := f.invited(t, tenant.RoleMaintainer)
	session, err := f.CreateSession(ctx, m, tenant.Session{ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]*tenant.Member{"hers": {ID: m.ID}, "pipeline": nil} {
		if _, err := f.CreateToken(ctx, tenant.Token{Name: name, Maker: m.Email, Member: of, Hash: hash(name), ExpiresAt: f.now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	revoked, err := f.RemoveMember(ctx, m.Email, true)
	if err != nil || revoked != 1 {
		t.Fatalf("revoked %d, %v", revoked, err)
	}
	if _, err := f.SessionMember(t.Context(), session); !fault.Is(err, fault.NotFound) {
		t.Errorf("the session lives on: %v", err)
	}
	if _, err := f.TokenByHash(t.Context(), hash("hers")); !fault.Is(err, fault.NotFound) {
		t.Errorf("the personal token lives on: %v", err)
	}
	if got, err := f.TokenByHash(t.Context(), hash("pipeline")); err != nil || got.RevokedAt.IsZero() || got.Revoker != boss {
		t.Errorf("the token of the pipeline: %+v, %v", got, err)
	}
	f.now = f.now.Add(time.Minute)
	f.invited(t, tenant.RoleViewer) // comes back
}

func invitationOnce(t *testing.T, f *fixture) {
	ctx := f.as(t)
	i, err := f.CreateInvitation(ctx, tenant.Invitation{Email: bea, Role: tenant.RoleViewer, Maker: boss, Hash: hash("link"), ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.InvitationByHash(t.Context(), hash("link"))
	if err != nil || got.ID != i.ID || got.OrganizationName != "default" || got.Team.Name != "default" || !got.Open(f.now) {
		t.Errorf("found %+v, %v", got, err)
	}
	m, err := f.AcceptInvitation(t.Context(), got, "Bea", password)
	if err != nil || m.Email != bea || m.Name != "Bea" || m.Role != tenant.RoleViewer || len(m.Teams) != 1 || m.Team != m.Teams[0].ID {
		t.Errorf("member %+v, %v", m, err)
	}
	if _, err := f.AcceptInvitation(t.Context(), got, "Eve", password); !fault.Is(err, fault.Conflict) {
		t.Errorf("used twice: %v", err)
	}
	if _, err := f.CreateInvitation(ctx, tenant.Invitation{Email: bea, Role: tenant.RoleViewer, Hash: hash("more"), ExpiresAt: f.now.Add(time.Hour)}); !fault.Is(err, fault.Conflict) {
		t.Errorf("invited a member: %v", err)
	}
}

func invitationLatest(t *testing.T, f *fixture) {
	ctx := f.as(t)
	var made []tenant.Invitation
	for _, link := range []string{"one", "two", "three"} {
		i, err := f.CreateInvitation(ctx, tenant.Invitation{Email: bea, Role: tenant.RoleViewer, Maker: boss, Hash: hash(link), ExpiresAt: f.now.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, i)
	}
	if _, err := f.AcceptInvitation(t.Context(), made[0], "Bea", password); !fault.Is(err, fault.Conflict) {
		t.Errorf("an earlier link still works: %v", err)
	}
	if list, err := f.Invitations(ctx); err != nil || len(list) != 1 || list[0].ID != made[2].ID {
		t.Errorf("open are %+v, %v", list, err)
	}
	if err := f.WithdrawInvitation(ctx, made[2].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.AcceptInvitation(t.Context(), made[2], "Bea", password); !fault.Is(err, fault.Conflict) {
		t.Errorf("withdrawn and accepted: %v", err)
	}
	late, err := f.CreateInvitation(ctx, tenant.Invitation{Email: bea, Role: tenant.RoleViewer, Maker: boss, Hash: hash("late"), ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(2 * time.Hour)
	if _, err := f.AcceptInvitation(t.Context(), late, "Bea", password); !fault.Is(err, fault.Conflict) {
		t.Errorf("expired and accepted: %v", err)
	}
}

func foreignPeople(t *testing.T, f *fixture) {
	ctx := foreigner(t)
	i, err := f.CreateInvitation(f.as(t), tenant.Invitation{Email: bea, Role: tenant.RoleViewer, Maker: boss, Hash: hash("link"), ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"role": f.SetRole(ctx, boss, tenant.RoleViewer), "join": f.JoinTeam(ctx, boss, "default"), "leave": f.LeaveTeam(ctx, boss, "default"),
		"rename": f.RenameTeam(ctx, "default", "mine"), "delete": f.DeleteTeam(ctx, "default"), "withdraw": f.WithdrawInvitation(ctx, i.ID),
		"revoke": f.RevokeToken(ctx, uuid.New()), "session": f.EndOwnSession(ctx, uuid.New()),
		"remove": second(f.RemoveMember(ctx, boss, true)), "read": second(f.Member(ctx, boss)),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, n := range map[string]int{"teams": count(f.Teams(ctx)), "members": count(f.Members(ctx)), "invitations": count(f.Invitations(ctx)), "tokens": count(f.Tokens(ctx))} {
		if n != 0 {
			t.Errorf("sees %d %s", n, what)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func count[T any](list []T, err error) int {
	if err != nil {
		return -1
	}
	return len(list)
}

func tokens() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"KeepsWhatItIs": func(t *testing.T, f *fixture) {
			ctx := f.as(t)
			made, err := f.CreateToken(ctx, tenant.Token{
				Name: "ci", Maker: boss, Hint: "st_abc", Hash: hash("ci"), Scopes: []tenant.Scope{tenant.ScopeRun}, ExpiresAt: f.now.Add(time.Hour),
				Limits: tenant.Limits{Workflows: []string{"pay-*"}, Environments: []string{"staging"}}, Member: &tenant.Member{ID: f.member.Subject},
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.TokenByHash(t.Context(), hash("ci"))
			if err != nil || got.Hint != "st_abc" || !slices.Equal(got.Limits.Workflows, []string{"pay-*"}) || !slices.Equal(got.Limits.Environments, []string{"staging"}) ||
				got.Member == nil || got.Member.Role != tenant.RoleOwner || len(got.Member.Teams) != 1 {
				t.Errorf("token %+v, %v", got, err)
			}
			if list, err := f.Tokens(ctx); err != nil || len(list) != 2 || list[0].ID != made.ID || list[0].Member.Email != boss || list[1].Member != nil {
				t.Errorf("tokens %+v, %v", list, err)
			}
		},
		"IsRevoked": func(t *testing.T, f *fixture) {
			ctx := f.as(t)
			token, err := f.TokenByHash(t.Context(), hash("st_first"))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := f.RevokeToken(ctx, token.ID); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := f.TokenByHash(t.Context(), hash("st_first")); err != nil || !got.RevokedAt.Equal(f.now) || got.Revoker != boss {
				t.Errorf("token %+v, %v", got, err)
			}
			if list, err := f.Tokens(ctx); err != nil || len(list) != 0 {
				t.Errorf("tokens %+v, %v", list, err)
			}
		},
		"OfAnotherTeam": func(t *testing.T, f *fixture) {
			if _, err := f.CreateTeam(f.as(t), "web"); err != nil {
				t.Fatal(err)
			}
			v := f.member
			v.Role = tenant.RoleMaintainer
			_, err := f.CreateToken(tenant.WithViewer(t.Context(), v), tenant.Token{Name: "x", TeamName: "web", Hash: hash("x"), ExpiresAt: f.now.Add(time.Hour)})
			if !fault.Is(err, fault.Forbidden) {
				t.Errorf("made a token of a team that the maker is not in: %v", err)
			}
		},
	}
}

func factors() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"CodesAreGoodOnce": func(t *testing.T, f *fixture) {
			ctx, me := t.Context(), f.member.Subject
			if err := f.SetFactor(ctx, me, tenant.Factor{Secret: "s", Since: f.now, Used: 10, Recovery: []string{"a", "b"}}); err != nil {
				t.Fatal(err)
			}
			if m, err := f.MemberByID(ctx, me); err != nil || !m.Factor.On() || m.Factor.Secret != "s" || len(m.Factor.Recovery) != 2 {
				t.Errorf("factor %+v, %v", m.Factor, err)
			}
			for _, tc := range []struct {
				period int64
				want   bool
			}{{10, false}, {11, true}, {11, false}, {9, false}, {12, true}} {
				if fresh, err := f.UseCode(ctx, me, tc.period); err != nil || fresh != tc.want {
					t.Errorf("code of period %d: fresh %t, %v", tc.period, fresh, err)
				}
			}
			for i, want := range []bool{true, false} {
				if spent, err := f.UseRecovery(ctx, me, "a"); err != nil || spent != want {
					t.Errorf("use %d of a recovery code: %t, %v", i, spent, err)
				}
			}
			if err := f.SetFactor(ctx, me, tenant.Factor{}); err != nil {
				t.Fatal(err)
			}
			if m, err := f.MemberByID(ctx, me); err != nil || m.Factor.On() || m.Factor.Secret != "" || len(m.Factor.Recovery) != 0 {
				t.Errorf("turned off: %+v, %v", m.Factor, err)
			}
		},
		"PasswordEndsOthers": func(t *testing.T, f *fixture) {
			ctx := f.as(t)
			ids := make([]uuid.UUID, 3)
			for i := range ids {
				ids[i] = f.session(ctx, t)
			}
			if err := f.SetPassword(ctx, f.member.Subject, "new", ids[1]); err != nil {
				t.Fatal(err)
			}
			list, err := f.Sessions(ctx)
			if err != nil || len(list) != 1 || list[0].ID != ids[1] {
				t.Errorf("sessions %+v, %v", list, err)
			}
			if m, err := f.MemberByID(ctx, f.member.Subject); err != nil || m.PasswordHash != "new" {
				t.Errorf("password %q, %v", m.PasswordHash, err)
			}
		},
		"SessionsAreOnesOwn": func(t *testing.T, f *fixture) {
			ctx := f.as(t)
			mine := f.session(ctx, t)
			other := f.invited(t, tenant.RoleOwner)
			theirs, err := f.CreateSession(ctx, other, tenant.Session{ExpiresAt: f.now.Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if err := f.EndOwnSession(ctx, theirs); !fault.Is(err, fault.NotFound) {
				t.Errorf("ended the session of somebody else: %v", err)
			}
			f.now = f.now.Add(time.Minute)
			if ends, err := f.SeeSession(ctx, mine, "192.0.2.7"); err != nil || !ends.Equal(f.now.Add(59*time.Minute)) {
				t.Errorf("ends %s, %v", ends, err)
			}
			list, err := f.Sessions(ctx)
			if err != nil || len(list) != 1 || list[0].Remote != "192.0.2.7" || list[0].Browser != "Firefox" || !list[0].SeenAt.Equal(f.now) {
				t.Errorf("sessions %+v, %v", list, err)
			}
			if err := f.EndOwnSession(ctx, mine); err != nil {
				t.Fatal(err)
			}
			if _, err := f.SeeSession(ctx, mine, ""); !fault.Is(err, fault.NotFound) {
				t.Errorf("seen after its end: %v", err)
			}
		},
	}
}

func (f *fixture) session(ctx context.Context, t *testing.T) uuid.UUID {
	t.Helper()
	made, err := f.CreateSession(ctx, tenant.Member{ID: f.member.Subject, Organization: f.member.Organization}, tenant.Session{Browser: "Firefox", ExpiresAt: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return made
}
