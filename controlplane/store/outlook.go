package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/outlook"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/releasechange"
	"github.com/seatrial/seatrial/ent/db/waiver"
)

// Stories returns what became of the releases that were created since a time, newest first, and of one more than outlook.MaxReleases.
func (s *Store) Stories(ctx context.Context, since time.Time) ([]outlook.Story, error) {
	heads, err := s.db.Read().Release.Query().Where(release.CreatedAtGTE(since)).Order(release.ByID(entsql.OrderDesc())).Limit(outlook.MaxReleases+1).
		Select(release.FieldID, release.FieldApplication, release.FieldVersion, release.FieldCreatedAt, release.FieldState).All(ctx)
	if err != nil || len(heads) == 0 {
		return nil, database.Fault(err)
	}
	out, at, ids := make([]outlook.Story, len(heads)), map[uuid.UUID]int{}, make([]uuid.UUID, len(heads))
	for i, h := range heads {
		ids[i], at[h.ID] = h.ID, i
		out[i] = outlook.Story{Application: h.Application, Version: h.Version, CreatedAt: h.CreatedAt.UTC(), State: verdict.State(h.State)}
	}
	changes, err := s.db.Read().ReleaseChange.Query().Where(releasechange.ReleaseIDIn(ids...)).Order(releasechange.ByNumber()).
		Select(releasechange.FieldReleaseID, releasechange.FieldBefore, releasechange.FieldAfter, releasechange.FieldCreatedAt, releasechange.FieldBlockers).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, c := range changes {
		story := &out[at[c.ReleaseID]]
		change := record.Change{Before: verdict.State(c.Before), After: verdict.State(c.After), At: c.CreatedAt.UTC()}
		if len(c.Blockers) > 0 {
			if err := json.Unmarshal(c.Blockers, &change.Blockers); err != nil {
				return nil, fmt.Errorf("read what kept release %s from being ready: %w", c.ReleaseID, err)
			}
		}
		story.Changes = append(story.Changes, change)
	}
	asked, err := s.db.Read().Waiver.Query().Where(waiver.ReleaseIDIn(ids...)).Order(waiver.ByID()).Select(waiver.FieldReleaseID, waiver.FieldCreatedAt).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, w := range asked {
		story := &out[at[w.ReleaseID]]
		story.Asked = append(story.Asked, w.CreatedAt.UTC())
	}
	return out, nil
}
