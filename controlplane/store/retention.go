package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/strips"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/stripblock"
	"github.com/seatrial/seatrial/ent/db/testresult"
	"github.com/seatrial/seatrial/ent/db/unreliabletest"
)

// atOnce is how many rows one transaction of a sweep looks at: it holds up the reports that come in for some milliseconds.
const atOnce = 5000

// spared selects the executions whose results stay, however old: those that are evidence for a release, since they are linked with it or
// below one that is, and the last ones of each workflow, by which a new release knows which tests there are.
func (s *Store) spared() string {
	last := fmt.Sprintf(`SELECT l.id FROM executions AS l WHERE l.organization_id = w.organization_id AND l.workflow = w.name
 AND l.status IN ('passed', 'failed') ORDER BY l.id DESC LIMIT %d`, recentExecutions)
	if s.db.Locking() {
		last = "SELECT latest.id FROM workflows AS w CROSS JOIN LATERAL (" + last + ") AS latest"
	} else {
		last = "SELECT latest.id FROM workflows AS w JOIN executions AS latest ON latest.id IN (" + last + ")"
	}
	return `(SELECT execution_id FROM release_executions
 UNION SELECT e.id FROM executions AS e JOIN release_executions AS l ON l.execution_id = e.root_id
 UNION ` + last + ")"
}

// SweepResults removes the results that came in longer ago than they are kept, but for those that are evidence for a release or tell
// which tests a workflow has, and the strips of tests that have not run since. On PostgreSQL it makes the partitions of the next months, and whole months go at once; keep
// may be 0 for all time. Several replicas may sweep: one of them does each part.
func (s *Store) SweepResults(ctx context.Context, keep time.Duration) (swept testcase.Swept, err error) {
	if v, ok := tenant.FromContext(ctx); !ok || v.Kind != tenant.KindSystem {
		return swept, fault.New(fault.Forbidden, "only the control plane itself may do this")
	}
	if err := s.deleteSnapshots(ctx); err != nil {
		return swept, fmt.Errorf("delete old snapshots: %w", err)
	}
	if s.db.Locking() {
		if swept.Months, err = s.makeMonths(ctx); err != nil {
			return swept, err
		}
	}
	if keep <= 0 {
		return swept, s.fewMonths(ctx)
	}
	before, tables := s.now().Add(-keep), []string{testresult.Table}
	if s.db.Locking() {
		if swept.Dropped, tables, err = s.dropMonths(ctx, firstID(before)); err != nil {
			return swept, err
		}
	}
	for _, table := range tables {
		n, err := s.deleteResults(ctx, table, firstID(before))
		if swept.Results += n; err != nil {
			return swept, err
		}
	}
	if swept.Strips, err = s.deleteStrips(ctx, before); err != nil {
		return swept, err
	}
	if err := s.deleteUnfound(ctx); err != nil {
		return swept, err
	}
	return swept, s.fewMonths(ctx)
}

func (s *Store) fewMonths(ctx context.Context) error {
	if !s.db.Locking() {
		return nil
	}
	_, err := s.mergeMonths(ctx)
	return err
}

// deleteResults deletes the results of a table before an id that are not spared, bit by bit in the order of their ids.
func (s *Store) deleteResults(ctx context.Context, table string, before uuid.UUID) (total int64, err error) {
	after, more := uuid.Nil, true
	for more {
		var n int64
		var last uuid.UUID
		err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
			last, more, err = s.oneID(ctx, tx, "SELECT id FROM "+table+" WHERE id > ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?", after.String(), before.String(), atOnce-1)
			if err != nil {
				return err
			}
			if !more {
				last = before // what is left is less than that
			}
			n, err = s.exec(ctx, tx, "DELETE FROM "+table+" WHERE id > ? AND id <= ? AND id < ? AND execution_id NOT IN "+s.spared(),
				after.String(), last.String(), before.String())
			return err
		})
		if err != nil {
			return total, fmt.Errorf("delete old results: %w", err)
		}
		total, after = total+n, last
	}
	return total, nil
}

// deleteStrips deletes the strips of tests that have not run since a time, block by block.
func (s *Store) deleteStrips(ctx context.Context, before time.Time) (total int64, err error) {
	for more := true; more; {
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			row, err := tx.StripBlock.Query().Where(stripblock.OldestAtLT(before)).First(ctx)
			if more = !db.IsNotFound(err); !more {
				return nil
			}
			if err != nil {
				return err
			}
			n, err := s.shrink(ctx, tx, row, before)
			total += int64(n)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("delete old strips: %w", err)
		}
	}
	return total, s.deleteUnreliable(ctx, before)
}

// deleteUnreliable forgets tests that were unreliable, and have not been since a time, some at once.
func (s *Store) deleteUnreliable(ctx context.Context, before time.Time) error {
	for more := true; more; {
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			ids, err := tx.UnreliableTest.Query().Where(unreliabletest.LastAtLT(before)).Limit(batch).IDs(ctx)
			if err != nil {
				return err
			}
			more = len(ids) == batch
			_, err = tx.UnreliableTest.Delete().Where(unreliabletest.IDIn(ids...)).Exec(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget tests that were unreliable: %w", err)
		}
	}
	return nil
}

// shrink takes the tests out of a block that have not run since a time.
func (s *Store) shrink(ctx context.Context, tx *db.Tx, found *db.StripBlock, before time.Time) (int, error) {
	if err := s.lockStrips(ctx, tx, stripsAt{found.OrganizationID, found.Workflow, found.EnvironmentName}); err != nil {
		return 0, err
	}
	row, err := tx.StripBlock.Get(ctx, found.ID) // as it is now that nobody else changes it
	if db.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	body, n, oldest, err := strips.Since(row.Body, before)
	if err != nil {
		return 0, err
	}
	if body == "" {
		return n, tx.StripBlock.DeleteOne(row).Exec(ctx)
	}
	return n, row.Update().SetBody(body).SetOldestAt(oldest).Exec(ctx)
}

// exec runs a statement with a question mark for each argument and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, tx *db.Tx, statement string, args ...any) (int64, error) {
	done, err := tx.ExecContext(ctx, s.numbered(statement), args...)
	if err != nil {
		return 0, err //nolint:wrapcheck // the caller says what it was about
	}
	return done.RowsAffected() //nolint:wrapcheck // neither driver fails here
}

// oneID returns the id that a query finds.
func (s *Store) oneID(ctx context.Context, tx *db.Tx, query string, args ...any) (id uuid.UUID, found bool, err error) {
	rows, err := tx.QueryContext(ctx, s.numbered(query), args...)
	if err != nil {
		return id, false, err //nolint:wrapcheck // the caller says what it was about
	}
	defer rows.Close() //nolint:errcheck // it was only read
	if found = rows.Next(); found {
		err = rows.Scan(&id)
	}
	if err == nil {
		err = rows.Err()
	}
	return id, found, err //nolint:wrapcheck // the caller says what it was about
}

// numbered writes arguments as the database wants them.
func (s *Store) numbered(statement string) string {
	if !s.db.Locking() {
		return statement
	}
	var b strings.Builder
	for i, part := range strings.Split(statement, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "$%d", i)
		}
		b.WriteString(part)
	}
	return b.String()
}
