package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/invitation"
	"github.com/seatrial/seatrial/ent/db/member"
	"github.com/seatrial/seatrial/ent/db/memberidentity"
	"github.com/seatrial/seatrial/ent/db/membersession"
	"github.com/seatrial/seatrial/ent/db/team"
	"github.com/seatrial/seatrial/ent/db/teammember"
)

// AdmitIdentity returns the member whom an identity provider speaks of, and gives the member the role and the teams that the groups stand
// for. Somebody new becomes a member when invited, or when a group or the provider's default gives a role. It is fault.Forbidden for
// everybody else, for an owner when the provider may not say who one is, and for somebody whom no group lets in any more; the sessions of
// the latter end.
func (s *Store) AdmitIdentity(ctx context.Context, p tenant.IdentityProvider, who tenant.Identity) (m tenant.Member, err error) {
	ctx = tenant.System(ctx)
	var refused error
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		a := &arrival{Store: s, tx: tx, provider: p, who: who}
		row, err := a.admit(ctx)
		refused = nil
		if fault.Is(err, fault.Forbidden) && a.ended {
			refused = err // what it has ended stays ended
			return s.notedMember(ctx, tx, a.row)
		}
		if err != nil {
			return err
		}
		if m, err = s.memberRecord(ctx, tx.Client(), row); err != nil {
			return err
		}
		n := audit.Of(ctx)
		n.By(tenant.Viewer{Kind: tenant.KindMember, Organization: row.OrganizationID, Subject: row.ID, Name: row.Email})
		n.Detail("provider", p.Name)
		n.Detail("role", row.Role)
		return nil // the session that follows is what goes on record
	})
	if database.Unique(err) {
		return m, fault.New(fault.Conflict, "somebody else just signed in as the same person").WithHint("Try again.")
	}
	if err == nil {
		err = refused
	}
	return m, err
}

// arrival is one sign-in by an identity provider, in its transaction.
type arrival struct {
	*Store
	tx       *db.Tx
	provider tenant.IdentityProvider
	who      tenant.Identity
	row      *db.Member
	identity *db.MemberIdentity
	grouped  bool // the member is new, by a group alone
	ended    bool // the member's sessions
}

func (a *arrival) admit(ctx context.Context) (*db.Member, error) {
	if err := a.find(ctx); err != nil {
		return nil, err
	}
	given := a.provider.Role(a.who.Groups)
	if given == tenant.RoleOwner && !a.provider.Owners {
		given = tenant.RoleAdmin // the rules of settings refuse such a mapping: this is the last line
	}
	if a.row == nil {
		if err := a.create(ctx, given); err != nil {
			return nil, err
		}
	} else if err := a.trusted(); err != nil {
		return nil, err
	}
	if a.identity == nil {
		var err error
		a.identity, err = a.tx.MemberIdentity.Create().SetOrganizationID(a.provider.Organization).SetProviderID(a.provider.ID).SetMemberID(a.row.ID).
			SetIssuer(a.provider.Issuer).SetSubject(a.who.Subject).SetBaseRole(a.base()).Save(ctx)
		if err != nil {
			return nil, err
		}
	}
	if err := a.assign(ctx, given); err != nil {
		return nil, err
	}
	return a.row, a.place(ctx)
}

