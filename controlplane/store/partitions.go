package store

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ent/db"
)

const (
	// monthsAhead is for how long no sweep may succeed until results of a new month are taken by the rest, from where they are moved.
	monthsAhead = 3
	// restOfResults is the partition of what belongs to no other.
	restOfResults = "test_results_rest"
	// keptResults begins the names of partitions that hold nothing but what is spared.
	keptResults = "test_results_kept_"
	// mergedResults stands in the name of a partition of several months before the last of them.
	mergedResults = "to_"
	// maxMonths is how many partitions there are at most, but for the rest: each costs time whenever a query is planned.
	maxMonths = 36
)

// month is a partition of PostgreSQL's table of results.
type month struct {
	name        string
	from, until uuid.UUID // the first id, and the first that is later
	bounds      string    // as SQL has them
	rows        float64   // about
}

func (m month) kept() bool { return strings.HasPrefix(m.name, keptResults) }

// makeMonths makes the partitions of this month and the next ones that are not there yet.
func (s *Store) makeMonths(ctx context.Context) (made int, err error) {
	now := s.now()
	for i := range monthsAhead + 1 {
		begin := time.Date(now.Year(), now.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		m := month{name: "test_results_" + begin.Format("2006_01"), from: firstID(begin), until: firstID(begin.AddDate(0, 1, 0))}
		m.bounds = fmt.Sprintf("FOR VALUES FROM ('%s') TO ('%s')", m.from, m.until)
		fresh := false
		if err := s.alone(ctx, func(tx *db.Tx) error {
			known, err := months(ctx, tx)
			if fresh = err == nil && !covered(known, m); !fresh {
				return err
			}
			return s.makeMonth(ctx, tx, m)
		}); err != nil {
			return made, fmt.Errorf("make the partition %s: %w", m.name, err)
		}
		if fresh {
			made++
		}
	}
	return made, nil
}

func covered(known []month, m month) bool {
	for _, k := range known {
		if bytes.Compare(k.from[:], m.until[:]) < 0 && bytes.Compare(m.from[:], k.until[:]) < 0 {
			return true // also by half: then it is the rest that takes the other one
		}
	}
	return false
}

// makeMonth makes a partition and moves what the rest has of it: nothing, unless no sweep has succeeded for months.
func (s *Store) makeMonth(ctx context.Context, tx *db.Tx, m month) error {
	return s.all(ctx, tx,
		"CREATE TABLE "+m.name+" (LIKE test_results INCLUDING DEFAULTS)",
		"SELECT seatrial_protect('"+m.name+"')",
		"LOCK TABLE "+restOfResults+" IN ACCESS EXCLUSIVE MODE",
		fmt.Sprintf("WITH moved AS (DELETE FROM %s WHERE id >= '%s' AND id < '%s' RETURNING *) INSERT INTO %s SELECT * FROM moved", restOfResults, m.from, m.until, m.name),
		"ALTER TABLE test_results ATTACH PARTITION "+m.name+" "+m.bounds)
}

// dropMonths removes the partitions that end before an id. What is spared in one takes its place. It returns the partitions that may
// have other results of that time all the same: what came in late.
func (s *Store) dropMonths(ctx context.Context, before uuid.UUID) (dropped int, late []string, err error) {
	list := func() (known []month, err error) {
		err = s.alone(ctx, func(tx *db.Tx) (err error) {
			known, err = months(ctx, tx)
			return err
		})
		return known, err
	}
	known, err := list()
	if err != nil {
		return 0, nil, fmt.Errorf("list partitions: %w", err)
	}
	for _, m := range known {
		if m.kept() || bytes.Compare(m.until[:], before[:]) > 0 {
			continue
		}
		if err := s.alone(ctx, func(tx *db.Tx) error { return s.dropMonth(ctx, tx, m) }); err != nil {
			return dropped, nil, fmt.Errorf("drop the partition %s: %w", m.name, err)
		}
		dropped++
	}
	if known, err = list(); err != nil {
		return dropped, nil, fmt.Errorf("list partitions: %w", err)
	}
	late = append(late, restOfResults)
	for _, m := range known {
		if m.kept() {
			late = append(late, m.name)
		}
	}
	return dropped, late, nil
}

// dropMonth copies what is spared of a partition before it takes the lock for which everybody has to wait, and then exchanges the two. An
// execution this old is linked with no further release.
func (s *Store) dropMonth(ctx context.Context, tx *db.Tx, m month) error {
	if gone, err := missingMonths(ctx, tx, m); err != nil || gone {
		return err // another replica has done it
	}
	kept := keptResults + strings.TrimPrefix(m.name, "test_results_")
	if err := s.all(ctx, tx,
		"LOCK TABLE "+m.name+" IN SHARE MODE", // nobody changes what is copied
		"CREATE TABLE "+kept+" (LIKE test_results INCLUDING DEFAULTS INCLUDING INDEXES)",
		"SELECT seatrial_protect('"+kept+"')"); err != nil {
		return err
	}
	n, err := s.exec(ctx, tx, "INSERT INTO "+kept+" SELECT * FROM "+m.name+" WHERE execution_id IN "+s.spared())
	if err != nil {
		return err
	}
	if err := s.all(ctx, tx, "ALTER TABLE test_results DETACH PARTITION "+m.name, "DROP TABLE "+m.name); err != nil {
		return err
	}
	if n == 0 {
		return s.all(ctx, tx, "DROP TABLE "+kept)
	}
	return s.all(ctx, tx, "ALTER TABLE test_results ATTACH PARTITION "+kept+" "+m.bounds)
}

// missingMonths reports whether one of some partitions is not there any more as it was.
func missingMonths(ctx context.Context, tx *db.Tx, list ...month) (bool, error) {
	known, err := months(ctx, tx)
	for _, m := range list {
		if !slices.ContainsFunc(known, func(k month) bool { return k.name == m.name && k.bounds == m.bounds }) {
			return true, err
		}
	}
	return false, err
}

// mergeMonths puts neighbours together while there are more partitions than a database plans well with: those of fewest rows, so that the
// same rows are not copied again and again.
func (s *Store) mergeMonths(ctx context.Context) (merged int, err error) {
	for {
		var known []month
		if err := s.alone(ctx, func(tx *db.Tx) (err error) {
			known, err = months(ctx, tx)
			return err
		}); err != nil {
			return merged, fmt.Errorf("list partitions: %w", err)
		}
		if len(known) <= maxMonths {
			return merged, nil
		}
		first, second, found := smallest(known, firstID(s.now()))
		if !found {
			return merged, nil
		}
		if err := s.alone(ctx, func(tx *db.Tx) error { return s.mergeMonth(ctx, tx, first, second) }); err != nil {
			return merged, fmt.Errorf("merge the partitions %s and %s: %w", first.name, second.name, err)
		}
		merged++
	}
}

// smallest returns the two neighbours that have the fewest rows, of those of one kind that are over before an id.
func smallest(known []month, before uuid.UUID) (first, second month, found bool) {
	slices.SortFunc(known, func(a, b month) int { return bytes.Compare(a.from[:], b.from[:]) })
	for i := 1; i < len(known); i++ {
		a, b := known[i-1], known[i]
		if a.until != b.from || a.kept() != b.kept() || bytes.Compare(b.until[:], before[:]) > 0 {
			continue
		}
		if !found || a.rows+b.rows < first.rows+second.rows {
			first, second, found = a, b, true
		}
	}
	return first, second, found
}

// mergeMonth makes one partition of two. As when one is dropped, it copies before it takes the lock for which everybody has to wait.
func (s *Store) mergeMonth(ctx context.Context, tx *db.Tx, first, second month) error {
	if gone, err := missingMonths(ctx, tx, first, second); err != nil || gone {
		return err
	}
	begin, last := "test_results_", beginOf(second.until).AddDate(0, 0, -1)
	if first.kept() {
		begin = keptResults
	}
	name := begin + mergedResults + last.Format("2006_01")
	return s.all(ctx, tx,
		"LOCK TABLE "+first.name+", "+second.name+" IN SHARE MODE",
		"CREATE TABLE "+name+" (LIKE test_results INCLUDING DEFAULTS INCLUDING INDEXES)", "SELECT seatrial_protect('"+name+"')",
		"INSERT INTO "+name+" SELECT * FROM "+first.name, "INSERT INTO "+name+" SELECT * FROM "+second.name,
		"ALTER TABLE test_results DETACH PARTITION "+first.name, "ALTER TABLE test_results DETACH PARTITION "+second.name,
		"DROP TABLE "+first.name, "DROP TABLE "+second.name,
		fmt.Sprintf("ALTER TABLE test_results ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')", name, first.from, second.until))
}

// alone runs a part of a sweep in a transaction of its own. A replica that sweeps at the same time waits here and then finds it done. It
// does not wait long for the reports that come in, nor do they for it: the next sweep tries again.
func (s *Store) alone(ctx context.Context, do func(tx *db.Tx) error) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.all(ctx, tx, "SELECT pg_advisory_xact_lock(hashtextextended('seatrial sweep of results', 0))", "SET LOCAL lock_timeout = '5s'"); err != nil {
			return err
		}
		return do(tx)
	})
}

