// Package people keeps who belongs to an organization: its teams, its members with their roles, and the invitations to it. The rules
// of who may change what are here; the store keeps what cannot be left to two callers at once, such as the last owner.
package people

import (
	"context"
	"fmt"
	"log/slog"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// TeamStore keeps teams for the viewer of the context.
type TeamStore interface {
	Teams(ctx context.Context) ([]tenant.Team, error)
	// CreateTeam returns fault.Conflict when there is one of this name.
	CreateTeam(ctx context.Context, name string) (tenant.Team, error)
	RenameTeam(ctx context.Context, name, to string) error
	// DeleteTeam returns fault.Conflict with what the team still has.
	DeleteTeam(ctx context.Context, name string) error
}

// MemberStore keeps members for the viewer of the context. The last owner stays one: fault.Conflict.
type MemberStore interface {
	Members(ctx context.Context) ([]tenant.Member, error)
	Member(ctx context.Context, email string) (tenant.Member, error)
	SetRole(ctx context.Context, email string, role tenant.Role) error
	JoinTeam(ctx context.Context, email, team string) error
	// LeaveTeam returns fault.Conflict when it is the member's only one.
	LeaveTeam(ctx context.Context, email, team string) error
	// RemoveMember ends all that the member has; with tokens also the tokens that the member made for teams, and says how many.
	RemoveMember(ctx context.Context, email string, tokens bool) (revoked int, err error)
}

// InvitationStore keeps invitations.
type InvitationStore interface {
	// CreateInvitation withdraws those before it to the same address.
	CreateInvitation(ctx context.Context, i tenant.Invitation) (tenant.Invitation, error)
	// Invitations lists those that can be accepted.
	Invitations(ctx context.Context) ([]tenant.Invitation, error)
	WithdrawInvitation(ctx context.Context, id uuid.UUID) error
	// InvitationByHash searches all organizations, and also returns what is over.
	InvitationByHash(ctx context.Context, hash []byte) (tenant.Invitation, error)
	// AcceptInvitation makes the member, once: fault.Conflict when it was used or withdrawn meanwhile.
	AcceptInvitation(ctx context.Context, i tenant.Invitation, name, passwordHash string) (tenant.Member, error)
}

// OwnerStore keeps which team owns what, and how much of the instance the organization uses.
type OwnerStore interface {
	// SetOwner returns fault.Forbidden unless the viewer acts for the team that has it.
	SetOwner(ctx context.Context, of tenant.Thing, team string) error
	RestrictWorkflow(ctx context.Context, name string, restricted bool) error
	Quota(ctx context.Context) (tenant.Quota, error)
	Use(ctx context.Context) (tenant.Quota, error)
}

// Store is what people needs of the database.
type Store interface {
	TeamStore
	MemberStore
	InvitationStore
	OwnerStore
}

// Secrets makes and hashes what only one person may know.
type Secrets interface {
	NewSecret(prefix string) (secret string, hash []byte, err error)
	HashSecret(secret string) []byte
	// HashPassword returns fault.Invalid for a password that is too easy to guess.
	HashPassword(ctx context.Context, password string) (string, error)
}

// Service keeps people. It holds no state of its own.
type Service struct {
	store   Store
	secrets Secrets
	now     func() time.Time
	log     *slog.Logger
	calls   *calls
}

// New returns a service. The clock may be nil.
func New(store Store, secrets Secrets, clock func() time.Time, log *slog.Logger) *Service {
	if clock == nil {
		clock = time.Now
	}
	log = log.With("component", "people")
	return &Service{store: store, secrets: secrets, now: clock, log: log, calls: newCalls(store.Quota, clock, log)}
}

const (
	maxName     = 100 // bytes of the name of a person
	maxTeamName = 63
)

// teamName is what names of teams look like: they stand in addresses and on command lines.
func validTeam(name string) error {
	if len(name) > maxTeamName || !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(name) {
		return fault.New(fault.Invalid, "%q is no name of a team", name).WithField("name").
			WithHint("Lower-case letters, digits and hyphens, at most %d.", maxTeamName)
	}
	return nil
}

// admin returns the viewer when it administers the organization.
func admin(ctx context.Context) (tenant.Viewer, error) { return tenant.Require(ctx, tenant.ScopeAdmin) }

// Teams lists the teams of the viewer's organization.
func (s *Service) Teams(ctx context.Context) ([]tenant.Team, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeRead); err != nil {
		return nil, err
	}
	return s.store.Teams(ctx)
}

