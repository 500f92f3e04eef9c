package view

import (
	"context"
	"net/url"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Door lets in who was invited. It needs no viewer: the secret of the link is the credential.
type Door interface {
	// Invitation returns fault.Invalid for a link that is of no use, and says why.
	Invitation(ctx context.Context, secret string) (tenant.Invitation, error)
	// Accept makes the member and signs in; of the entry it takes password, network address and browser.
	Accept(ctx context.Context, secret, name string, e tenant.Entry) (Ticket, error)
}

// SSO lets people in by the identity provider of their organization. It needs no viewer.
type SSO interface {
	// Ways lists the names of an organization's identity providers; none for an unknown one.
	Ways(ctx context.Context, organization string) ([]string, error)
	// Begin returns where to send the browser, and what it keeps until it comes back.
	Begin(ctx context.Context, organization, provider, base, next string) (to, kept string, err error)
	// Finish signs in who comes back; of the entry it takes network address and browser.
	Finish(ctx context.Context, back Back, e tenant.Entry) (t Ticket, next string, err error)
}

// Back is how a browser comes back from an identity provider.
type Back struct {
	Organization, Provider string     // of the address
	Kept                   string     // what the browser kept
	Query                  url.Values // what the provider added to the address
}

// Access keeps how the viewer's organization lets people and pipelines in.
type Access interface {
	Access(ctx context.Context) (tenant.Access, error)
	SetAccess(ctx context.Context, a tenant.Access) error
	IdentityProviders(ctx context.Context) ([]tenant.IdentityProvider, error)
	SetIdentityProvider(ctx context.Context, p tenant.IdentityProvider) error
	DeleteIdentityProvider(ctx context.Context, name string) error
	TrustRules(ctx context.Context) ([]tenant.TrustRule, error)
	SetTrustRule(ctx context.Context, r tenant.TrustRule) error
	DeleteTrustRule(ctx context.Context, name string) error
}

// Account is what the member of the context does with the own account.
type Account interface {
	Self(ctx context.Context) (tenant.Member, error)
	// ChangePassword ends all other sessions.
	ChangePassword(ctx context.Context, password, next string) error
	Sessions(ctx context.Context) ([]tenant.Session, error)
	EndSession(ctx context.Context, id uuid.UUID) error
	// ProposeFactor makes the secret of a second factor and returns it as the address that authenticator apps read.
	ProposeFactor(ctx context.Context, organization string) (address string, err error)
	// ConfirmFactor turns it on and returns the recovery codes, once.
	ConfirmFactor(ctx context.Context, code string) ([]string, error)
	DropFactor(ctx context.Context, password string) error
}

// Tokens keeps API tokens for the viewer of the context.
type Tokens interface {
	Tokens(ctx context.Context) ([]tenant.Token, error)
	// CreateToken returns the secret once.
	CreateToken(ctx context.Context, n tenant.NewToken) (secret string, made tenant.Token, err error)
	RevokeToken(ctx context.Context, id uuid.UUID) error
}

// People keeps who belongs to the viewer's organization.
type People interface {
	Teams
	Members
	Invitations
	Owners
}

// Owners keeps which team owns what, and how much the organization uses.
type Owners interface {
	SetOwner(ctx context.Context, of tenant.Thing, team string) error
	RestrictWorkflow(ctx context.Context, name string, restricted bool) error
	// Usage lists the quotas with their use.
	Usage(ctx context.Context) ([]tenant.Usage, error)
}

// Teams keeps teams.
type Teams interface {
	Teams(ctx context.Context) ([]tenant.Team, error)
	CreateTeam(ctx context.Context, name string) (tenant.Team, error)
	RenameTeam(ctx context.Context, name, to string) error
	DeleteTeam(ctx context.Context, name string) error
}

// Members keeps members.
type Members interface {
	Members(ctx context.Context) ([]tenant.Member, error)
	SetRole(ctx context.Context, email string, role tenant.Role) error
	JoinTeam(ctx context.Context, email, team string) error
	LeaveTeam(ctx context.Context, email, team string) error
	// Remove returns how many tokens of teams it revoked.
	Remove(ctx context.Context, email string, tokens bool) (revoked int, err error)
}

// Invitations keeps invitations.
type Invitations interface {
	// Invite returns the secret of the link once.
	Invite(ctx context.Context, n tenant.NewInvitation) (i tenant.Invitation, secret string, err error)
	Invitations(ctx context.Context) ([]tenant.Invitation, error)
	Withdraw(ctx context.Context, id uuid.UUID) error
}
