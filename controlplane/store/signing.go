package store

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/setting"
)

// signingKey names the setting that holds the signing keys of an organization.
func signingKey(of tenant.ID) string { return "release/signing-keys/" + of.String() }

// OrganizationID returns the organization with a name, whoever asks.
func (s *Store) OrganizationID(ctx context.Context, name string) (tenant.ID, error) {
	id, err := s.db.Read().Organization.Query().Where(organization.Name(name)).OnlyID(tenant.System(ctx))
	if db.IsNotFound(err) {
		return id, fault.New(fault.NotFound, "there is no organization %q", name)
	}
	return id, database.Fault(err)
}

// SigningKeys returns what is kept of the signing keys of an organization, none when there are none.
func (s *Store) SigningKeys(ctx context.Context, of tenant.ID) ([]byte, error) {
	rows, err := s.db.Read().Setting.Query().Where(setting.ID(signingKey(of))).All(tenant.System(ctx))
	if err != nil || len(rows) == 0 {
		return nil, database.Fault(err)
	}
	return s.opened(rows[0])
}

// ChangeSigningKeys replaces the signing keys of an organization by what change makes of them, which may be called again. Two changes
// happen one after the other.
func (s *Store) ChangeSigningKeys(ctx context.Context, of tenant.ID, change func(old []byte) ([]byte, error)) error {
	return s.changeSetting(ctx, signingKey(of), change, func(ctx context.Context, tx *db.Tx) error {
		return s.noted(ctx, tx, audit.Object{Kind: "signing-key"})
	})
}

// Setting returns an instance-wide value, or fault.NotFound.
func (s *Store) Setting(ctx context.Context, key string) ([]byte, error) {
	row, err := s.db.Read().Setting.Get(tenant.System(ctx), key)
	if err != nil {
		return nil, database.Fault(err)
	}
	return s.opened(row)
}

// ChangeSetting replaces an instance-wide value by what change makes of it, which may be called again. Two changes happen one after the other.
func (s *Store) ChangeSetting(ctx context.Context, key string, change func(old []byte) ([]byte, error)) error {
	return s.changeSetting(ctx, key, change, func(context.Context, *db.Tx) error { return nil })
}

func (s *Store) changeSetting(ctx context.Context, id string, change func(old []byte) ([]byte, error), note func(context.Context, *db.Tx) error) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		// The row is there before it is locked, so that the first change waits for another one, too.
		if err := tx.Setting.Create().SetID(id).SetValue([]byte{}).OnConflictColumns(setting.FieldID).Ignore().Exec(ctx); err != nil {
			return err
		}
		row, err := locked(s, tx.Setting.Query().Where(setting.ID(id))).Only(ctx)
		if err != nil {
			return err
		}
		old, err := s.opened(row)
		if err != nil {
			return err
		}
		value, err := change(old)
		if err != nil {
			return err
		}
		if value, err = s.sealed(id, value); err != nil {
			return err
		}
		if err := tx.Setting.UpdateOneID(id).SetValue(value).Exec(ctx); err != nil {
			return err
		}
		return note(ctx, tx)
	})
}
