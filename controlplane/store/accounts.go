package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/apitoken"
	"github.com/seatrial/seatrial/ent/db/member"
	"github.com/seatrial/seatrial/ent/db/membersession"
	"github.com/seatrial/seatrial/ent/db/setting"
)

const (
	// touchEvery bounds the writes that the use of a token causes.
	touchEvery = time.Minute
	// keepExpired is how long a token that has expired is listed.
	keepExpired = 30 * 24 * time.Hour
)

// Bootstrap fills an empty instance with its first organization, team, member and token in one transaction. It reports false,
// and changes nothing, when there is an organization already.
func (s *Store) Bootstrap(ctx context.Context, first tenant.First) (created bool, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		exists, err := tx.Organization.Query().Exist(ctx)
		if created = !exists; err != nil || exists {
			return err
		}
		return bootstrap(ctx, tx, first)
	})
	if database.Unique(err) {
		return false, nil // another replica was faster
	}
	return created && err == nil, err
}

func bootstrap(ctx context.Context, tx *db.Tx, first tenant.First) error {
	org, err := tx.Organization.Create().SetName(first.Organization).Save(ctx)
	if err != nil {
		return err
	}
	owner, err := tx.Team.Create().SetOrganizationID(org.ID).SetName(first.Team).Save(ctx)
	if err != nil {
		return err
	}
	admin, err := tx.Member.Create().SetOrganizationID(org.ID).SetTeamID(owner.ID).SetEmail(first.Admin.Email).
		SetPasswordHash(first.Admin.PasswordHash).SetRole(string(first.Admin.Role)).Save(ctx)
	if err != nil {
		return err
	}
	if err := join(ctx, tx, admin, owner.ID); err != nil {
		return err
	}
	_, err = createToken(ctx, tx, owner, first.Token)
	return err
}

// MembersByEmail returns the members with an e-mail address, of every organization: sign-in starts from the address alone.
func (s *Store) MembersByEmail(ctx context.Context, email string) ([]tenant.Member, error) {
	ctx = tenant.System(ctx)
	rows, err := s.db.Read().Member.Query().Where(member.Email(email)).Order(member.ByID()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	return s.memberRecords(ctx, s.db.Read(), rows)
}

// MemberByID returns a member of any organization, or fault.NotFound.
func (s *Store) MemberByID(ctx context.Context, id uuid.UUID) (tenant.Member, error) {
	ctx = tenant.System(ctx)
	row, err := s.db.Read().Member.Query().Where(member.ID(id)).Only(ctx)
	if err != nil {
		return tenant.Member{}, missing(err, "member", id)
	}
	return s.memberRecord(ctx, s.db.Read(), row)
}

// SetPassword stores the hash of a new password and ends all sessions of the member but one, which may be zero.
func (s *Store) SetPassword(ctx context.Context, id uuid.UUID, hash string, keep uuid.UUID) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Member.UpdateOneID(id).SetPasswordHash(hash).Save(ctx)
		if err != nil {
			return err
		}
		if err := tx.MemberSession.Update().Where(membersession.MemberID(id), membersession.IDNEQ(keep), membersession.EndedAtIsNil()).
			SetEndedAt(s.now()).Exec(ctx); err != nil {
			return err
		}
		return s.notedMember(ctx, tx, row)
	})
}

// SetFactor replaces the second factor of a member.
func (s *Store) SetFactor(ctx context.Context, id uuid.UUID, f tenant.Factor) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		u := tx.Member.UpdateOneID(id).SetTotpSecret(f.Secret).SetTotpUsed(f.Used).SetRecoveryHashes(f.Recovery)
		if since := nullable(f.Since); since != nil {
			u = u.SetTotpSince(*since)
		} else {
			u = u.ClearTotpSince()
		}
		row, err := u.Save(ctx)
		if err != nil {
			return err
		}
		return s.notedMember(ctx, tx, row)
	})
}

// UseCode notes that the code of a period was used. It reports false when that one, or a later one, was used before.
func (s *Store) UseCode(ctx context.Context, id uuid.UUID, period int64) (fresh bool, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Member.Update().Where(member.ID(id), member.TotpUsedLT(period)).SetTotpUsed(period).Save(ctx)
		fresh = n > 0
		return err
	})
	return fresh, err
}

// UseRecovery spends a recovery code. It reports false when there is none of this hash.
func (s *Store) UseRecovery(ctx context.Context, id uuid.UUID, hash string) (spent bool, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Member.Query().Where(member.ID(id))).Only(ctx)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(row.RecoveryHashes), func(h string) bool { return h == hash })
		if spent = len(left) < len(row.RecoveryHashes); !spent {
			return nil
		}
		return row.Update().SetRecoveryHashes(left).Exec(ctx)
	})
	return spent, err
}

// CreateToken stores a token of the team with a name, or of the viewer's own team when the name is empty.
func (s *Store) CreateToken(ctx context.Context, t tenant.Token) (made tenant.Token, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		owner, err := teamFor(ctx, tx.Team.Query().WithOrganization(), t.TeamName)
		if err != nil {
			return err
		}
		if err := admitted(owner.Edges.Organization); err != nil {
			return err
		}
		row, err := createToken(ctx, tx, owner, t)
		if err != nil {
			return err
		}
		made = tokenRecord(row, owner.Name)
		n := audit.Of(ctx)
		n.Detail("team", owner.Name)
		n.Detail("scopes", strings.Join(row.Scopes, " "))
		n.Detail("expires", made.ExpiresAt.Format(time.RFC3339))
		return s.noted(ctx, tx, audit.Object{Kind: "token", ID: row.ID.String(), Name: row.Name})
	})
	return made, err
}

