package api_test

import (
	"context"
	"slices"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// folk is the people of a world.
type folk struct{ *world }

func (f folk) Teams(ctx context.Context) ([]tenant.Team, error) {
	return []tenant.Team{{TeamRef: tenant.TeamRef{Name: "qa"}, Members: 2}}, f.check(ctx)
}

func (f folk) CreateTeam(ctx context.Context, name string) (tenant.Team, error) {
	return tenant.Team{TeamRef: tenant.TeamRef{Name: name}}, f.did(ctx, "create "+name)
}

func (f folk) RenameTeam(ctx context.Context, name, to string) error {
	return f.did(ctx, "rename "+name+" "+to)
}

func (f folk) DeleteTeam(ctx context.Context, name string) error { return f.did(ctx, "delete "+name) }

func (f folk) Members(ctx context.Context) ([]tenant.Member, error) {
	return []tenant.Member{{Email: "ann@acme.example", Role: tenant.RoleOwner, Teams: []tenant.TeamRef{{Name: "qa"}}}}, f.check(ctx)
}

func (f folk) SetRole(ctx context.Context, email string, role tenant.Role) error {
	return f.did(ctx, "role "+email+" "+string(role))
}

func (f folk) JoinTeam(ctx context.Context, email, team string) error {
	return f.did(ctx, "join "+email+" "+team)
}

func (f folk) LeaveTeam(ctx context.Context, email, team string) error {
	return f.did(ctx, "leave "+email+" "+team)
}

func (f folk) Remove(ctx context.Context, email string, _ bool) (int, error) {
	return 3, f.did(ctx, "remove "+email)
}

func (f folk) Invite(ctx context.Context, a tenant.NewInvitation) (tenant.Invitation, string, error) {
	return tenant.Invitation{Email: a.Email, Role: a.Role, Team: tenant.TeamRef{Name: a.Team}}, "st_inv_1", f.did(ctx, "invite "+a.Email)
}

func (f folk) Invitations(ctx context.Context) ([]tenant.Invitation, error) {
	return []tenant.Invitation{{Email: "bob@acme.example"}}, f.check(ctx)
}

func (f folk) Withdraw(ctx context.Context, _ uuid.UUID) error { return f.did(ctx, "withdraw") }

func (f folk) SetOwner(ctx context.Context, of tenant.Thing, team string) error {
	return f.did(ctx, "own "+of.String()+" "+team)
}

func (f folk) RestrictWorkflow(ctx context.Context, name string, _ bool) error {
	return f.did(ctx, "restrict "+name)
}

func (f folk) Usage(ctx context.Context) ([]tenant.Usage, error) {
	return tenant.Usages(f.quota, tenant.Quota{Runs: 3}), f.check(ctx)
}

func (f folk) Call(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.called++; f.quota.Calls > 0 && f.called > f.quota.Calls {
		return fault.New(fault.Exhausted, "no more calls in this minute").WithHint("Wait.")
	}
	return nil
}

// did remembers what was done.
func (f folk) did(ctx context.Context, what string) error {
	if err := f.check(ctx); err != nil {
		return err
	}
	f.change(func(w *world) { w.done = append(w.done, what) })
	return nil
}

func peopleCalls() map[string]call {
	of := func(scope string, do func(ctx context.Context, b *bench) error) call { return call{scope, do} }
	const ann = "ann@acme.example"
	return map[string]call{
		"ListTeams": of("read", func(ctx context.Context, b *bench) error {
			_, err := b.people.ListTeams(ctx, &apiv1.ListTeamsRequest{})
			return err
		}),
		"CreateTeam": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.CreateTeam(ctx, &apiv1.CreateTeamRequest{Name: "web"})
			return err
		}),
		"RenameTeam": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.RenameTeam(ctx, &apiv1.RenameTeamRequest{Name: "web", NewName: "shop"})
			return err
		}),
		"DeleteTeam": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.DeleteTeam(ctx, &apiv1.DeleteTeamRequest{Name: "web"})
			return err
		}),
		"ListMembers": of("read", func(ctx context.Context, b *bench) error {
			_, err := b.people.ListMembers(ctx, &apiv1.ListMembersRequest{})
			return err
		}),
		"ChangeMember": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.ChangeMember(ctx, &apiv1.ChangeMemberRequest{Email: ann, Role: "viewer"})
			return err
		}),
		"RemoveMember": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.RemoveMember(ctx, &apiv1.RemoveMemberRequest{Email: ann})
			return err
		}),
		"InviteMember": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.InviteMember(ctx, &apiv1.InviteMemberRequest{Email: ann, Role: "viewer"})
			return err
		}),
		"ListInvitations": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.ListInvitations(ctx, &apiv1.ListInvitationsRequest{})
			return err
		}),
		"SetOwner": of("catalog", func(ctx context.Context, b *bench) error {
			_, err := b.people.SetOwner(ctx, &apiv1.SetOwnerRequest{Kind: "workflow", Name: "checkout", Team: "web"})
			return err
		}),
		"RestrictWorkflow": of("catalog", func(ctx context.Context, b *bench) error {
			_, err := b.people.RestrictWorkflow(ctx, &apiv1.RestrictWorkflowRequest{Workflow: "checkout", Restricted: true})
			return err
		}),
		"GetUsage": of("read", func(ctx context.Context, b *bench) error {
			_, err := b.people.GetUsage(ctx, &apiv1.GetUsageRequest{})
			return err
		}),
		"WithdrawInvitation": of("admin", func(ctx context.Context, b *bench) error {
			_, err := b.people.WithdrawInvitation(ctx, &apiv1.WithdrawInvitationRequest{Id: uuid.NewString()})
			return err
		}),
	}
}

