package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/membersession"
)

// CreateSession stores a sign-in and returns its id.
func (s *Store) CreateSession(ctx context.Context, m tenant.Member, expires time.Time) (id uuid.UUID, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		of, err := tx.Organization.Get(ctx, m.Organization)
		if err != nil {
			return err
		}
		if err := admitted(of); err != nil {
			return err
		}
		row, err := tx.MemberSession.Create().SetOrganizationID(m.Organization).SetMemberID(m.ID).SetExpiresAt(expires.UTC()).Save(ctx)
		if err != nil {
			return err
		}
		id = row.ID
		return s.noted(ctx, tx, audit.Object{Kind: "session", ID: row.ID.String()})
	})
	return id, err
}

// SessionMember returns the member of a sign-in that has not ended, or fault.NotFound.
func (s *Store) SessionMember(ctx context.Context, id uuid.UUID) (tenant.Member, error) {
	row, err := s.db.Read().MemberSession.Query().
		Where(membersession.ID(id), membersession.EndedAtIsNil(), membersession.ExpiresAtGT(s.now())).WithMember().WithOrganization().
		Only(tenant.System(ctx))
	if err != nil {
		return tenant.Member{}, missing(err, "session", id)
	}
	if err := admitted(row.Edges.Organization); err != nil {
		return tenant.Member{}, err
	}
	return memberRecord(row.Edges.Member), nil
}

// EndSession signs out. Ending what has ended changes nothing.
func (s *Store) EndSession(ctx context.Context, id uuid.UUID) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.MemberSession.Update().Where(membersession.ID(id), membersession.EndedAtIsNil()).SetEndedAt(s.now()).Save(ctx)
		if err != nil || n == 0 {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "session", ID: id.String()})
	})
}
