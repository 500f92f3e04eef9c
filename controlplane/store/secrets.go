package store

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/setting"
)

// settingsAtOnce is how many settings a transaction encrypts anew.
const settingsAtOnce = 100

// WithSecrets has all settings encrypted: every one of them is a secret. A store without a box keeps none.
func WithSecrets(b *secretbox.Box) Option { return func(s *Store) { s.box = b } }

// place says where the value of a setting belongs.
func place(id string) string { return "setting " + id }

// sealed returns a value of a setting as it is stored. An empty one stands for a setting that is locked before it has a value.
func (s *Store) sealed(id string, value []byte) ([]byte, error) {
	switch {
	case len(value) == 0:
		return []byte{}, nil
	case s.box == nil:
		return nil, fault.New(fault.Internal, "the store has no encryption keys, and keeps no secret without them")
	}
	return s.box.Seal(place(id), value) //nolint:wrapcheck // a fault that speaks for itself
}

// opened is the inverse of sealed.
func (s *Store) opened(row *db.Setting) ([]byte, error) {
	switch {
	case len(row.Value) == 0:
		return nil, nil
	case s.box == nil:
		return nil, fault.New(fault.Internal, "the store has no encryption keys, and reads no secret without them")
	}
	return s.box.Open(place(row.ID), row.Value) //nolint:wrapcheck // a fault that speaks for itself
}

// SealSettings encrypts what an earlier version stored in plain text, and returns how many settings that were.
func (s *Store) SealSettings(ctx context.Context) (int, error) {
	return s.changeSettings(ctx, func(row *db.Setting) ([]byte, error) {
		if len(row.Value) == 0 || secretbox.Sealed(row.Value) {
			return nil, nil
		}
		return s.sealed(row.ID, row.Value)
	})
}

// RenewSettings has the newest key encrypt what older ones did, in settings and elsewhere, and returns how many secrets that were.
// Interrupted, it goes on where it was when it is called again.
func (s *Store) RenewSettings(ctx context.Context) (int, error) {
	n, err := s.renewSettings(ctx)
	if err != nil {
		return n, err
	}
	more, err := s.renewClientSecrets(ctx)
	if n += more; err != nil {
		return n, err
	}
	more, err = s.renewWebhooks(ctx)
	return n + more, err
}

func (s *Store) renewSettings(ctx context.Context) (int, error) {
	return s.changeSettings(ctx, func(row *db.Setting) ([]byte, error) {
		if len(row.Value) == 0 {
			return nil, nil
		}
		value, changed, err := s.box.Renew(place(row.ID), row.Value)
		if err != nil || !changed {
			return nil, err //nolint:wrapcheck // a fault that speaks for itself
		}
		return value, nil
	})
}

// changeSettings stores what change makes of each setting, a batch in each transaction. It leaves those for which change returns nothing.
func (s *Store) changeSettings(ctx context.Context, change func(*db.Setting) ([]byte, error)) (total int, err error) {
	ctx = tenant.System(ctx)
	if s.box == nil {
		return 0, fault.New(fault.Internal, "the store has no encryption keys")
	}
	for after, more := "", true; more; {
		changed, last := 0, ""
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			changed = 0
			rows, err := locked(s, tx.Setting.Query().Where(setting.IDGT(after)).Order(setting.ByID()).Limit(settingsAtOnce)).All(ctx)
			if err != nil {
				return err
			}
			more = len(rows) == settingsAtOnce
			for _, row := range rows {
				last = row.ID
				value, err := change(row)
				if err != nil {
					return err
				}
				if value == nil {
					continue
				}
				if err := tx.Setting.UpdateOneID(row.ID).SetValue(value).Exec(ctx); err != nil {
					return err
				}
				changed++
			}
			return nil
		})
		if err != nil {
			return total, database.Fault(err)
		}
		total, after = total+changed, last
	}
	return total, nil
}