func TestAPI_People(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	invited, err := b.people.InviteMember(t.Context(), &apiv1.InviteMemberRequest{Email: "bob@acme.example", Role: "viewer", Team: "qa"})
	if err != nil || invited.GetUrl() != "https://seatrial.test/invitations/st_inv_1" || invited.GetInvitation().GetTeam() != "qa" {
		t.Errorf("invited %v, %v", invited, err)
	}
	_, err = b.people.ChangeMember(t.Context(), &apiv1.ChangeMemberRequest{Email: "ann", Role: "viewer", JoinTeams: []string{"web"}, LeaveTeams: []string{"qa"}})
	if want := []string{"invite bob@acme.example", "role ann viewer", "join ann web", "leave ann qa"}; err != nil || !slices.Equal(b.world.done, want) {
		t.Errorf("done %q, %v; nobody is without a team in between: want %q", b.world.done, err, want)
	}
	removed, err := b.people.RemoveMember(t.Context(), &apiv1.RemoveMemberRequest{Email: "ann"})
	if err != nil || removed.GetRevokedTokens() != 3 {
		t.Errorf("removed %v, %v", removed, err)
	}
}

// TestAPI_SetOwner_Kinds: whatever a team can own can be handed to another.
func TestAPI_SetOwner_Kinds(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	for _, kind := range tenant.Kinds() {
		if _, err := b.people.SetOwner(t.Context(), &apiv1.SetOwnerRequest{Kind: kind, Name: "checkout", Version: "1", Team: "web"}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if len(b.world.done) != len(tenant.Kinds()) {
		t.Errorf("done %q", b.world.done)
	}
}

// TestAPI_CallsQuota refuses what is beyond the quota of a minute, with a message that says until when.
func TestAPI_CallsQuota(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	b.world.quota.Calls = 3
	for n := range 5 {
		_, err := b.people.ListTeams(t.Context(), &apiv1.ListTeamsRequest{})
		if n < 3 && err != nil || n >= 3 && connect.CodeOf(err) != connect.CodeResourceExhausted {
			t.Errorf("call %d: %v", n, err)
		}
		if n >= 3 && detail(t, err).GetHint() == "" {
			t.Error("nothing says what to do")
		}
	}
}

func TestAPI_Usage(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	b.world.quota.Runs = 10
	res, err := b.people.GetUsage(t.Context(), &apiv1.GetUsageRequest{})
	if err != nil || len(res.GetUsage()) != 5 || res.GetUsage()[0].GetUsed() != 3 || res.GetUsage()[0].GetLimit() != 10 {
		t.Errorf("%v, %v", res, err)
	}
}
