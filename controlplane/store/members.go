package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/apitoken"
	"github.com/seatrial/seatrial/ent/db/invitation"
	"github.com/seatrial/seatrial/ent/db/member"
	"github.com/seatrial/seatrial/ent/db/membersession"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/teammember"
)

// Members lists the members by e-mail, with their teams.
func (s *Store) Members(ctx context.Context) ([]tenant.Member, error) {
	rows, err := s.db.Read().Member.Query().Order(member.ByEmail()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	return s.memberRecords(ctx, s.db.Read(), rows)
}

// Member returns a member by e-mail, or fault.NotFound.
func (s *Store) Member(ctx context.Context, email string) (tenant.Member, error) {
	row, err := memberNamed(ctx, s.db.Read().Member.Query(), email)
	if err != nil {
		return tenant.Member{}, database.Fault(err)
	}
	return s.memberRecord(ctx, s.db.Read(), row)
}

// notedMember notes that something was done to a member.
func (s *Store) notedMember(ctx context.Context, tx *db.Tx, row *db.Member) error {
	return s.noted(ctx, tx, audit.Object{Kind: "member", ID: row.ID.String(), Name: row.Email})
}

func memberNamed(ctx context.Context, q *db.MemberQuery, email string) (*db.Member, error) {
	row, err := q.Where(member.Email(email)).Only(ctx)
	if db.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "there is no member %q", email).WithField("email").WithHint("List who there is with: seatrial member list.")
	}
	return row, err
}

// memberRecord reads the teams of a member.
func (s *Store) memberRecord(ctx context.Context, client *db.Client, row *db.Member) (tenant.Member, error) {
	out, err := s.memberRecords(ctx, client, []*db.Member{row})
	if err != nil {
		return tenant.Member{}, err
	}
	return out[0], nil
}

func (s *Store) memberRecords(ctx context.Context, client *db.Client, rows []*db.Member) ([]tenant.Member, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	places, err := client.TeamMember.Query().Where(teammember.MemberIDIn(ids...)).WithTeam().All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	teams := map[uuid.UUID][]tenant.TeamRef{}
	for _, p := range places {
		teams[p.MemberID] = append(teams[p.MemberID], tenant.TeamRef{ID: p.TeamID, Name: p.Edges.Team.Name})
	}
	out := make([]tenant.Member, len(rows))
	for i, row := range rows {
		own := teams[row.ID]
		slices.SortFunc(own, func(a, b tenant.TeamRef) int { return strings.Compare(a.Name, b.Name) })
		out[i] = tenant.Member{
			ID: row.ID, Organization: row.OrganizationID, Team: row.TeamID, Teams: own, Email: row.Email, Name: row.Name,
			PasswordHash: row.PasswordHash, Role: tenant.Role(row.Role), CreatedAt: row.CreatedAt.UTC(),
			Factor: tenant.Factor{Secret: row.TotpSecret, Since: timeOf(row.TotpSince), Used: row.TotpUsed, Recovery: row.RecoveryHashes},
		}
	}
	return out, nil
}

// SetRole changes what a member may do. The last owner stays one: fault.Conflict.
func (s *Store) SetRole(ctx context.Context, email string, role tenant.Role) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.lockMember(ctx, tx, email)
		if err != nil {
			return err
		}
		if role != tenant.RoleOwner {
			if err := othersOwn(ctx, tx, row, "be given another role"); err != nil {
				return err
			}
		}
		if err := row.Update().SetRole(string(role)).Exec(ctx); err != nil {
			return err
		}
		audit.Of(ctx).Detail("role", string(role))
		return s.notedMember(ctx, tx, row)
	})
}

// lockMember takes the lock that changes of members take: that of the owners, so that two of them do not remove each other at once.
func (s *Store) lockMember(ctx context.Context, tx *db.Tx, email string) (*db.Member, error) {
	if _, err := locked(s, tx.Member.Query().Where(member.Role(string(tenant.RoleOwner))).Order(member.ByID())).All(ctx); err != nil {
		return nil, err
	}
	return memberNamed(ctx, locked(s, tx.Member.Query()), email)
}

// othersOwn returns fault.Conflict when the member is the only owner of the organization.
func othersOwn(ctx context.Context, tx *db.Tx, row *db.Member, what string) error {
	if row.Role != string(tenant.RoleOwner) {
		return nil
	}
	others, err := tx.Member.Query().Where(member.Role(string(tenant.RoleOwner)), member.IDNEQ(row.ID), member.OrganizationID(row.OrganizationID)).Exist(ctx)
	if err != nil || others {
		return err
	}
	return fault.New(fault.Conflict, "%s is the last owner and cannot %s", row.Email, what).WithHint("Make somebody else an owner first.")
}

