package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/membersession"
	"github.com/seatrial/seatrial/ent/db/predicate"
)

// CreateSession stores a sign-in and returns its id.
func (s *Store) CreateSession(ctx context.Context, m tenant.Member, of tenant.Session) (id uuid.UUID, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		org, err := tx.Organization.Get(ctx, m.Organization)
		if err != nil {
			return err
		}
		if err := admitted(org); err != nil {
			return err
		}
		row, err := tx.MemberSession.Create().SetOrganizationID(m.Organization).SetMemberID(m.ID).SetExpiresAt(of.ExpiresAt.UTC()).
			SetSeenAt(s.now()).SetRemote(clean(of.Remote)).SetBrowser(clean(of.Browser)).Save(ctx)
		if err != nil {
			return err
		}
		id = row.ID
		return s.noted(ctx, tx, audit.Object{Kind: "session", ID: row.ID.String()})
	})
	return id, err
}

// live selects sessions that have not ended.
func (s *Store) live() predicate.MemberSession {
	return membersession.And(membersession.EndedAtIsNil(), membersession.ExpiresAtGT(s.now()))
}

// SessionMember returns the member of a sign-in that has not ended, or fault.NotFound.
func (s *Store) SessionMember(ctx context.Context, id uuid.UUID) (tenant.Member, error) {
	ctx = tenant.System(ctx)
	row, err := s.db.Read().MemberSession.Query().Where(membersession.ID(id), s.live()).WithMember().WithOrganization().Only(ctx)
	if err != nil {
		return tenant.Member{}, missing(err, "session", id)
	}
	if err := admitted(row.Edges.Organization); err != nil {
		return tenant.Member{}, err
	}
	m, err := s.memberRecord(ctx, s.db.Read(), row.Edges.Member)
	m.Confined = accessRecord(row.Edges.Organization).Visibility == tenant.VisibleTeams
	return m, err
}

// SeeSession notes that a session was used just now, and from where, and returns when it ends.
func (s *Store) SeeSession(ctx context.Context, id uuid.UUID, remote string) (ends time.Time, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.MemberSession.Query().Where(membersession.ID(id), s.live()).Only(ctx)
		if err != nil {
			return missing(err, "session", id)
		}
		ends = row.ExpiresAt.UTC()
		return row.Update().SetSeenAt(s.now()).SetRemote(clean(remote)).Exec(ctx)
	})
	return ends, err
}

// Sessions lists the sessions of the viewer that have not ended, the one used last first.
func (s *Store) Sessions(ctx context.Context) ([]tenant.Session, error) {
	v, _ := tenant.FromContext(ctx)
	rows, err := s.db.Read().MemberSession.Query().Where(membersession.MemberID(v.Subject), s.live()).
		Order(db.Desc(membersession.FieldSeenAt), db.Desc(membersession.FieldID)).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]tenant.Session, len(rows))
	for i, row := range rows {
		out[i] = tenant.Session{
			ID: row.ID, Remote: row.Remote, Browser: row.Browser, CreatedAt: row.CreatedAt.UTC(), SeenAt: timeOf(row.SeenAt), ExpiresAt: row.ExpiresAt.UTC(),
		}
	}
	return out, nil
}

// EndOwnSession ends a session of the viewer, or returns fault.NotFound.
func (s *Store) EndOwnSession(ctx context.Context, id uuid.UUID) error {
	v, _ := tenant.FromContext(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.MemberSession.Update().Where(membersession.ID(id), membersession.MemberID(v.Subject), s.live()).SetEndedAt(s.now()).Save(ctx)
		if err == nil && n == 0 {
			return fault.New(fault.NotFound, "you have no session %s", id)
		}
		if err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "session", ID: id.String()})
	})
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
