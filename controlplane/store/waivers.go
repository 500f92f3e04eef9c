package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	record "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/waiver"
)

// SaveWaiver stores a waiver and has its release decided anew.
func (s *Store) SaveWaiver(ctx context.Context, id record.ID, w verdict.Waiver) error {
	key, err := uuid.Parse(w.ID)
	if err != nil {
		return fmt.Errorf("id of waiver: %w", err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Release.Query().Where(release.ID(id)).Only(ctx)
		if err != nil {
			return err
		}
		if err := tx.Waiver.Create().SetID(key).SetOrganizationID(row.OrganizationID).SetReleaseID(row.ID).SetRule(w.Rule).
			SetEnvironment(clean(w.Environment)).SetSuite(clean(w.Suite)).SetTest(clean(w.Test)).SetVariant(clean(w.Variant)).
			SetFingerprint(clean(w.Fingerprint)).SetReason(clean(w.Reason)).SetRequester(w.Requester).SetCreatedAt(w.CreatedAt).
			SetExpiresAt(w.ExpiresAt).Exec(ctx); err != nil {
			return err
		}
		if err := s.makeStale(ctx, tx, []uuid.UUID{row.ID}, w.Requester+" asked for a waiver of "+w.Rule+"."); err != nil {
			return err
		}
		return s.notedWaiver(ctx, tx, row, w)
	})
}

// ChangeWaiver changes approvals or revocation of a waiver and has its release decided anew.
func (s *Store) ChangeWaiver(ctx context.Context, id record.ID, which, by string, change func(*verdict.Waiver) error) error {
	key, err := uuid.Parse(which)
	if err != nil {
		return fault.New(fault.NotFound, "the release has no waiver %q", which)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		head, err := tx.Release.Query().Where(release.ID(id)).Only(ctx)
		if err != nil {
			return err
		}
		row, err := locked(s, tx.Waiver.Query().Where(waiver.ID(key), waiver.ReleaseID(id))).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "the release has no waiver %q", which)
		}
		if err != nil {
			return err
		}
		w, err := waiverRecord(head, row)
		if err != nil {
			return err
		}
		before := w
		if err := change(&w); err != nil {
			return err
		}
		if err := s.keepWaiver(ctx, tx, row, by, before, w); err != nil {
			return err
		}
		return s.notedWaiver(ctx, tx, head, w)
	})
}

func (s *Store) notedWaiver(ctx context.Context, tx *db.Tx, of *db.Release, w verdict.Waiver) error {
	n := audit.Of(ctx)
	n.Detail("waiver", w.ID)
	n.Detail("rule", w.Rule)
	n.Detail("test", w.Test)
	n.Detail("expires", w.ExpiresAt.UTC().Format(time.RFC3339))
	return s.notedRelease(ctx, tx, of)
}

func (s *Store) keepWaiver(ctx context.Context, tx *db.Tx, row *db.Waiver, by string, before, after verdict.Waiver) error {
	approvals, err := json.Marshal(after.Approvals)
	if err != nil {
		return fmt.Errorf("encode approvals: %w", err)
	}
	update := row.Update().SetApprovals(approvals)
	cause := ""
	if n := len(after.Approvals); n > len(before.Approvals) {
		cause = after.Approvals[n-1].By + " approved a waiver of " + after.Rule + "."
	}
	if after.Revoked && !before.Revoked {
		update.SetRevokedAt(s.now()).SetRevokedBy(by)
		cause = by + " revoked a waiver of " + after.Rule + "."
	}
	if cause == "" {
		return nil
	}
	if err := update.Exec(ctx); err != nil {
		return err
	}
	return s.makeStale(ctx, tx, []uuid.UUID{row.ReleaseID}, cause)
}

// waivers lists those of a release, oldest first.
func (s *Store) waivers(ctx context.Context, head *db.Release) ([]verdict.Waiver, error) {
	rows, err := s.db.Read().Waiver.Query().Where(waiver.ReleaseID(head.ID)).Order(waiver.ByID()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	var out []verdict.Waiver
	for _, row := range rows {
		w, err := waiverRecord(head, row)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

func waiverRecord(head *db.Release, row *db.Waiver) (verdict.Waiver, error) {
	w := verdict.Waiver{
		ID: row.ID.String(), Application: head.Application, Version: head.Version, Rule: row.Rule, Environment: row.Environment,
		Suite: row.Suite, Test: row.Test, Variant: row.Variant, Fingerprint: row.Fingerprint, Reason: row.Reason, Requester: row.Requester,
		CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(), Revoked: row.RevokedAt != nil,
	}
	if len(row.Approvals) > 0 {
		if err := json.Unmarshal(row.Approvals, &w.Approvals); err != nil {
			return w, fmt.Errorf("read the approvals of waiver %s: %w", row.ID, err)
		}
	}
	return w, nil
}
