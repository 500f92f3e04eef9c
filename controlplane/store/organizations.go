package store

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/member"
	"github.com/seatrial/seatrial/ent/db/membersession"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/predicate"
)

// admitted refuses whoever belongs to an organization that may not be used.
func admitted(row *db.Organization) error {
	if tenant.State(row.State) == tenant.Active {
		return nil
	}
	return fault.New(fault.Forbidden, "the organization %s is suspended", row.Name).
		WithHint("Ask the operator of this Seatrial. What ran already comes to its end, and nothing is lost.")
}

// ofActive selects commands of organizations that may be used.
func ofActive() predicate.AgentCommand {
	return agentcommand.HasOrganizationWith(organization.State(string(tenant.Active)))
}

// Organizations lists by name.
func (s *Store) Organizations(ctx context.Context) ([]tenant.Organization, error) {
	rows, err := s.db.Read().Organization.Query().Order(organization.ByName()).All(tenant.System(ctx))
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]tenant.Organization, len(rows))
	for i, row := range rows {
		out[i] = tenant.Organization{ID: row.ID, Name: row.Name, State: tenant.State(row.State)}
	}
	return out, nil
}

// CreateOrganization makes an organization with its first team, member and token.
func (s *Store) CreateOrganization(ctx context.Context, first tenant.First) error {
	ctx = tenant.System(ctx)
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		if err := bootstrap(ctx, tx, first); err != nil {
			return err
		}
		row, err := tx.Organization.Query().Where(organization.Name(first.Organization)).Only(ctx)
		if err != nil {
			return err
		}
		return s.notedOrganization(ctx, tx, row)
	})
	if database.Unique(err) {
		return fault.New(fault.Conflict, "there is an organization %q already", first.Organization)
	}
	return err
}

// notedOrganization notes what an operator did in the record of the organization.
func (s *Store) notedOrganization(ctx context.Context, tx *db.Tx, row *db.Organization) error {
	n := audit.Of(ctx)
	n.In(row.ID)
	return s.noted(ctx, tx, audit.Object{Kind: "organization", ID: row.ID.String(), Name: row.Name})
}

// SetOrganizationState suspends an organization, or lets it be used again. One that is being deleted stays so.
func (s *Store) SetOrganizationState(ctx context.Context, name string, state tenant.State) (o tenant.Organization, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Organization.Query().Where(organization.Name(name))).Only(ctx)
		switch {
		case db.IsNotFound(err):
			return noOrganization(name)
		case err != nil:
			return err
		case tenant.State(row.State) == tenant.Deleting && state != tenant.Deleting:
			return fault.New(fault.Conflict, "the organization %s is being deleted; go on with: org delete", name)
		}
		o = tenant.Organization{ID: row.ID, Name: row.Name, State: state}
		if row.State == string(state) {
			return nil
		}
		if err := tx.Organization.UpdateOne(row).SetState(string(state)).Exec(ctx); err != nil {
			return err
		}
		return s.notedOrganization(ctx, tx, row)
	})
	return o, err
}

func noOrganization(name string) error {
	return fault.New(fault.NotFound, "there is no organization %q", name).WithHint("List them with: seatrial-controlplane org list.")
}

// ResetPassword gives a member another password, and ends all sessions of that member.
func (s *Store) ResetPassword(ctx context.Context, of, email, hash string) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Organization.Query().Where(organization.Name(of)).Only(ctx)
		if db.IsNotFound(err) {
			return noOrganization(of)
		}
		if err != nil {
			return err
		}
		m, err := tx.Member.Query().Where(member.OrganizationID(row.ID), member.Email(email)).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "the organization %s has no member %q", of, email)
		}
		if err != nil {
			return err
		}
		if err := tx.Member.UpdateOne(m).SetPasswordHash(hash).Exec(ctx); err != nil {
			return err
		}
		if err := tx.MemberSession.Update().Where(membersession.MemberID(m.ID), membersession.EndedAtIsNil()).SetEndedAt(s.now()).Exec(ctx); err != nil {
			return err
		}
		audit.Of(ctx).In(row.ID)
		return s.noted(ctx, tx, audit.Object{Kind: "member", ID: m.ID.String(), Name: m.Email})
	})
}
