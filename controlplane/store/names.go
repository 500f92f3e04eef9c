package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
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

// takenFirst is what a name leads to that the viewer has not found and yet cannot make. Somebody was faster, who is found at the next try; but
// what another team has is not found by who sees the own teams alone, however often that is tried: then this is the answer.
func takenFirst(ctx context.Context, name string) error {
	if v, _ := tenant.FromContext(ctx); v.Confined {
		return fault.Wrap(fault.Conflict, database.ErrRetry, fmt.Sprintf("the name %q is taken", name)).WithField("name").
			WithHint("Names are unique in the organization, whose teams do not see each other's. Choose another.")
	}
	return database.ErrRetry
}
