package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/team"
)

// Names returns the names of an organization and, unless its id is zero, of a team of the viewer's.
func (s *Store) Names(ctx context.Context, id tenant.ID, teamID uuid.UUID) (org, group string, err error) {
	row, err := s.db.Read().Organization.Query().Where(organization.ID(id)).Only(ctx)
	if err != nil {
		return "", "", missing(err, "organization", id)
	}
	if teamID == uuid.Nil {
		return row.Name, "", nil
	}
	t, err := s.db.Read().Team.Query().Where(team.ID(teamID)).Only(ctx)
	if err != nil {
		return "", "", missing(err, "team", teamID)
	}
	return row.Name, t.Name, nil
}
