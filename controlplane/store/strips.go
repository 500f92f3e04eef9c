package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/strips"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/stripblock"
	"github.com/seatrial/seatrial/ent/db/testresult"
	"github.com/seatrial/seatrial/ent/db/unreliabletest"
)

// A strip is the latest outcomes of a test in an environment, a letter each, newest first. It changes in the transaction that stores the
// results, so it never says anything else than they do, and it is read where to count them would take too long.

// more is what one report adds to the strip of a test.
type more struct {
	key     string
	letters []byte // newest first
}

// stripsOf gathers what a report adds, in the order of keys. One report may have a test more than once, such as in two browsers.
func stripsOf(list []execution.TestResult, order []int) []more {
	letters := make([]byte, len(list)) // of all, so that each test has no allocation of its own
	out := make([]more, 0, len(order))
	for _, i := range order {
		key := list[i].Key
		if key == "" {
			continue // it stands for something else than a test
		}
		letters[i] = testcase.Letter(results.Outcome(list[i].Outcome), len(list[i].Earlier) > 0)
		if n := len(out); n > 0 && out[n-1].key == key {
			out[n-1].letters = append(letters[i:i+1:i+1], out[n-1].letters[:min(len(out[n-1].letters), testcase.MaxStrip-1)]...)
			continue
		}
		out = append(out, more{key, letters[i : i+1 : i+1]})
	}
	return out
}

// addToStrips puts the results of a report, the last of which has an id, before what the strips of their tests have.
func (s *Store) addToStrips(ctx context.Context, tx *db.Tx, of resultsOf, list []more, last uuid.UUID) error {
	at := of.at
	if last.Version() == timed {
		at = timeOfID(last)
	}
	keys := make([]string, len(list))
	for i, m := range list {
		keys[i] = m.key
	}
	where := stripsAt{of.attempt.OrganizationID, of.workflow, of.environment}
	return s.editStrips(ctx, tx, where, keys, func(i int, old strips.Entry) strips.Entry {
		return old.With(testcase.Letters(list[i].letters), at)
	})
}

// stripsAt is what strips have in common that change together.
type stripsAt struct {
	organization          uuid.UUID
	workflow, environment string
}

// blocksAtOnce is how many blocks are held in memory: some MB where a workflow has a hundred thousand tests.
const blocksAtOnce = 4

// editStrips changes the strips of some tests, whose keys are in order, each once.
func (s *Store) editStrips(ctx context.Context, tx *db.Tx, at stripsAt, keys []string, change func(i int, old strips.Entry) strips.Entry) error {
	if err := s.lockStrips(ctx, tx, at); err != nil {
		return fmt.Errorf("lock strips: %w", err)
	}
	changes := unreliable{}
	var blocks []block
	for from := 0; from < len(keys); {
		prefix, to := strips.Prefix(keys[from]), from+1
		for to < len(keys) && strips.Prefix(keys[to]) == prefix {
			to++
		}
		offset := from
		b := block{prefix: prefix, keys: keys[from:to], grown: new(int)}
		b.change = func(i int, old strips.Entry) strips.Entry {
			changed := change(offset+i, old)
			changes.note(old, changed)
			if old.Letters == "" {
				*b.grown = 1
			}
			return changed
		}
		blocks = append(blocks, b)
		from = to
	}
	for part := range slices.Chunk(blocks, blocksAtOnce) {
		if err := s.editBlocks(ctx, tx, at, part); err != nil {
			return fmt.Errorf("update strips: %w", err)
		}
	}
	return s.saveUnreliable(ctx, tx, at, changes)
}

// block is a block of strips to be changed.
type block struct {
	prefix string
	keys   []string
	change func(i int, old strips.Entry) strips.Entry
	grown  *int // 1 when a test has come into it
}

func (s *Store) editBlocks(ctx context.Context, tx *db.Tx, at stripsAt, list []block) error {
	prefixes := make([]string, len(list))
	for i, b := range list {
		prefixes[i] = b.prefix
	}
	rows, err := tx.StripBlock.Query().Where(stripblock.Workflow(at.workflow), stripblock.EnvironmentName(at.environment), stripblock.PrefixIn(prefixes...)).All(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was about
	}
	known := map[string]string{}
	for _, row := range rows {
		known[row.Prefix] = row.Body
	}
	var values []any
	for _, b := range list {
		body, oldest, err := strips.Edit(known[b.prefix], b.keys, b.change)
		if err != nil {
			return err //nolint:wrapcheck // the caller says what it was about
		}
		values = append(values, at.organization.String(), at.workflow, at.environment, b.prefix, body, oldest, *b.grown)
	}
	_, err = s.exec(ctx, tx, "INSERT INTO strip_blocks AS s (organization_id, workflow, environment_name, prefix, body, oldest_at, grown) VALUES "+
		rowsOf(len(list), 7)+" ON CONFLICT (organization_id, workflow, environment_name, prefix) DO UPDATE SET body = excluded.body, oldest_at = excluded.oldest_at, grown = s.grown + excluded.grown", values...)
	return err
}

// rowsOf writes placeholders for some rows.
func rowsOf(rows, columns int) string {
	row := ", (" + strings.TrimPrefix(strings.Repeat(", ?", columns), ", ") + ")"
	return strings.TrimPrefix(strings.Repeat(row, rows), ", ")
}