// JoinTeam puts a member into a team. Whoever is in it already stays.
func (s *Store) JoinTeam(ctx context.Context, email, team string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := memberNamed(ctx, tx.Member.Query(), email)
		if err != nil {
			return err
		}
		to, err := teamNamed(ctx, tx.Team.Query(), team)
		if err != nil {
			return err
		}
		if err := join(ctx, tx, row, to.ID); err != nil {
			return err
		}
		audit.Of(ctx).Detail("team", to.Name)
		return s.notedMember(ctx, tx, row)
	})
}

func join(ctx context.Context, tx *db.Tx, row *db.Member, team uuid.UUID) error {
	return tx.TeamMember.Create().SetOrganizationID(row.OrganizationID).SetMemberID(row.ID).SetTeamID(team).
		OnConflictColumns(teammember.FieldOrganizationID, teammember.FieldMemberID, teammember.FieldTeamID).Ignore().Exec(ctx)
}

// LeaveTeam takes a member out of a team. The last one stays: fault.Conflict.
func (s *Store) LeaveTeam(ctx context.Context, email, team string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := memberNamed(ctx, locked(s, tx.Member.Query()), email)
		if err != nil {
			return err
		}
		from, err := teamNamed(ctx, tx.Team.Query(), team)
		if err != nil {
			return err
		}
		other, err := tx.TeamMember.Query().Where(teammember.MemberID(row.ID), teammember.TeamIDNEQ(from.ID)).Order(teammember.ByID()).First(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.Conflict, "%s is in no other team", email).WithHint("Put the member into another team first, or remove the member.")
		}
		if err != nil {
			return err
		}
		if _, err := tx.TeamMember.Delete().Where(teammember.MemberID(row.ID), teammember.TeamID(from.ID)).Exec(ctx); err != nil {
			return err
		}
		if row.TeamID == from.ID {
			if err := row.Update().SetTeamID(other.TeamID).Exec(ctx); err != nil {
				return err
			}
		}
		audit.Of(ctx).Detail("team", from.Name)
		return s.notedMember(ctx, tx, row)
	})
}

// RemoveMember removes a member with all sessions and the tokens that stand for the member; with tokens, those that the member made
// for teams are revoked too, and it returns how many. The last owner stays: fault.Conflict.
func (s *Store) RemoveMember(ctx context.Context, email string, tokens bool) (revoked int, err error) {
	v, _ := tenant.FromContext(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.lockMember(ctx, tx, email)
		if err != nil {
			return err
		}
		if err := othersOwn(ctx, tx, row, "be removed"); err != nil {
			return err
		}
		if _, err := tx.APIToken.Delete().Where(apitoken.MemberID(row.ID)).Exec(ctx); err != nil {
			return err
		}
		if tokens {
			revoked, err = tx.APIToken.Update().Where(apitoken.Maker(email), apitoken.RevokedAtIsNil(), apitoken.ExpiresAtGT(s.now())).
				SetRevokedAt(s.now()).SetRevoker(v.Name).Save(ctx)
			if err != nil {
				return err
			}
		}
		if _, err := tx.MemberSession.Delete().Where(membersession.MemberID(row.ID)).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.TeamMember.Delete().Where(teammember.MemberID(row.ID)).Exec(ctx); err != nil {
			return err
		}
		if err := tx.Member.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		if tokens {
			audit.Of(ctx).Detail("tokens-revoked", strconv.Itoa(revoked))
		}
		return s.notedMember(ctx, tx, row)
	})
	return revoked, err
}

