package cmd_test

import (
	"context"
	"testing"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// folk is who belongs to the organization.
type folk struct {
	apiv1connect.UnimplementedPeopleServiceHandler
}

func (folk) ListTeams(context.Context, *apiv1.ListTeamsRequest) (*apiv1.ListTeamsResponse, error) {
	return &apiv1.ListTeamsResponse{Teams: []*apiv1.Team{{Name: "payments", Members: 2, Owns: 11, Tokens: 1, CreatedAt: instant(0)}}}, nil
}

func (folk) CreateTeam(_ context.Context, r *apiv1.CreateTeamRequest) (*apiv1.CreateTeamResponse, error) {
	if r.GetName() == "payments" {
		return nil, connect.NewError(connect.CodeFailedPrecondition, textError("there is a team \"payments\" already"))
	}
	return &apiv1.CreateTeamResponse{}, nil
}

func (folk) RenameTeam(context.Context, *apiv1.RenameTeamRequest) (*apiv1.RenameTeamResponse, error) {
	return &apiv1.RenameTeamResponse{}, nil
}

func (folk) DeleteTeam(context.Context, *apiv1.DeleteTeamRequest) (*apiv1.DeleteTeamResponse, error) {
	return &apiv1.DeleteTeamResponse{}, nil
}

func (folk) ListMembers(context.Context, *apiv1.ListMembersRequest) (*apiv1.ListMembersResponse, error) {
	return &apiv1.ListMembersResponse{Members: []*apiv1.Member{
		{Email: "ada@acme.example", Name: "Ada", Role: "owner", Teams: []string{"payments", "web"}, SecondFactor: true, CreatedAt: instant(0)},
		{Email: "bea@acme.example", Role: "viewer", Teams: []string{"web"}, CreatedAt: instant(1)},
	}}, nil
}

func (folk) ChangeMember(context.Context, *apiv1.ChangeMemberRequest) (*apiv1.ChangeMemberResponse, error) {
	return &apiv1.ChangeMemberResponse{}, nil
}

func (folk) RemoveMember(context.Context, *apiv1.RemoveMemberRequest) (*apiv1.RemoveMemberResponse, error) {
	return &apiv1.RemoveMemberResponse{RevokedTokens: 2}, nil
}

func (folk) InviteMember(_ context.Context, r *apiv1.InviteMemberRequest) (*apiv1.InviteMemberResponse, error) {
	return &apiv1.InviteMemberResponse{Url: "https://seatrial.test/invitations/st_inv_1", Invitation: &apiv1.Invitation{Email: r.GetEmail(), ExpiresAt: instant(0)}}, nil
}

func (folk) ListInvitations(context.Context, *apiv1.ListInvitationsRequest) (*apiv1.ListInvitationsResponse, error) {
	return &apiv1.ListInvitationsResponse{Invitations: []*apiv1.Invitation{
		{Id: "00000000-0000-0000-0000-000000000007", Email: "dan@acme.example", Role: "maintainer", Team: "web", Maker: "ada@acme.example", ExpiresAt: instant(0)},
	}}, nil
}

func (folk) WithdrawInvitation(context.Context, *apiv1.WithdrawInvitationRequest) (*apiv1.WithdrawInvitationResponse, error) {
	return &apiv1.WithdrawInvitationResponse{}, nil
}

func (folk) SetOwner(context.Context, *apiv1.SetOwnerRequest) (*apiv1.SetOwnerResponse, error) {
	return &apiv1.SetOwnerResponse{}, nil
}

func (folk) RestrictWorkflow(context.Context, *apiv1.RestrictWorkflowRequest) (*apiv1.RestrictWorkflowResponse, error) {
	return &apiv1.RestrictWorkflowResponse{}, nil
}

func (folk) GetUsage(context.Context, *apiv1.GetUsageRequest) (*apiv1.GetUsageResponse, error) {
	return &apiv1.GetUsageResponse{Usage: []*apiv1.QuotaUsage{
		{Name: "runs", Description: "runs at once", Used: 3, Limit: 10}, {Name: "clusters", Description: "clusters", Used: 2},
	}}, nil
}

func (p *plane) ListTokens(context.Context, *apiv1.ListTokensRequest) (*apiv1.ListTokensResponse, error) {
	return &apiv1.ListTokensResponse{Tokens: []*apiv1.Token{
		{Id: "00000000-0000-0000-0000-000000000001", Name: "ci", Team: "web", Hint: "st_abcdef", Scopes: []string{"read", "run"}, Workflows: []string{"pay-*"}, Maker: "ada@acme.example", LastUsedAt: instant(1), ExpiresAt: instant(2)},
		{Id: "00000000-0000-0000-0000-000000000002", Name: "login", Team: "web", Hint: "st_ghijkl", Scopes: []string{"read"}, Member: "ada@acme.example", ExpiresAt: instant(2)},
	}}, nil
}

func (p *plane) RevokeToken(context.Context, *apiv1.RevokeTokenRequest) (*apiv1.RevokeTokenResponse, error) {
	return &apiv1.RevokeTokenResponse{}, nil
}

func TestPeople(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"team-list": {"team", "list"}, "team-create": {"team", "create", "search"}, "team-create-twice": {"team", "create", "payments"},
		"team-rename": {"team", "rename", "web", "shop"}, "team-delete": {"team", "delete", "web"}, "team-list-json": {"team", "list", "-o", "json"},
		"member-list": {"member", "list"}, "member-role": {"member", "role", "bea@acme.example", "admin"},
		"member-join": {"member", "join", "bea@acme.example", "payments"}, "member-leave": {"member", "leave", "bea@acme.example", "payments"},
		"member-remove": {"member", "remove", "bea@acme.example", "--revoke-tokens"},
		"invite-create": {"invite", "create", "dan@acme.example", "--role", "viewer"}, "invite-list": {"invite", "list"},
		"invite-withdraw": {"invite", "withdraw", "dan@acme.example"}, "invite-withdraw-none": {"invite", "withdraw", "eve@acme.example"},
		"team-own": {"team", "own", "web", "release", "shop", "--version", "1.2"}, "team-restrict": {"team", "restrict", "smoke"},
		"team-share": {"team", "share", "smoke"}, "get-usage": {"get", "usage"},
		"token-list": {"token", "list"}, "token-revoke": {"token", "revoke", "00000000-0000-0000-0000-000000000001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, setup(t).run(t, args...))
		})
	}
}

// TestLogin_SecondFactor asks for the code only when the control plane does.
func TestLogin_SecondFactor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"ada\ncorrect horse\n123456\n": exitcode.Passed, "ada\ncorrect horse\n999999\n": exitcode.Errored} {
		s := setup(t)
		s.plane.code, s.in = "123456", in
		if got := s.run(t, "login"); got.code != want {
			t.Errorf("%q: %+v", in, got)
		}
	}
}