// CreateTeam makes a team. It takes an administrator, as all changes of teams and members do.
func (s *Service) CreateTeam(ctx context.Context, name string) (tenant.Team, error) {
	v, err := admin(ctx)
	if err != nil {
		return tenant.Team{}, err
	}
	if err := validTeam(name); err != nil {
		return tenant.Team{}, err
	}
	made, err := s.store.CreateTeam(ctx, name)
	if err == nil {
		s.log.InfoContext(ctx, "team created", "team", name, "actor", v.Name)
	}
	return made, err
}

// RenameTeam gives a team another name.
func (s *Service) RenameTeam(ctx context.Context, name, to string) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	if err := validTeam(to); err != nil {
		return err
	}
	if err := s.store.RenameTeam(ctx, name, to); err != nil {
		return fmt.Errorf("rename team %s: %w", name, err)
	}
	s.log.InfoContext(ctx, "team renamed", "team", name, "to", to, "actor", v.Name)
	return nil
}

// DeleteTeam deletes a team that has nothing and nobody.
func (s *Service) DeleteTeam(ctx context.Context, name string) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	if err := s.store.DeleteTeam(ctx, name); err != nil {
		return fmt.Errorf("delete team %s: %w", name, err)
	}
	s.log.InfoContext(ctx, "team deleted", "team", name, "actor", v.Name)
	return nil
}

// Members lists the members of the viewer's organization, without what they prove themselves with.
func (s *Service) Members(ctx context.Context) ([]tenant.Member, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeRead); err != nil {
		return nil, err
	}
	list, err := s.store.Members(ctx)
	for i := range list {
		list[i].PasswordHash, list[i].Factor = "", tenant.Factor{Since: list[i].Factor.Since}
	}
	return list, err
}

// touch returns the viewer when it may change a member: only owners make owners and change what owners may.
func (s *Service) touch(ctx context.Context, email string, to tenant.Role) (tenant.Viewer, string, error) {
	v, err := admin(ctx)
	if err != nil {
		return v, "", err
	}
	email = strings.ToLower(strings.TrimSpace(email))
	m, err := s.store.Member(ctx, email)
	if err != nil {
		return v, "", err
	}
	if (m.Role == tenant.RoleOwner || to == tenant.RoleOwner) && !v.Owner() {
		return v, "", fault.New(fault.Forbidden, "only an owner makes owners, and changes or removes them").
			WithHint("Ask an owner of the organization.")
	}
	return v, m.Email, nil
}

// SetRole changes what a member may do.
func (s *Service) SetRole(ctx context.Context, email string, role tenant.Role) error {
	if err := role.Check(); err != nil {
		return err
	}
	v, email, err := s.touch(ctx, email, role)
	if err != nil {
		return err
	}
	if err := s.store.SetRole(ctx, email, role); err != nil {
		return fmt.Errorf("change role of %s: %w", email, err)
	}
	s.log.InfoContext(ctx, "role changed", "member", email, "role", role, "actor", v.Name)
	return nil
}

// JoinTeam puts a member into a team.
func (s *Service) JoinTeam(ctx context.Context, email, team string) error {
	return s.move(ctx, email, team, "joined", s.store.JoinTeam)
}

// LeaveTeam takes a member out of a team.
func (s *Service) LeaveTeam(ctx context.Context, email, team string) error {
	return s.move(ctx, email, team, "left", s.store.LeaveTeam)
}

func (s *Service) move(ctx context.Context, email, team, how string, do func(ctx context.Context, email, team string) error) error {
	v, err := admin(ctx)
	if err != nil {
		return err
	}
	email = strings.ToLower(strings.TrimSpace(email))
	if err := do(ctx, email, team); err != nil {
		return fmt.Errorf("teams of %s: %w", email, err)
	}
	s.log.InfoContext(ctx, "team "+how, "member", email, "team", team, "actor", v.Name) //nolint:sloglint // one of two texts
	return nil
}

// Remove removes a member: all sessions and personal tokens end at once. With tokens, those that the member made for teams are revoked
// too, and it returns how many; otherwise pipelines go on with them.
func (s *Service) Remove(ctx context.Context, email string, tokens bool) (revoked int, err error) {
	v, email, err := s.touch(ctx, email, "")
	if err != nil {
		return 0, err
	}
	if revoked, err = s.store.RemoveMember(ctx, email, tokens); err != nil {
		return 0, fmt.Errorf("remove %s: %w", email, err)
	}
	s.log.InfoContext(ctx, "member removed", "member", email, "tokens", revoked, "actor", v.Name)
	return revoked, nil
}

// validEmail checks an address as people type it.
func validEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > 254 {
		return "", fault.New(fault.Invalid, "%q is no e-mail address", email).WithField("email").WithHint("Write it as ada@example.com.")
	}
	return email, nil
}

func validName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return "", fault.New(fault.Invalid, "a name has 1 to %d bytes", maxName).WithField("name").WithHint("Give the name that others know you by.")
	}
	return name, nil
}
