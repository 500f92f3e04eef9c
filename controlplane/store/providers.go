package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/identityprovider"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/team"
)

// providerPlace says where the client secret of a provider belongs.
func providerPlace(id uuid.UUID) string { return "identity provider " + id.String() }

// IdentityProviders lists those of the viewer's organization by name, without their secrets.
func (s *Store) IdentityProviders(ctx context.Context) ([]tenant.IdentityProvider, error) {
	rows, err := s.db.Read().IdentityProvider.Query().Order(identityprovider.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	return providerRecords(ctx, s.db.Read(), rows)
}

// ProvidersOf lists the identity providers of an organization with a name, whoever asks, without their secrets. An organization that is
// unknown or suspended has none.
func (s *Store) ProvidersOf(ctx context.Context, org string) ([]tenant.IdentityProvider, error) {
	ctx = tenant.System(ctx)
	rows, err := s.db.Read().IdentityProvider.Query().
		Where(identityprovider.HasOrganizationWith(organization.Name(org), organization.State(string(tenant.Active)))).
		WithOrganization().Order(identityprovider.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	return providerRecords(ctx, s.db.Read(), rows)
}

// Provider returns an identity provider of an organization with its secret, whoever asks: fault.NotFound when there is none of the name, or
// the organization is unknown or suspended.
func (s *Store) Provider(ctx context.Context, org, name string) (tenant.IdentityProvider, error) {
	ctx = tenant.System(ctx)
	row, err := s.db.Read().IdentityProvider.Query().
		Where(identityprovider.Name(name), identityprovider.HasOrganizationWith(organization.Name(org), organization.State(string(tenant.Active)))).
		WithOrganization().Only(ctx)
	if db.IsNotFound(err) {
		return tenant.IdentityProvider{}, fault.New(fault.NotFound, "there is no such way to sign in")
	}
	if err != nil {
		return tenant.IdentityProvider{}, database.Fault(err)
	}
	out, err := providerRecords(ctx, s.db.Read(), []*db.IdentityProvider{row})
	if err != nil {
		return tenant.IdentityProvider{}, err
	}
	if len(row.ClientSecret) > 0 {
		if s.box == nil {
			return tenant.IdentityProvider{}, fault.New(fault.Internal, "the store has no encryption keys, and reads no secret without them")
		}
		secret, err := s.box.Open(providerPlace(row.ID), row.ClientSecret)
		if err != nil {
			return tenant.IdentityProvider{}, fmt.Errorf("secret of the identity provider: %w", err)
		}
		out[0].ClientSecret = string(secret)
	}
	return out[0], nil
}

// SetIdentityProvider makes an identity provider, or replaces that of the name. An empty secret leaves the one it has. Before it changes
// something it asks allowed about the old one, which is nil for a new one.
func (s *Store) SetIdentityProvider(ctx context.Context, p tenant.IdentityProvider, allowed func(old *tenant.IdentityProvider) error) error {
	v, _ := tenant.FromContext(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, old, err := s.oldProvider(ctx, tx, p.Name)
		if err != nil {
			return err
		}
		if err := allowed(old); err != nil {
			return err
		}
		teams, roles, fallback, err := mappings(ctx, tx, p)
		if err != nil {
			return err
		}
		if row == nil {
			row, err = tx.IdentityProvider.Create().SetOrganizationID(v.Organization).SetName(p.Name).SetIssuer(p.Issuer).SetClientID(p.ClientID).Save(ctx)
			if err != nil {
				return err
			}
		}
		u := row.Update().SetIssuer(p.Issuer).SetClientID(p.ClientID).SetDomains(p.Domains).SetScopes(p.Scopes).SetGroupsClaim(p.GroupsClaim).
			SetTeams(teams).SetRoles(roles).SetDefaultRole(string(p.DefaultRole)).SetDefaultTeam(fallback).SetTrustEmail(p.TrustEmail).SetOwners(p.Owners)
		switch {
		case p.ClientSecret != "" && s.box == nil:
			return fault.New(fault.Internal, "the store has no encryption keys, and keeps no secret without them")
		case p.ClientSecret != "":
			sealed, err := s.box.Seal(providerPlace(row.ID), []byte(p.ClientSecret))
			if err != nil {
				return err //nolint:wrapcheck // a fault that speaks for itself
			}
			u = u.SetClientSecret(sealed)
		case old != nil && old.Issuer != p.Issuer:
			u = u.ClearClientSecret() // it is not shown to another server
		}
		if err := u.Exec(ctx); err != nil {
			return err
		}
		n := audit.Of(ctx)
		n.Detail("issuer", p.Issuer)
		n.Detail("client", p.ClientID)
		return s.noted(ctx, tx, audit.Object{Kind: "identity-provider", ID: row.ID.String(), Name: p.Name})
	})
}

// oldProvider returns the provider of a name, nil when there is none.
func (s *Store) oldProvider(ctx context.Context, tx *db.Tx, name string) (*db.IdentityProvider, *tenant.IdentityProvider, error) {
	rows, err := locked(s, tx.IdentityProvider.Query().Where(identityprovider.Name(name))).All(ctx)
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	records, err := providerRecords(ctx, tx.Client(), rows)
	if err != nil {
		return nil, nil, err
	}
	return rows[0], &records[0], nil
}

// DeleteIdentityProvider removes an identity provider and what it knows of members. They stay members. The last one stays while the
// organization asks everybody to sign in by one: fault.Conflict.
func (s *Store) DeleteIdentityProvider(ctx context.Context, name string, allowed func(old *tenant.IdentityProvider) error) error {
	v, _ := tenant.FromContext(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, old, err := s.oldProvider(ctx, tx, name)
		if err != nil {
			return err
		}
		if row == nil {
			return fault.New(fault.NotFound, "there is no identity provider %q", name).WithField("name").WithHint("List what there is with: seatrial sso list.")
		}
		if err := allowed(old); err != nil {
			return err
		}
		org, err := tx.Organization.Get(ctx, v.Organization)
		if err != nil {
			return err
		}
		n, err := tx.IdentityProvider.Query().Count(ctx)
		if err != nil {
			return err
		}
		if org.SSORequired && n == 1 {
			return fault.New(fault.Conflict, "%s is the last identity provider, and the organization asks for one", name).
				WithHint("Let people sign in with passwords first.")
		}
		if err := tx.IdentityProvider.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "identity-provider", ID: row.ID.String(), Name: name})
	})
}

