package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/release"
)

// maxVerdicts is how many bytes of what is large about releases are remembered; when there are more all are forgotten, and read again.
const maxVerdicts = 16 << 20

// verdicts remembers what is large about releases: what they have to show, which never changes, and the last verdict on each, which is the
// same while it is of the same moment and knows the same. Both may be megabytes, and to read them takes longer than all else about a release.
// Whoever is answered from it has been shown by the database that the release is his to see.
type verdicts struct {
	mu   sync.Mutex
	size int
	of   map[uuid.UUID]large
}

// large is what is large about a release. Nobody changes what it holds.
type large struct {
	cells   []record.Cell
	verdict json.RawMessage

	size    int
	decided time.Time
	judged  int
}

// recall returns what is remembered, if it is still so.
func (v *verdicts) recall(row *db.Release) (large, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, ok := v.of[row.ID]
	return known, ok && row.DecidedAt != nil && known.decided.Equal(*row.DecidedAt) && known.judged == row.Judged
}

func (v *verdicts) keep(id uuid.UUID, l large) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.size += l.size - v.of[id].size; v.of == nil || v.size > maxVerdicts {
		v.of, v.size = map[uuid.UUID]large{}, l.size
	}
	v.of[id] = l
}

// smallColumns are those of a release without what it has to show and without the verdict.
func smallColumns() []string {
	return slices.DeleteFunc(slices.Clone(release.Columns), func(c string) bool { return c == release.FieldCells || c == release.FieldVerdict })
}

// largeRelease returns a release with its team and with what is large about it, which is remembered where somebody looks at it: a sweep looks
// at each release once.
func (s *Store) largeRelease(ctx context.Context, remember bool, where ...predicate.Release) (row *db.Release, l large, err error) {
	small := s.db.Read().Release.Query().Where(where...).WithTeam()
	small.Select(smallColumns()...)
	if row, err = small.Only(ctx); err != nil {
		return nil, l, database.Fault(err)
	}
	if l, ok := s.verdicts.recall(row); ok {
		return row, l, nil
	}
	if row, err = s.db.Read().Release.Query().Where(release.ID(row.ID)).WithTeam().Only(ctx); err != nil {
		return nil, l, database.Fault(err)
	}
	l = large{verdict: row.Verdict, size: len(row.Verdict) + len(row.Cells), judged: row.Judged}
	if err := json.Unmarshal(row.Cells, &l.cells); err != nil {
		return nil, l, fmt.Errorf("read the cells of release %s: %w", row.ID, err)
	}
	if remember && row.DecidedAt != nil {
		l.decided = *row.DecidedAt
		s.verdicts.keep(row.ID, l)
	}
	return row, l, nil
}
