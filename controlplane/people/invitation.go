package people

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	// InvitationPrefix begins the secret of every invitation.
	InvitationPrefix = "st_inv_"

	invitedFor  = 7 * 24 * time.Hour
	maxInvited  = 30 * 24 * time.Hour
	askForOther = "Ask whoever invited you for a new link."
)

// Path is the address of an invitation on the control plane.
func Path(secret string) string { return "/invitations/" + secret }

// Invite makes an invitation and returns it with the secret of its link, which nobody can show again. One before it to the same
// address is withdrawn. Only owners invite owners.
func (s *Service) Invite(ctx context.Context, a tenant.NewInvitation) (i tenant.Invitation, secret string, err error) {
	v, err := admin(ctx)
	if err != nil {
		return i, "", err
	}
	if a.Email, err = validEmail(a.Email); err != nil {
		return i, "", err
	}
	if err := a.Role.Check(); err != nil {
		return i, "", err
	}
	switch {
	case a.Role == tenant.RoleOwner && !v.Owner():
		return i, "", fault.New(fault.Forbidden, "only an owner makes owners").WithField("role").WithHint("Invite as admin, or ask an owner.")
	case a.Lifetime < 0 || a.Lifetime > maxInvited:
		return i, "", fault.New(fault.Invalid, "an invitation lives at most %d days", int(maxInvited.Hours()/24)).WithField("lifetime")
	case a.Lifetime == 0:
		a.Lifetime = invitedFor
	}
	secret, hash, err := s.secrets.NewSecret(InvitationPrefix)
	if err != nil {
		return i, "", fmt.Errorf("make a secret: %w", err)
	}
	i, err = s.store.CreateInvitation(ctx, tenant.Invitation{
		Team: tenant.TeamRef{Name: a.Team}, Email: a.Email, Role: a.Role, Maker: v.Name, Hash: hash, ExpiresAt: s.now().Add(a.Lifetime),
	})
	if err != nil {
		return i, "", fmt.Errorf("invite %s: %w", a.Email, err)
	}
	s.log.InfoContext(ctx, "member invited", "member", a.Email, "role", a.Role, "team", i.Team.Name, "actor", v.Name)
	return i, secret, nil
}

// Invitations lists the open invitations of the viewer's organization.
func (s *Service) Invitations(ctx context.Context) ([]tenant.Invitation, error) {
	if _, err := admin(ctx); err != nil {
		return nil, err
	}
	return s.store.Invitations(ctx)
}

// Withdraw makes the link of an invitation useless.
func (s *Service) Withdraw(ctx context.Context, id uuid.UUID) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	if err := s.store.WithdrawInvitation(ctx, id); err != nil {
		return fmt.Errorf("withdraw invitation: %w", err)
	}
	s.log.InfoContext(ctx, "invitation withdrawn", "invitation", id, "actor", v.Name)
	return nil
}

// Invitation returns the invitation of a link. It needs no viewer: the link is the credential. One that is of no use is fault.Invalid,
// and says why.
func (s *Service) Invitation(ctx context.Context, secret string) (tenant.Invitation, error) {
	unknown := fault.New(fault.Invalid, "this link is no invitation").WithHint("Check that all of it was copied. " + askForOther)
	if !strings.HasPrefix(secret, InvitationPrefix) {
		return tenant.Invitation{}, unknown
	}
	i, err := s.store.InvitationByHash(ctx, s.secrets.HashSecret(secret))
	switch {
	case fault.Is(err, fault.NotFound):
		return i, unknown
	case err != nil:
		return i, fmt.Errorf("look for the invitation: %w", err)
	case !i.AcceptedAt.IsZero():
		return i, fault.New(fault.Invalid, "this invitation has been used already").WithHint("Sign in with the password that you chose then.")
	case !i.WithdrawnAt.IsZero():
		return i, fault.New(fault.Invalid, "this invitation was withdrawn").WithHint("A later one may have replaced it. " + askForOther)
	case !s.now().Before(i.ExpiresAt):
		return i, fault.New(fault.Invalid, "this invitation expired on %s", i.ExpiresAt.Format("2 January 2006")).WithHint(askForOther)
	}
	return i, nil
}

// Accept makes the member whom a link invites.
func (s *Service) Accept(ctx context.Context, secret, name, password string) (tenant.Member, error) {
	i, err := s.Invitation(ctx, secret)
	if err != nil {
		return tenant.Member{}, err
	}
	if name, err = validName(name); err != nil {
		return tenant.Member{}, err
	}
	hash, err := s.secrets.HashPassword(ctx, password)
	if err != nil {
		return tenant.Member{}, err
	}
	m, err := s.store.AcceptInvitation(ctx, i, name, hash)
	if err != nil {
		return tenant.Member{}, fmt.Errorf("accept the invitation of %s: %w", i.Email, err)
	}
	s.log.InfoContext(ctx, "invitation accepted", "member", m.Email, "organization", m.Organization, "role", m.Role)
	return m, nil
}