// mappings are stored with the ids of teams: a team that gets another name keeps its people, and another one of the old name gets nobody.
func mappings(ctx context.Context, tx *db.Tx, p tenant.IdentityProvider) (teams, roles json.RawMessage, fallback string, err error) {
	byID := make([]tenant.Mapping, len(p.Teams))
	for i, m := range p.Teams {
		to, err := teamNamed(ctx, tx.Team.Query(), m.To)
		if err != nil {
			return nil, nil, "", err
		}
		byID[i] = tenant.Mapping{Group: m.Group, To: to.ID.String()}
	}
	if p.DefaultTeam != "" {
		to, err := teamNamed(ctx, tx.Team.Query(), p.DefaultTeam)
		if err != nil {
			return nil, nil, "", err
		}
		fallback = to.ID.String()
	}
	if teams, err = json.Marshal(byID); err == nil {
		roles, err = json.Marshal(p.Roles)
	}
	if err != nil {
		return nil, nil, "", fmt.Errorf("mappings: %w", err)
	}
	return teams, roles, fallback, nil
}

func providerRecords(ctx context.Context, client *db.Client, rows []*db.IdentityProvider) ([]tenant.IdentityProvider, error) {
	out := make([]tenant.IdentityProvider, len(rows))
	for i, row := range rows {
		p := tenant.IdentityProvider{
			ID: row.ID, Organization: row.OrganizationID, Name: row.Name, Issuer: row.Issuer, ClientID: row.ClientID, SecretKept: len(row.ClientSecret) > 0,
			Domains: row.Domains, Scopes: row.Scopes, GroupsClaim: row.GroupsClaim, DefaultRole: tenant.Role(row.DefaultRole),
			TrustEmail: row.TrustEmail, Owners: row.Owners,
		}
		if row.Edges.Organization != nil {
			p.OrganizationName = row.Edges.Organization.Name
		}
		names, err := teamNames(ctx, client, row.OrganizationID)
		if err != nil {
			return nil, err
		}
		p.DefaultTeam = names[row.DefaultTeam]
		var teams []tenant.Mapping
		if err := unmarshalled(row.Teams, &teams); err != nil {
			return nil, err
		}
		for _, m := range teams {
			if name := names[m.To]; name != "" { // the team may be gone
				p.Teams = append(p.Teams, tenant.Mapping{Group: m.Group, To: name})
			}
		}
		if err := unmarshalled(row.Roles, &p.Roles); err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

func unmarshalled(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("stored JSON: %w", err)
	}
	return nil
}

// teamNames returns the names of an organization's teams by their ids in text.
func teamNames(ctx context.Context, client *db.Client, org tenant.ID) (map[string]string, error) {
	rows, err := client.Team.Query().Where(team.OrganizationID(org)).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make(map[string]string, len(rows))
	for _, row := range rows {
		out[row.ID.String()] = row.Name
	}
	return out, nil
}

// renewClientSecrets has the newest key encrypt the client secrets that older ones did, and returns how many those were.
func (s *Store) renewClientSecrets(ctx context.Context) (total int, err error) {
	ctx = tenant.System(ctx)
	if s.box == nil {
		return 0, fault.New(fault.Internal, "the store has no encryption keys")
	}
	ids, err := s.db.Read().IdentityProvider.Query().Where(identityprovider.ClientSecretNotNil()).IDs(ctx)
	if err != nil {
		return 0, database.Fault(err)
	}
	for _, id := range ids {
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			row, err := locked(s, tx.IdentityProvider.Query().Where(identityprovider.ID(id))).Only(ctx)
			if db.IsNotFound(err) || (err == nil && !secretbox.Sealed(row.ClientSecret)) {
				return nil // it is gone since
			}
			if err != nil {
				return err
			}
			value, changed, err := s.box.Renew(providerPlace(id), row.ClientSecret)
			if err != nil || !changed {
				return err //nolint:wrapcheck // a fault that speaks for itself
			}
			total++
			return row.Update().SetClientSecret(value).Exec(ctx)
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// clip shortens a text to what a column of a person's words takes.
func clip(text string, most int) string { return strings.ToValidUTF8(text[:min(len(text), most)], "") }