// unreliable are tests whose standing a change of their strips changes.
type unreliable struct {
	now  []strips.Entry
	gone []string
}

// note compares what was known of a test with what is. Of a test that has always passed there is nothing to say.
func (u *unreliable) note(old, now strips.Entry) {
	switch {
	case now.Letters == "" || now.Unreliable.IsZero():
		if !old.Unreliable.IsZero() {
			u.gone = append(u.gone, old.Key)
		}
	case !now.Unreliable.Equal(old.Unreliable) || now.Letters.Bad() != old.Letters.Bad():
		u.now = append(u.now, now)
	}
}

func (s *Store) saveUnreliable(ctx context.Context, tx *db.Tx, at stripsAt, changes unreliable) error {
	for part := range slices.Chunk(changes.gone, batch) {
		_, err := tx.UnreliableTest.Delete().Where(unreliabletest.TestKeyIn(part...), unreliabletest.EnvironmentName(at.environment)).Exec(ctx)
		if err != nil {
			return fmt.Errorf("forget unreliable tests: %w", err)
		}
	}
	for part := range slices.Chunk(changes.now, batch) {
		var values []any
		for _, e := range part {
			values = append(values, at.organization.String(), at.workflow, at.environment, e.Key, e.Letters.Bad(), e.Unreliable)
		}
		_, err := s.exec(ctx, tx, "INSERT INTO unreliable_tests (organization_id, workflow, environment_name, test_key, outcomes, last_at) VALUES "+
			rowsOf(len(part), 6)+" ON CONFLICT (organization_id, test_key, environment_name) DO UPDATE SET outcomes = excluded.outcomes, last_at = excluded.last_at, workflow = excluded.workflow", values...)
		if err != nil {
			return fmt.Errorf("keep unreliable tests: %w", err)
		}
	}
	return nil
}

// lockStrips makes those wait for each other that change strips of one workflow in one environment: two reports of the same tests would
// otherwise take their rows in different orders. SQLite has one writer.
func (s *Store) lockStrips(ctx context.Context, tx *db.Tx, at stripsAt) error {
	if !s.db.Locking() {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", strings.Join([]string{"strips", at.organization.String(), at.workflow, at.environment}, "\x1f"))
	return err //nolint:wrapcheck // the caller says what it was about
}

// Strips returns the latest outcomes of all tests of a workflow in an environment, or in all of them, by key.
func (s *Store) Strips(ctx context.Context, workflow, environment string) ([]testcase.Strip, error) {
	query := s.db.Read().StripBlock.Query().Where(stripblock.Workflow(workflow))
	if environment != "" {
		query = query.Where(stripblock.EnvironmentName(environment))
	}
	rows, err := query.Order(stripblock.ByPrefix(), stripblock.ByEnvironmentName()).All(ctx) // so most are in order when they are unpacked
	if err != nil {
		return nil, database.Fault(err)
	}
	size := 0
	for _, row := range rows {
		size += strings.Count(row.Body, "\n")
	}
	out := make([]testcase.Strip, 0, size)
	for _, row := range rows {
		for e, err := range strips.All(row.Body) {
			if err != nil {
				return nil, fmt.Errorf("workflow %s in %s: %w", row.Workflow, row.EnvironmentName, err)
			}
			out = append(out, testcase.Strip{Key: e.Key, Environment: row.EnvironmentName, Letters: e.Letters})
		}
	}
	slices.SortFunc(out, func(a, b testcase.Strip) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Environment, b.Environment))
	})
	return out, nil
}

// stripSpan is how far it is looked back for the outcomes of a strip that is made anew.
const stripSpan = 90 * 24 * time.Hour

// remakeStrips makes the strips of some tests of a workflow in an environment anew of their results: when some of those no longer count.
func (s *Store) remakeStrips(ctx context.Context, tx *db.Tx, head *db.Execution, environment string, keys []string) error {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	at := stripsAt{head.OrganizationID, head.Workflow, environment}
	for part := range slices.Chunk(keys, batch) {
		// Whoever holds this lock sees all that others have stored.
		if err := s.lockStrips(ctx, tx, at); err != nil {
			return fmt.Errorf("lock strips: %w", err)
		}
		rows, err := tx.TestResult.Query().
			Where(latestRuns(head.OrganizationID, allSince(part, s.now().Add(-stripSpan)), testcase.MaxStrip, environment)).
			Order(testresult.ByID()). // oldest first
			Select(testresult.FieldID, testresult.FieldTestKey, testresult.FieldOutcome, testresult.FieldEarlier, testresult.FieldExecutionID, testresult.FieldCreatedAt).All(ctx)
		if err != nil {
			return err
		}
		made := map[string]strips.Entry{}
		for _, row := range rows {
			letter := testcase.Letter(results.Outcome(row.Outcome), row.Earlier != nil)
			made[row.TestKey] = made[row.TestKey].With(testcase.Letters([]byte{letter}), row.CreatedAt)
		}
		err = s.editStrips(ctx, tx, at, part, func(i int, _ strips.Entry) strips.Entry {
			e := made[part[i]]
			e.Key = part[i]
			return e
		})
		if err != nil {
			return err
		}
	}
	return nil
}
