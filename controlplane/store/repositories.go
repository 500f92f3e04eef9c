package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/repository"
)

// Repository returns a registered repository.
func (s *Store) Repository(ctx context.Context, id uuid.UUID) (origin.Repository, error) {
	row, err := s.db.Read().Repository.Query().Where(repository.ID(id)).WithTeam().Only(ctx)
	if err != nil {
		return origin.Repository{}, missing(err, "repository", id)
	}
	return repositoryRecord(row)
}

func repositoryRecord(row *db.Repository) (origin.Repository, error) {
	r := origin.Repository{
		ID: row.ID, Name: row.Name, URL: row.URL, Branch: row.Branch, Path: row.Path, Kinds: origin.Kinds(row.Kinds), TeamID: row.TeamID,
		Interval: time.Duration(row.Interval) * time.Second, Sealed: row.Credential, Commit: row.Commit, Documents: row.Documents, Failure: row.Failure,
		SyncedAt: timeOf(row.SyncedAt), CreatedAt: row.CreatedAt.UTC(),
	}
	if row.Edges.Team != nil {
		r.Team = row.Edges.Team.Name
	}
	if len(row.Problems) > 0 {
		if err := json.Unmarshal(row.Problems, &r.Problems); err != nil {
			return r, fmt.Errorf("problems of repository %s: %w", row.Name, err)
		}
	}
	return r, nil
}