// CreateInvitation stores an invitation to a team and withdraws those before it to the same address. For somebody who is a member
// already it returns fault.Conflict.
func (s *Store) CreateInvitation(ctx context.Context, i tenant.Invitation) (made tenant.Invitation, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		to, err := teamFor(ctx, tx.Team.Query(), i.Team.Name)
		if err != nil {
			return err
		}
		known, err := tx.Member.Query().Where(member.Email(i.Email)).Exist(ctx)
		if err != nil {
			return err
		}
		if known {
			return fault.New(fault.Conflict, "%s is a member already", i.Email).WithField("email").WithHint("Change the role or the teams of the member instead.")
		}
		if err := tx.Invitation.Update().Where(invitation.Email(i.Email), s.open()).SetWithdrawnAt(s.now()).Exec(ctx); err != nil {
			return err
		}
		row, err := tx.Invitation.Create().SetOrganizationID(to.OrganizationID).SetTeamID(to.ID).SetEmail(i.Email).SetRole(string(i.Role)).
			SetMaker(i.Maker).SetHash(i.Hash).SetExpiresAt(i.ExpiresAt.UTC()).Save(ctx)
		if err != nil {
			return err
		}
		row.Edges.Team = to
		made = invitationRecord(row)
		n := audit.Of(ctx)
		n.Detail("team", to.Name)
		n.Detail("role", row.Role)
		n.Detail("expires", made.ExpiresAt.Format(time.RFC3339))
		return s.noted(ctx, tx, audit.Object{Kind: "invitation", ID: row.ID.String(), Name: row.Email})
	})
	return made, err
}

// open selects invitations that can be accepted.
func (s *Store) open() predicate.Invitation {
	return invitation.And(invitation.AcceptedAtIsNil(), invitation.WithdrawnAtIsNil(), invitation.ExpiresAtGT(s.now()))
}

// Invitations lists those that can be accepted, newest first.
func (s *Store) Invitations(ctx context.Context) ([]tenant.Invitation, error) {
	rows, err := s.db.Read().Invitation.Query().Where(s.open()).WithTeam().Order(db.Desc(invitation.FieldID)).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]tenant.Invitation, len(rows))
	for i, row := range rows {
		out[i] = invitationRecord(row)
	}
	return out, nil
}

// WithdrawInvitation makes the link of an invitation useless.
func (s *Store) WithdrawInvitation(ctx context.Context, id uuid.UUID) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Invitation.Update().Where(invitation.ID(id), invitation.AcceptedAtIsNil(), invitation.WithdrawnAtIsNil()).
			SetWithdrawnAt(s.now()).Save(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "there is no open invitation %s", id)
		}
		return s.noted(ctx, tx, audit.Object{Kind: "invitation", ID: id.String()})
	})
}

// InvitationByHash finds an invitation of any organization, also one that is over: whoever opens a link says nothing else.
func (s *Store) InvitationByHash(ctx context.Context, hash []byte) (tenant.Invitation, error) {
	row, err := s.db.Read().Invitation.Query().Where(invitation.Hash(hash)).WithTeam().WithOrganization().Only(tenant.System(ctx))
	if err != nil {
		return tenant.Invitation{}, database.Fault(err)
	}
	return invitationRecord(row), nil
}

// AcceptInvitation makes the member whom an invitation is for, once: fault.Conflict when it has been used or withdrawn meanwhile.
func (s *Store) AcceptInvitation(ctx context.Context, i tenant.Invitation, name, passwordHash string) (made tenant.Member, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Invitation.Update().Where(invitation.ID(i.ID), s.open()).SetAcceptedAt(s.now()).Save(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "the invitation has been used or withdrawn")
		}
		row, err := tx.Member.Create().SetOrganizationID(i.Organization).SetTeamID(i.Team.ID).SetEmail(i.Email).SetName(name).
			SetPasswordHash(passwordHash).SetRole(string(i.Role)).Save(ctx)
		if database.Unique(err) {
			return fault.New(fault.Conflict, "%s is a member already", i.Email)
		}
		if err != nil {
			return err
		}
		if err := join(ctx, tx, row, i.Team.ID); err != nil {
			return err
		}
		if made, err = s.memberRecord(ctx, tx.Client(), row); err != nil {
			return err
		}
		note := audit.Of(ctx)
		note.By(tenant.Viewer{Kind: tenant.KindMember, Organization: row.OrganizationID, Subject: row.ID, Name: row.Email}) // nobody was signed in
		note.Detail("invitation", i.ID.String())
		note.Detail("role", row.Role)
		return s.notedMember(ctx, tx, row)
	})
	return made, err
}

func invitationRecord(row *db.Invitation) tenant.Invitation {
	out := tenant.Invitation{
		ID: row.ID, Organization: row.OrganizationID, Team: tenant.TeamRef{ID: row.TeamID}, Email: row.Email, Role: tenant.Role(row.Role),
		Maker: row.Maker, Hash: row.Hash, CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(),
		AcceptedAt: timeOf(row.AcceptedAt), WithdrawnAt: timeOf(row.WithdrawnAt),
	}
	if t := row.Edges.Team; t != nil {
		out.Team.Name = t.Name
	}
	if o := row.Edges.Organization; o != nil {
		out.OrganizationName = o.Name
	}
	return out
}