func (s *Store) all(ctx context.Context, tx *db.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err //nolint:wrapcheck // the caller says what it was about
		}
	}
	return nil
}

// range of a partition as PostgreSQL writes it.
var boundsOf = regexp.MustCompile(`^FOR VALUES FROM \((MINVALUE|'[0-9a-f-]{36}')\) TO \((MAXVALUE|'[0-9a-f-]{36}')\)$`)

// months lists the partitions, but for that of the rest.
func months(ctx context.Context, tx *db.Tx) (out []month, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), greatest(c.reltuples, 0) FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'test_results'::regclass ORDER BY c.relname`)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was about
	}
	defer rows.Close() //nolint:errcheck // it was only read
	for rows.Next() {
		var m month
		if err := rows.Scan(&m.name, &m.bounds, &m.rows); err != nil {
			return nil, err //nolint:wrapcheck // the caller says what it was about
		}
		found := boundsOf.FindStringSubmatch(m.bounds)
		if found == nil {
			continue // the rest
		}
		if m.from, err = bound(found[1]); err != nil {
			return nil, err
		}
		if m.until, err = bound(found[2]); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err() //nolint:wrapcheck // the caller says what it was about
}

// bound reads one end of a range.
func bound(text string) (uuid.UUID, error) {
	switch text {
	case "MINVALUE":
		return uuid.Nil, nil
	case "MAXVALUE":
		return uuid.Max, nil
	}
	return uuid.Parse(strings.Trim(text, "'")) //nolint:wrapcheck // the caller says what it was about
}
