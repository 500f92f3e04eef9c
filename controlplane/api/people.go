package api

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/people"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// ListTeams implements PeopleServiceHandler.
func (s *server) ListTeams(ctx context.Context, _ *apiv1.ListTeamsRequest) (*apiv1.ListTeamsResponse, error) {
	list, err := s.People.Teams(ctx)
	if err != nil {
		return nil, fmt.Errorf("list teams: %w", err)
	}
	out := &apiv1.ListTeamsResponse{}
	for _, t := range list {
		out.Teams = append(out.Teams, teamOf(t))
	}
	return out, nil
}

func teamOf(t tenant.Team) *apiv1.Team {
	return &apiv1.Team{
		Name: t.Name, Members: int32Of(t.Members), Tokens: int32Of(t.Tokens), Owns: int32Of(t.Owns), CreatedAt: timeOf(t.CreatedAt),
	}
}

// CreateTeam implements PeopleServiceHandler.
func (s *server) CreateTeam(ctx context.Context, r *apiv1.CreateTeamRequest) (*apiv1.CreateTeamResponse, error) {
	made, err := s.People.CreateTeam(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("create team: %w", err)
	}
	return &apiv1.CreateTeamResponse{Team: teamOf(made)}, nil
}

// RenameTeam implements PeopleServiceHandler.
func (s *server) RenameTeam(ctx context.Context, r *apiv1.RenameTeamRequest) (*apiv1.RenameTeamResponse, error) {
	return &apiv1.RenameTeamResponse{}, s.People.RenameTeam(ctx, r.GetName(), r.GetNewName())
}

// DeleteTeam implements PeopleServiceHandler.
func (s *server) DeleteTeam(ctx context.Context, r *apiv1.DeleteTeamRequest) (*apiv1.DeleteTeamResponse, error) {
	return &apiv1.DeleteTeamResponse{}, s.People.DeleteTeam(ctx, r.GetName())
}

// ListMembers implements PeopleServiceHandler.
func (s *server) ListMembers(ctx context.Context, _ *apiv1.ListMembersRequest) (*apiv1.ListMembersResponse, error) {
	list, err := s.People.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	out := &apiv1.ListMembersResponse{}
	for _, m := range list {
		member := &apiv1.Member{Email: m.Email, Name: m.Name, Role: string(m.Role), SecondFactor: m.Factor.On(), CreatedAt: timeOf(m.CreatedAt)}
		for _, t := range m.Teams {
			member.Teams = append(member.Teams, t.Name)
		}
		out.Members = append(out.Members, member)
	}
	return out, nil
}

// ChangeMember implements PeopleServiceHandler. What is joined comes before what is left: nobody is without a team in between.
func (s *server) ChangeMember(ctx context.Context, r *apiv1.ChangeMemberRequest) (*apiv1.ChangeMemberResponse, error) {
	if r.GetRole() != "" {
		if err := s.People.SetRole(ctx, r.GetEmail(), tenant.Role(r.GetRole())); err != nil {
			return nil, fmt.Errorf("change member: %w", err)
		}
	}
	for _, team := range r.GetJoinTeams() {
		if err := s.People.JoinTeam(ctx, r.GetEmail(), team); err != nil {
			return nil, fmt.Errorf("change member: %w", err)
		}
	}
	for _, team := range r.GetLeaveTeams() {
		if err := s.People.LeaveTeam(ctx, r.GetEmail(), team); err != nil {
			return nil, fmt.Errorf("change member: %w", err)
		}
	}
	return &apiv1.ChangeMemberResponse{}, nil
}

// RemoveMember implements PeopleServiceHandler.
func (s *server) RemoveMember(ctx context.Context, r *apiv1.RemoveMemberRequest) (*apiv1.RemoveMemberResponse, error) {
	revoked, err := s.People.Remove(ctx, r.GetEmail(), r.GetRevokeTokens())
	if err != nil {
		return nil, fmt.Errorf("remove member: %w", err)
	}
	return &apiv1.RemoveMemberResponse{RevokedTokens: int32Of(revoked)}, nil
}

// InviteMember implements PeopleServiceHandler.
func (s *server) InviteMember(ctx context.Context, r *apiv1.InviteMemberRequest) (*apiv1.InviteMemberResponse, error) {
	made, secret, err := s.People.Invite(ctx, tenant.NewInvitation{
		Email: r.GetEmail(), Role: tenant.Role(r.GetRole()), Team: r.GetTeam(), Lifetime: r.GetLifetime().AsDuration(),
	})
	if err != nil {
		return nil, fmt.Errorf("invite member: %w", err)
	}
	return &apiv1.InviteMemberResponse{Invitation: invitationOf(made), Url: s.PublicURL + people.Path(secret)}, nil
}

func invitationOf(i tenant.Invitation) *apiv1.Invitation {
	return &apiv1.Invitation{
		Id: i.ID.String(), Email: i.Email, Role: string(i.Role), Team: i.Team.Name, Maker: i.Maker, CreatedAt: timeOf(i.CreatedAt), ExpiresAt: timeOf(i.ExpiresAt),
	}
}

// ListInvitations implements PeopleServiceHandler.
func (s *server) ListInvitations(ctx context.Context, _ *apiv1.ListInvitationsRequest) (*apiv1.ListInvitationsResponse, error) {
	list, err := s.People.Invitations(ctx)
	if err != nil {
		return nil, fmt.Errorf("list invitations: %w", err)
	}
	out := &apiv1.ListInvitationsResponse{}
	for _, i := range list {
		out.Invitations = append(out.Invitations, invitationOf(i))
	}
	return out, nil
}

// WithdrawInvitation implements PeopleServiceHandler.
func (s *server) WithdrawInvitation(ctx context.Context, r *apiv1.WithdrawInvitationRequest) (*apiv1.WithdrawInvitationResponse, error) {
	id, err := idOf(r.GetId(), "id")
	if err != nil {
		return nil, err
	}
	return &apiv1.WithdrawInvitationResponse{}, s.People.Withdraw(ctx, id)
}

// SetOwner implements PeopleServiceHandler.
func (s *server) SetOwner(ctx context.Context, r *apiv1.SetOwnerRequest) (*apiv1.SetOwnerResponse, error) {
	of := tenant.Thing{Kind: r.GetKind(), Name: r.GetName(), Version: r.GetVersion()}
	return &apiv1.SetOwnerResponse{}, s.People.SetOwner(ctx, of, r.GetTeam())
}

// RestrictWorkflow implements PeopleServiceHandler.
func (s *server) RestrictWorkflow(ctx context.Context, r *apiv1.RestrictWorkflowRequest) (*apiv1.RestrictWorkflowResponse, error) {
	return &apiv1.RestrictWorkflowResponse{}, s.People.RestrictWorkflow(ctx, r.GetWorkflow(), r.GetRestricted())
}

// GetUsage implements PeopleServiceHandler.
func (s *server) GetUsage(ctx context.Context, _ *apiv1.GetUsageRequest) (*apiv1.GetUsageResponse, error) {
	list, err := s.People.Usage(ctx)
	if err != nil {
		return nil, fmt.Errorf("get usage: %w", err)
	}
	out := &apiv1.GetUsageResponse{}
	for _, u := range list {
		out.Usage = append(out.Usage, &apiv1.QuotaUsage{Name: u.Name, Description: u.What, Used: u.Used, Limit: u.Limit})
	}
	return out, nil
}
