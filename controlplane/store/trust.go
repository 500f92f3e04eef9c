package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/apitoken"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/trustrule"
)

// exchangedKept is how long a token that a trust rule made is kept once it is over: one for every job of a pipeline adds up.
const exchangedKept = time.Hour

// TrustRules lists those of the viewer's organization by name.
func (s *Store) TrustRules(ctx context.Context) ([]tenant.TrustRule, error) {
	rows, err := s.db.Read().TrustRule.Query().WithTeam().Order(trustrule.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	return trustRecords(rows)
}

// TrustRulesOf lists the trust rules of an organization for an issuer, whoever asks. An organization that is unknown or suspended has none.
func (s *Store) TrustRulesOf(ctx context.Context, org, issuer string) ([]tenant.TrustRule, error) {
	rows, err := s.db.Read().TrustRule.Query().
		Where(trustrule.Issuer(issuer), trustrule.HasOrganizationWith(organization.Name(org), organization.State(string(tenant.Active)))).
		WithTeam().Order(trustrule.ByName()).All(tenant.System(ctx))
	if err != nil {
		return nil, database.Fault(err)
	}
	return trustRecords(rows)
}

// SetTrustRule makes a trust rule, or replaces that of the name. What the old one let in is out: its tokens are revoked.
func (s *Store) SetTrustRule(ctx context.Context, r tenant.TrustRule) error {
	v, _ := tenant.FromContext(ctx)
	claims, err := json.Marshal(r.Conditions)
	if err != nil {
		return fmt.Errorf("conditions: %w", err)
	}
	scopes := make([]string, len(r.Scopes))
	for i, scope := range r.Scopes {
		scopes[i] = string(scope)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		owner, err := teamFor(ctx, tx.Team.Query(), r.Team.Name)
		if err != nil {
			return err
		}
		old, err := locked(s, tx.TrustRule.Query().Where(trustrule.Name(r.Name))).Only(ctx)
		if err != nil && !db.IsNotFound(err) {
			return err
		}
		if old != nil {
			if err := s.revokeExchanged(ctx, tx, old.ID); err != nil {
				return err
			}
			if err := old.Update().SetTeamID(owner.ID).SetIssuer(r.Issuer).SetAudience(r.Audience).SetClaims(claims).SetScopes(scopes).
				SetWorkflows(r.Limits.Workflows).SetEnvironments(r.Limits.Environments).SetLifetime(int64(r.Lifetime / time.Second)).SetMaker(r.Maker).
				Exec(ctx); err != nil {
				return err
			}
		} else {
			old, err = tx.TrustRule.Create().SetOrganizationID(v.Organization).SetName(r.Name).SetTeamID(owner.ID).SetIssuer(r.Issuer).
				SetAudience(r.Audience).SetClaims(claims).SetScopes(scopes).SetWorkflows(r.Limits.Workflows).SetEnvironments(r.Limits.Environments).
				SetLifetime(int64(r.Lifetime / time.Second)).SetMaker(r.Maker).Save(ctx)
			if err != nil {
				return err
			}
		}
		n := audit.Of(ctx)
		n.Detail("issuer", r.Issuer)
		n.Detail("team", owner.Name)
		n.Detail("scopes", strings.Join(scopes, " "))
		n.Detail("claims", string(claims))
		return s.noted(ctx, tx, audit.Object{Kind: "trust-rule", ID: old.ID.String(), Name: r.Name})
	})
}

func (s *Store) revokeExchanged(ctx context.Context, tx *db.Tx, rule uuid.UUID) error {
	v, _ := tenant.FromContext(ctx)
	return tx.APIToken.Update().Where(apitoken.RuleID(rule), apitoken.RevokedAtIsNil()).SetRevokedAt(s.now()).SetRevoker(v.Name).Exec(ctx)
}

// DeleteTrustRule removes a trust rule with the tokens that it made.
func (s *Store) DeleteTrustRule(ctx context.Context, name string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.TrustRule.Query().Where(trustrule.Name(name)).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no trust rule %q", name).WithField("name").WithHint("List what there is with: seatrial trust list.")
		}
		if err != nil {
			return err
		}
		if _, err := tx.APIToken.Delete().Where(apitoken.RuleID(row.ID)).Exec(ctx); err != nil {
			return err
		}
		if err := tx.TrustRule.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "trust-rule", ID: row.ID.String(), Name: name})
	})
}

// Exchanged stores the token that a trust rule makes, on behalf of the rule's organization. When the rule has gone or changed meanwhile, it
// is fault.NotFound.
func (s *Store) Exchanged(ctx context.Context, r tenant.TrustRule, t tenant.Token) (made tenant.Token, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.TrustRule.Query().Where(trustrule.ID(r.ID), trustrule.Issuer(r.Issuer), trustrule.Audience(r.Audience))).Only(ctx)
		if err != nil {
			return missing(err, "trust rule", r.ID)
		}
		team, err := tx.TrustRule.QueryTeam(row).Only(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.APIToken.Delete().Where(apitoken.RuleID(r.ID), apitoken.ExpiresAtLT(s.now().Add(-exchangedKept))).Exec(ctx); err != nil {
			return err
		}
		if now := s.now(); row.UsedAt == nil || now.Sub(*row.UsedAt) >= touchEvery {
			if err := row.Update().SetUsedAt(now).Exec(ctx); err != nil {
				return err
			}
		}
		t.Rule = r.ID
		token, err := createToken(ctx, tx, team, t)
		if err != nil {
			return err
		}
		made = tokenRecord(token, team.Name)
		n := audit.Of(ctx)
		n.Detail("rule", r.Name)
		n.Detail("team", team.Name)
		n.Detail("scopes", strings.Join(token.Scopes, " "))
		n.Detail("expires", made.ExpiresAt.Format(time.RFC3339))
		return s.noted(ctx, tx, audit.Object{Kind: "token", ID: token.ID.String(), Name: token.Name})
	})
	return made, err
}

func trustRecords(rows []*db.TrustRule) ([]tenant.TrustRule, error) {
	out := make([]tenant.TrustRule, len(rows))
	for i, row := range rows {
		r := tenant.TrustRule{
			ID: row.ID, Organization: row.OrganizationID, Name: row.Name, Team: tenant.TeamRef{ID: row.TeamID}, Issuer: row.Issuer, Audience: row.Audience,
			Limits: tenant.Limits{Workflows: row.Workflows, Environments: row.Environments}, Lifetime: time.Duration(row.Lifetime) * time.Second,
			Maker: row.Maker, CreatedAt: row.CreatedAt.UTC(), UsedAt: timeOf(row.UsedAt),
		}
		if row.Edges.Team != nil {
			r.Team.Name = row.Edges.Team.Name
		}
		for _, scope := range row.Scopes {
			r.Scopes = append(r.Scopes, tenant.Scope(scope))
		}
		if err := unmarshalled(row.Claims, &r.Conditions); err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}