// find looks for who it is: by the subject first, which never changes hands, then by the e-mail address.
func (a *arrival) find(ctx context.Context) (err error) {
	a.identity, err = a.tx.MemberIdentity.Query().Where(memberidentity.ProviderID(a.provider.ID), memberidentity.Issuer(a.provider.Issuer),
		memberidentity.Subject(a.who.Subject)).Only(ctx)
	switch {
	case err == nil:
		a.row, err = locked(a.Store, a.tx.Member.Query().Where(member.ID(a.identity.MemberID))).Only(ctx)
		return err
	case !db.IsNotFound(err):
		return err
	}
	if a.who.Email == "" {
		return fault.New(fault.Forbidden, "the identity provider does not vouch for an e-mail address of yours").
			WithHint("It has to send a verified one, of a domain that it is trusted for. Ask an admin of the organization.")
	}
	a.row, err = locked(a.Store, a.tx.Member.Query().Where(member.OrganizationID(a.provider.Organization), member.Email(a.who.Email))).Only(ctx)
	if db.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	// One person of the provider is one member: another account of the same address does not take it over.
	taken, err := a.tx.MemberIdentity.Query().Where(memberidentity.ProviderID(a.provider.ID), memberidentity.Issuer(a.provider.Issuer), memberidentity.MemberID(a.row.ID)).Exist(ctx)
	if err == nil && taken {
		err = fault.New(fault.Forbidden, "%s signs in as another account of the identity provider", a.who.Email).
			WithHint("An admin can remove the member, who then comes anew.")
	}
	return err
}

// trusted refuses owners whom nobody but an admin's provider vouches for: an admin must not become an owner by pointing to a server.
func (a *arrival) trusted() error {
	if tenant.Role(a.row.Role) == tenant.RoleOwner && !a.provider.Owners {
		return fault.New(fault.Forbidden, "owners do not sign in by this identity provider").WithHint("An owner can allow it in the settings. Sign in with your password.")
	}
	return nil
}

// base is the role of somebody new to the provider when no group gives one: that of the member, or the default of who came by a group.
func (a *arrival) base() string {
	if a.grouped {
		return string(a.provider.DefaultRole)
	}
	return a.row.Role
}

// create makes the member: by an invitation to the address, a group, or the default.
func (a *arrival) create(ctx context.Context, given tenant.Role) error {
	invited, err := locked(a.Store, a.tx.Invitation.Query().Where(invitation.OrganizationID(a.provider.Organization), invitation.Email(a.who.Email), a.open())).
		Order(db.Desc(invitation.FieldID)).First(ctx)
	if err != nil && !db.IsNotFound(err) {
		return err
	}
	role := given
	if role == "" {
		role = a.provider.DefaultRole
	}
	var to uuid.UUID
	if invited != nil {
		to = invited.TeamID
		if role = tenant.Role(invited.Role); role == tenant.RoleOwner && !a.provider.Owners {
			return fault.New(fault.Forbidden, "owners do not sign in by this identity provider").WithHint("Accept the invitation by its link.")
		}
		if err := invited.Update().SetAcceptedAt(a.now()).Exec(ctx); err != nil {
			return err
		}
	}
	if role == "" {
		return fault.New(fault.Forbidden, "%s is no member of %s", a.who.Email, a.provider.OrganizationName).
			WithHint("Ask an admin of the organization to invite you.")
	}
	if to == uuid.Nil {
		if to, err = a.firstTeam(ctx); err != nil {
			return err
		}
	}
	a.row, err = a.tx.Member.Create().SetOrganizationID(a.provider.Organization).SetTeamID(to).SetEmail(a.who.Email).SetName(clip(clean(a.who.Name), 100)).
		SetPasswordHash("").SetRole(string(role)).Save(ctx)
	if err != nil {
		return err
	}
	a.grouped = invited == nil && given != ""
	audit.Of(ctx).Detail("member", "new")
	return join(ctx, a.tx, a.row, to)
}

// firstTeam is where somebody new goes: the first team that a group gives, the default, or the organization's first.
func (a *arrival) firstTeam(ctx context.Context) (uuid.UUID, error) {
	names, _ := a.provider.Placed(a.who.Groups)
	for _, name := range append(slices.Clone(names), a.provider.DefaultTeam) {
		row, err := a.tx.Team.Query().Where(team.OrganizationID(a.provider.Organization), team.Name(name)).Only(ctx)
		if err == nil || !db.IsNotFound(err) {
			if err != nil {
				return uuid.Nil, err
			}
			return row.ID, nil
		}
	}
	return a.tx.Team.Query().Where(team.OrganizationID(a.provider.Organization)).Order(team.ByID()).FirstID(ctx)
}

