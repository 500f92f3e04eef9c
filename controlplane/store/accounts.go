package store

import (
	"context"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/apitoken"
	"github.com/seatrial/seatrial/ent/db/member"
	"github.com/seatrial/seatrial/ent/db/setting"
)

// touchEvery bounds the writes that the use of a token causes.
const touchEvery = time.Minute

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
	if err := tx.Member.Create().SetOrganizationID(org.ID).SetTeamID(owner.ID).SetEmail(first.Admin.Email).
		SetPasswordHash(first.Admin.PasswordHash).SetRole(string(first.Admin.Role)).Exec(ctx); err != nil {
		return err
	}
	_, err = createToken(ctx, tx, owner, first.Token)
	return err
}

// MembersByEmail returns the members with an e-mail address, of every organization: sign-in starts from the address alone.
func (s *Store) MembersByEmail(ctx context.Context, email string) ([]tenant.Member, error) {
	rows, err := s.db.Read().Member.Query().Where(member.Email(email)).Order(member.ByID()).All(tenant.System(ctx))
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]tenant.Member, len(rows))
	for i, row := range rows {
		out[i] = memberRecord(row)
	}
	return out, nil
}

func memberRecord(row *db.Member) tenant.Member {
	return tenant.Member{
		ID: row.ID, Organization: row.OrganizationID, Team: row.TeamID, Email: row.Email, PasswordHash: row.PasswordHash,
		Role: tenant.Role(row.Role),
	}
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
	return tx.APIToken.Create().SetOrganizationID(owner.OrganizationID).SetTeamID(owner.ID).SetName(t.Name).SetMaker(t.Maker).SetHash(t.Hash).
		SetScopes(scopes).SetExpiresAt(t.ExpiresAt.UTC().Truncate(time.Microsecond)).Save(ctx)
}

// TokenByHash finds a token of any organization: a bearer says nothing else.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (tenant.Token, error) {
	row, err := s.db.Read().APIToken.Query().Where(apitoken.Hash(hash)).WithTeam().WithOrganization().Only(tenant.System(ctx))
	if err != nil {
		return tenant.Token{}, database.Fault(err)
	}
	if err := admitted(row.Edges.Organization); err != nil {
		return tenant.Token{}, err
	}
	return tokenRecord(row, row.Edges.Team.Name), nil
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
		ID: row.ID, Organization: row.OrganizationID, Team: row.TeamID, TeamName: owner, Name: row.Name, Maker: row.Maker, Hash: row.Hash, Scopes: scopes,
		CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(), LastUsedAt: timeOf(row.LastUsedAt),
	}
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