func createToken(ctx context.Context, tx *db.Tx, owner *db.Team, t tenant.Token) (*db.APIToken, error) {
	scopes := make([]string, len(t.Scopes))
	for i, scope := range t.Scopes {
		scopes[i] = string(scope)
	}
	c := tx.APIToken.Create().SetOrganizationID(owner.OrganizationID).SetTeamID(owner.ID).SetName(t.Name).SetMaker(t.Maker).SetHash(t.Hash).
		SetHint(t.Hint).SetScopes(scopes).SetWorkflows(t.Limits.Workflows).SetEnvironments(t.Limits.Environments).
		SetExpiresAt(t.ExpiresAt.UTC().Truncate(time.Microsecond))
	if t.Member != nil {
		c.SetMemberID(t.Member.ID)
	}
	if t.Rule != uuid.Nil {
		c.SetRuleID(t.Rule)
	}
	return c.Save(ctx)
}

// TokenByHash finds a token of any organization, also one that is over: a bearer says nothing else.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (tenant.Token, error) {
	ctx = tenant.System(ctx)
	row, err := s.db.Read().APIToken.Query().Where(apitoken.Hash(hash)).WithTeam().WithMember().WithOrganization().Only(ctx)
	if err != nil {
		return tenant.Token{}, database.Fault(err)
	}
	if err := admitted(row.Edges.Organization); err != nil {
		return tenant.Token{}, err
	}
	t := tokenRecord(row, row.Edges.Team.Name)
	t.Confined = accessRecord(row.Edges.Organization).Visibility == tenant.VisibleTeams
	if row.Edges.Member != nil {
		m, err := s.memberRecord(ctx, s.db.Read(), row.Edges.Member)
		if err != nil {
			return tenant.Token{}, err
		}
		t.Member = &m
	}
	return t, nil
}

// Tokens lists those that have not been revoked, newest first. What has expired stays for a while: somebody may wonder why a
// pipeline broke.
func (s *Store) Tokens(ctx context.Context) ([]tenant.Token, error) {
	rows, err := s.db.Read().APIToken.Query().
		Where(apitoken.RevokedAtIsNil(), apitoken.ExpiresAtGT(s.now().Add(-keepExpired)), apitoken.Or(apitoken.RuleIDIsNil(), apitoken.ExpiresAtGT(s.now()))).
		WithTeam().WithMember().Order(db.Desc(apitoken.FieldID)).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]tenant.Token, len(rows))
	for i, row := range rows {
		out[i] = tokenRecord(row, row.Edges.Team.Name)
		if m := row.Edges.Member; m != nil {
			out[i].Member = &tenant.Member{ID: m.ID, Email: m.Email, Role: tenant.Role(m.Role)}
		}
	}
	return out, nil
}

// RevokeToken makes a token useless at once. Revoking it again changes nothing.
func (s *Store) RevokeToken(ctx context.Context, id uuid.UUID) error {
	v, _ := tenant.FromContext(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.APIToken.Query().Where(apitoken.ID(id)).Only(ctx)
		if err != nil {
			return missing(err, "token", id)
		}
		if row.RevokedAt != nil {
			return nil
		}
		if err := row.Update().SetRevokedAt(s.now()).SetRevoker(v.Name).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "token", ID: row.ID.String(), Name: row.Name})
	})
}

// TouchToken stores that a token was used just now, at most once a minute.
func (s *Store) TouchToken(ctx context.Context, t tenant.Token) error {
	now := s.now()
	if now.Sub(t.LastUsedAt) < touchEvery {
		return nil
	}
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.APIToken.Update().
			Where(apitoken.ID(t.ID), apitoken.Or(apitoken.LastUsedAtIsNil(), apitoken.LastUsedAtLTE(now.Add(-touchEvery)))).
			SetLastUsedAt(now).Exec(ctx)
	})
}

func tokenRecord(row *db.APIToken, owner string) tenant.Token {
	scopes := make([]tenant.Scope, len(row.Scopes))
	for i, scope := range row.Scopes {
		scopes[i] = tenant.Scope(scope)
	}
	return tenant.Token{
		ID: row.ID, Organization: row.OrganizationID, Team: row.TeamID, TeamName: owner, Name: row.Name, Maker: row.Maker, Hint: row.Hint,
		Hash: row.Hash, Scopes: scopes, Limits: tenant.Limits{Workflows: row.Workflows, Environments: row.Environments},
		CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(), LastUsedAt: timeOf(row.LastUsedAt),
		RevokedAt: timeOf(row.RevokedAt), Revoker: row.Revoker, Rule: idOr(row.RuleID),
	}
}

// idOr returns the id of a nullable column, zero for null.
func idOr(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// SettingOrCreate returns an instance-wide value. When there is none it stores fresh; of several callers the first one wins and
// all get its value.
func (s *Store) SettingOrCreate(ctx context.Context, key string, fresh []byte) (value []byte, err error) {
	ctx = tenant.System(ctx)
	fresh, err = s.sealed(key, fresh)
	if err != nil {
		return nil, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Setting.Create().SetID(key).SetValue(fresh).OnConflictColumns(setting.FieldID).Ignore().Exec(ctx); err != nil {
			return err
		}
		row, err := tx.Setting.Get(ctx, key)
		if err != nil {
			return err
		}
		value, err = s.opened(row)
		return err
	})
	return value, err
}