// assign gives the member the role that the groups stand for. When they stopped giving one, the member has the one from before; who had
// none is let in no more.
func (a *arrival) assign(ctx context.Context, given tenant.Role) error {
	role := given
	if given == "" && a.identity.Mapped {
		role = tenant.Role(a.identity.BaseRole)
		if role == "" {
			role = a.provider.DefaultRole
		}
		if role == "" {
			return a.end(ctx, "lets you into "+a.provider.OrganizationName)
		}
	}
	u := a.identity.Update().SetMapped(given != "").SetSeenAt(a.now())
	if given != "" && !a.identity.Mapped && a.row.Role != string(given) && a.identity.BaseRole != "" {
		u = u.SetBaseRole(a.row.Role) // it may have been changed by hand since
	}
	if err := u.Exec(ctx); err != nil {
		return err
	}
	if role == "" || string(role) == a.row.Role {
		return nil
	}
	if tenant.Role(a.row.Role) == tenant.RoleOwner {
		if err := othersOwn(ctx, a.tx, a.row, "be given another role"); fault.Is(err, fault.Conflict) {
			return nil // the last owner stays one, whatever a group says
		} else if err != nil {
			return err
		}
	}
	var err error
	a.row, err = a.row.Update().SetRole(string(role)).Save(ctx)
	return err
}

// end ends the sessions of somebody whom the groups let in no more, and says so.
func (a *arrival) end(ctx context.Context, what string) error {
	a.ended = true
	if err := a.tx.MemberSession.Update().Where(membersession.MemberID(a.row.ID), membersession.EndedAtIsNil()).SetEndedAt(a.now()).Exec(ctx); err != nil {
		return err
	}
	return fault.New(fault.Forbidden, "none of your groups %s any more", what).WithHint("Ask whoever keeps the groups of the identity provider.")
}

// place puts the member into the teams that groups stand for, and takes the member out of those whose groups are gone. Teams that no group
// stands for stay as they are.
func (a *arrival) place(ctx context.Context) error {
	in, out := a.provider.Placed(a.who.Groups)
	for _, name := range in {
		id, err := a.team(ctx, name)
		if err != nil {
			return err
		}
		if err := join(ctx, a.tx, a.row, id); err != nil {
			return err
		}
	}
	for _, name := range out {
		if err := a.leave(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *arrival) team(ctx context.Context, name string) (uuid.UUID, error) {
	return a.tx.Team.Query().Where(team.OrganizationID(a.provider.Organization), team.Name(name)).OnlyID(ctx)
}

// leave takes the member out of a team. Nobody is without one: the default takes who has no other, and without a default nothing is left.
func (a *arrival) leave(ctx context.Context, name string) error {
	from, err := a.team(ctx, name)
	if err != nil {
		return err
	}
	is, err := a.tx.TeamMember.Query().Where(teammember.MemberID(a.row.ID), teammember.TeamID(from)).Exist(ctx)
	if err != nil || !is {
		return err
	}
	var to uuid.UUID
	switch other, err := a.tx.TeamMember.Query().Where(teammember.MemberID(a.row.ID), teammember.TeamIDNEQ(from)).Order(teammember.ByID()).First(ctx); {
	case err == nil:
		to = other.TeamID
	case !db.IsNotFound(err):
		return err
	case a.provider.DefaultTeam == name:
		return nil
	case a.provider.DefaultTeam == "":
		return a.end(ctx, "puts you into a team")
	default:
		if to, err = a.team(ctx, a.provider.DefaultTeam); err != nil {
			return err
		}
		if err := join(ctx, a.tx, a.row, to); err != nil {
			return err
		}
	}
	if _, err := a.tx.TeamMember.Delete().Where(teammember.MemberID(a.row.ID), teammember.TeamID(from)).Exec(ctx); err != nil {
		return err
	}
	if a.row.TeamID == from {
		a.row, err = a.row.Update().SetTeamID(to).Save(ctx)
	}
	return err
}
