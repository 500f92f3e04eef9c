package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	record "github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/receiver"
	"github.com/seatrial/seatrial/ent/db/setting"
)

// receiverSecret names the setting that holds the secret of a receiver: settings are encrypted.
func receiverSecret(id uuid.UUID) string { return "receiver/" + id.String() }

// CreateReceiver stores a receiver with its secret.
func (s *Store) CreateReceiver(ctx context.Context, r record.Receiver, secret, team string) (out record.Receiver, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		t, err := teamFor(ctx, tx.Team.Query(), team)
		if err != nil {
			return err
		}
		row, err := locked(s, tx.Receiver.Query().Where(receiver.Name(r.Name))).Only(ctx)
		switch {
		case db.IsNotFound(err):
			row, err = tx.Receiver.Create().SetOrganizationID(t.OrganizationID).SetTeamID(t.ID).SetName(r.Name).SetKind(r.Kind).Save(ctx)
		case err == nil:
			return fault.New(fault.Conflict, "there is or was a receiver %q", r.Name).WithField("name").
				WithHint("Choose another name: events on record name those that are gone.")
		}
		if database.Unique(err) {
			return takenFirst(ctx, r.Name)
		}
		if err != nil {
			return err
		}
		out = receiverRecord(row, t.Name)
		return s.noted(ctx, tx, audit.Object{Kind: "receiver", ID: row.ID.String(), Name: row.Name})
	})
	if err != nil {
		return out, err
	}
	return out, s.keepReceiverSecret(ctx, out.ID, secret)
}

// keepReceiverSecret stores a secret. A receiver without one refuses everything, so it does no harm that this happens afterwards: the
// transaction of an organization changes no settings.
func (s *Store) keepReceiverSecret(ctx context.Context, id uuid.UUID, secret string) error {
	return s.keepSetting(ctx, receiverSecret(id), []byte(secret))
}

// keepSetting stores the value of a setting, sealed, whoever asks.
func (s *Store) keepSetting(ctx context.Context, id string, value []byte) error {
	ctx = tenant.System(ctx)
	value, err := s.sealed(id, value)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Setting.Create().SetID(id).SetValue(value).OnConflictColumns(setting.FieldID).UpdateNewValues().Exec(ctx)
	})
}

// Receivers lists by name.
func (s *Store) Receivers(ctx context.Context) ([]record.Receiver, error) {
	rows, err := s.db.Read().Receiver.Query().Where(receiver.RemovedAtIsNil()).WithTeam().Order(receiver.ByName()).All(ctx)
	out := make([]record.Receiver, len(rows))
	for i, row := range rows {
		out[i] = receiverRecord(row, row.Edges.Team.Name)
	}
	return out, database.Fault(err)
}

// receiverToChange locks a receiver that the viewer may change.
func (s *Store) receiverToChange(ctx context.Context, tx *db.Tx, name string) (*db.Receiver, error) {
	row, err := locked(s, tx.Receiver.Query().Where(receiver.Name(name), receiver.RemovedAtIsNil())).Only(ctx)
	if db.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "there is no receiver %q", name).WithHint("List what there is with: seatrial trigger receiver list.")
	}
	if err != nil {
		return nil, err
	}
	return row, mayChange(ctx, tx, row.TeamID, "receiver "+row.Name)
}

// RemoveReceiver closes an address. What comes from then on is refused, and what is secret of it is forgotten.
func (s *Store) RemoveReceiver(ctx context.Context, name string) error {
	var id uuid.UUID
	if err := s.changeReceiver(ctx, name, func(ctx context.Context, row *db.Receiver) error {
		id = row.ID
		return row.Update().SetRemovedAt(s.now()).Exec(ctx)
	}); err != nil {
		return err
	}
	return s.forgetReceivers(ctx, id)
}

// forgetReceivers removes the secrets and the apps of receivers, whoever asks.
func (s *Store) forgetReceivers(ctx context.Context, ids ...uuid.UUID) error {
	var names []string
	for _, id := range ids {
		names = append(names, receiverSecret(id), receiverApp(id))
	}
	return s.db.Write(tenant.System(ctx), func(tx *db.Tx) error {
		_, err := tx.Setting.Delete().Where(setting.IDIn(names...)).Exec(tenant.System(ctx))
		return err
	})
}

// RotateReceiver replaces the secret.
func (s *Store) RotateReceiver(ctx context.Context, name, secret string) error {
	var id uuid.UUID
	if err := s.changeReceiver(ctx, name, func(_ context.Context, row *db.Receiver) error {
		id = row.ID
		return nil
	}); err != nil {
		return err
	}
	return s.keepReceiverSecret(ctx, id, secret)
}

func (s *Store) changeReceiver(ctx context.Context, name string, change func(ctx context.Context, row *db.Receiver) error) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.receiverToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := change(ctx, row); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "receiver", ID: row.ID.String(), Name: row.Name})
	})
}

// ReceiverSecret returns a receiver by its id with its secret, whoever asks. One of an organization that is suspended is not found.
func (s *Store) ReceiverSecret(ctx context.Context, id uuid.UUID) (r record.Receiver, secret string, err error) {
	ctx = tenant.System(ctx)
	row, err := s.db.Read().Receiver.Query().Where(receiver.ID(id), receiver.RemovedAtIsNil(),
		receiver.HasOrganizationWith(organization.State(string(tenant.Active)))).Only(ctx)
	if db.IsNotFound(err) {
		return r, "", fault.New(fault.NotFound, "there is no such receiver")
	}
	if err != nil {
		return r, "", database.Fault(err)
	}
	kept, err := s.db.Read().Setting.Query().Where(setting.ID(receiverSecret(id))).All(ctx)
	if err != nil || len(kept) == 0 {
		return receiverRecord(row, ""), "", database.Fault(err)
	}
	value, err := s.opened(kept[0])
	return receiverRecord(row, ""), string(value), err
}

// noteEvery is how often it is noted again that something came.
const noteEvery = time.Minute

// Heard notes when something came last, or why it was refused.
func (s *Store) Heard(ctx context.Context, r record.Receiver, refused string) error {
	now := s.now()
	if recent := now.Add(-noteEvery); refused == "" && r.HeardAt.After(recent) || refused != "" && refused == r.Refused && r.RefusedAt.After(recent) {
		return nil // who sends without end would have a row written for each message
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		change := tx.Receiver.Update().Where(receiver.ID(r.ID))
		if refused == "" {
			return change.SetHeardAt(s.now()).Exec(ctx)
		}
		return change.SetRefusedAt(s.now()).SetRefused(clean(refused)).Exec(ctx)
	})
}

func receiverRecord(row *db.Receiver, team string) record.Receiver {
	return record.Receiver{
		ID: row.ID, Organization: row.OrganizationID, Team: team, TeamID: row.TeamID, Name: row.Name, Kind: row.Kind, CreatedAt: row.CreatedAt.UTC(),
		HeardAt: timeOf(row.HeardAt), RefusedAt: timeOf(row.RefusedAt), Refused: row.Refused,
	}
}
