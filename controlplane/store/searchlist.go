package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase/strips"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/searchentry"
	"github.com/seatrial/seatrial/ent/db/searchword"
	"github.com/seatrial/seatrial/ent/db/stripblock"
	"github.com/seatrial/seatrial/ent/db/testresult"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// ListForSearch gives entries to what has none and words to entries that have none, of all organizations, and returns how many things that
// were. It runs as system. Two replicas that do the same at once do no harm.
func (s *Store) ListForSearch(ctx context.Context, limit int) (n int, err error) {
	ctx = tenant.System(ctx)
	if n, err = s.listTests(ctx, limit); err != nil {
		return n, fmt.Errorf("list tests for the search: %w", database.Fault(err))
	}
	for _, of := range []struct {
		any  func(context.Context) (bool, error)
		list func(context.Context, *db.Tx, int) (int, error)
	}{
		{s.db.Read().Workflow.Query().Where(unlistedWorkflow()...).Exist, s.listWorkflows},
		{s.db.Read().Release.Query().Where(unlike(search.Release, release.FieldID, "")).Exist, s.listReleases},
		{s.db.Read().SearchEntry.Query().Where(unlisted).Exist, s.listEntries},
	} {
		if found, err := of.any(ctx); err != nil || !found { // nobody else waits for a writer that has nothing to write
			if err != nil {
				return n, fmt.Errorf("look for what is new to the search: %w", database.Fault(err))
			}
			continue
		}
		done := 0
		err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
			done, err = of.list(ctx, tx, limit)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("list for the search: %w", database.Fault(err))
		}
		n = max(n, done)
	}
	return n, nil
}

// unlike selects rows that have no entry of their revision: those that are new, and those that were changed.
func unlike(kind search.Kind, ref, version string) func(sel *entsql.Selector) {
	return func(sel *entsql.Selector) {
		e := entsql.Table(searchentry.Table).As("e")
		is := []*entsql.Predicate{
			entsql.ColumnsEQ(e.C(searchentry.FieldOrganizationID), sel.C("organization_id")), entsql.EQ(e.C(searchentry.FieldKind), string(kind)),
		}
		if ref == "id" {
			is = append(is, entsql.ColumnsEQ(e.C(searchentry.FieldSubjectID), sel.C(ref)))
		} else {
			is = append(is, entsql.ColumnsEQ(e.C(searchentry.FieldRef), sel.C(ref)), entsql.ColumnsEQ(e.C(searchentry.FieldVersion), sel.C(version)))
		}
		sel.Where(entsql.NotExists(entsql.Dialect(sel.Dialect()).Select(e.C(searchentry.FieldID)).From(e).Where(entsql.And(is...))))
	}
}

// unlistedWorkflow selects workflows of the catalog without an entry of their revision.
func unlistedWorkflow() []predicate.Workflow {
	return []predicate.Workflow{workflow.RemovedAtIsNil(), unlike(search.Workflow, workflow.FieldName, workflow.FieldRevision)}
}

// unlisted selects entries whose words cannot be found yet.
func unlisted(sel *entsql.Selector) { sel.Where(entsql.ExprP("NOT " + sel.C(searchentry.FieldListed))) }

func (s *Store) listWorkflows(ctx context.Context, tx *db.Tx, limit int) (int, error) {
	rows, err := tx.Workflow.Query().Where(unlistedWorkflow()...).
		Order(workflow.ByID()).Limit(limit).All(ctx)
	for _, row := range rows {
		words := []string{row.Description}
		for _, k := range slices.Sorted(maps.Keys(row.Labels)) {
			words = append(words, k, row.Labels[k])
		}
		if err := s.entry(ctx, tx, newEntry{
			organization: row.OrganizationID, kind: search.Workflow, ref: row.Name, workflow: row.Name, title: row.Name, words: strings.Join(words, " "), version: row.Revision,
		}); err != nil {
			return 0, err
		}
	}
	return len(rows), err
}

func (s *Store) listReleases(ctx context.Context, tx *db.Tx, limit int) (int, error) {
	rows, err := tx.Release.Query().Where(unlike(search.Release, release.FieldID, "")).Order(release.ByID()).Limit(limit).
		Select(release.FieldID, release.FieldOrganizationID, release.FieldApplication, release.FieldVersion, release.FieldCommit, release.FieldImages, release.FieldTargets,
			release.FieldPolicy).All(ctx)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		r, err := releaseRecord(row)
		if err != nil {
			return 0, err
		}
		words := append([]string{r.Commit}, r.Targets...)
		for _, image := range r.Images {
			words = append(words, image.Name, image.Digest)
		}
		if err := s.entry(ctx, tx, newEntry{
			organization: row.OrganizationID, kind: search.Release, ref: row.ID.String(), title: row.Application + " " + row.Version, words: strings.Join(words, " "), subject: &row.ID,
		}); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// unlistedBlocks is how many blocks of strips are looked at for new tests at a time.
const unlistedBlocks = 8

// listTests makes entries for tests that have come into blocks of strips. What they are called stands in their latest results.
func (s *Store) listTests(ctx context.Context, limit int) (int, error) {
	blocks, err := s.db.Read().StripBlock.Query().Where(func(sel *entsql.Selector) {
		sel.Where(entsql.ExprP(sel.C(stripblock.FieldGrown) + " <> " + sel.C(stripblock.FieldListed)))
	}).Order(stripblock.ByID()).Limit(unlistedBlocks).All(ctx)
	if err != nil {
		return 0, err //nolint:wrapcheck // the caller says what it was about
	}
	for _, b := range blocks {
		var keys []string
		for e, err := range strips.All(b.Body) {
			if err != nil {
				return 0, fmt.Errorf("workflow %s in %s: %w", b.Workflow, b.EnvironmentName, err)
			}
			keys = append(keys, e.Key)
		}
		for part := range slices.Chunk(keys, limit) {
			if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.listKeys(ctx, tx, b, part) }); err != nil {
				return 0, err //nolint:wrapcheck // the caller says what it was about
			}
		}
		err := s.db.Write(ctx, func(tx *db.Tx) error { return tx.StripBlock.UpdateOneID(b.ID).SetListed(b.Grown).Exec(ctx) })
		if err != nil && !fault.Is(err, fault.NotFound) { // its tests are gone meanwhile
			return 0, err //nolint:wrapcheck // the caller says what it was about
		}
	}
	if len(blocks) == unlistedBlocks {
		return limit, nil // there may be more
	}
	return len(blocks), nil
}

// listKeys makes entries for those tests of a block that have none.
func (s *Store) listKeys(ctx context.Context, tx *db.Tx, b *db.StripBlock, keys []string) error {
	known, err := tx.SearchEntry.Query().Where(searchentry.OrganizationID(b.OrganizationID), searchentry.Kind(string(search.Test)), searchentry.RefIn(keys...)).
		Select(searchentry.FieldRef).Strings(ctx)
	if err != nil {
		return err
	}
	has := make(map[string]bool, len(known))
	for _, key := range known {
		has[key] = true
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return has[key] })
	if len(keys) == 0 {
		return nil
	}
	found, err := tx.TestResult.Query().Where(latestRuns(b.OrganizationID, allSince(keys, s.now().Add(-search.Span)), 1, "")).
		Select(testresult.FieldID, testresult.FieldTestKey, testresult.FieldSuite, testresult.FieldName, testresult.FieldSource).All(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b *db.TestResult) int { return strings.Compare(a.TestKey, b.TestKey) }) // two replicas do not wait crosswise
	for _, r := range found {
		if err := s.entry(ctx, tx, newEntry{
			organization: b.OrganizationID, kind: search.Test, ref: r.TestKey, workflow: b.Workflow, title: resultRecord(r).Title(), words: r.Source,
		}); err != nil {
			return err
		}
	}
	return nil
}

// listEntries gives words to entries that have none.
func (s *Store) listEntries(ctx context.Context, tx *db.Tx, limit int) (int, error) {
	// Locked: another replica may be about to store other words of them.
	rows, err := locked(s, tx.SearchEntry.Query().Where(unlisted).
		Order(searchentry.ByID()).Limit(limit), entsql.WithLockAction(entsql.SkipLocked)).All(ctx)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	ids := make([]int, len(rows))
	var values []any
	for i, row := range rows {
		ids[i] = row.ID
		ref := ""
		if search.Kind(row.Kind) == search.Failure {
			ref = row.Ref // people copy fingerprints
		}
		for _, w := range search.Words(ref, row.Title, row.Words) {
			values = append(values, row.OrganizationID.String(), row.Kind, []byte(w), row.ID)
		}
	}
	if _, err := tx.SearchWord.Delete().Where(searchword.EntryIDIn(ids...)).Exec(ctx); err != nil {
		return 0, err
	}
	const columns = 4
	for part := range slices.Chunk(values, columns*rowsAtOnce) {
		statement := "INSERT INTO search_words (organization_id, kind, word, entry_id) VALUES " +
			strings.TrimPrefix(strings.Repeat(", (?, ?, ?, ?)", len(part)/columns), ", ") + " ON CONFLICT DO NOTHING"
		if _, err := s.exec(ctx, tx, statement, part...); err != nil {
			return 0, err
		}
	}
	return len(rows), tx.SearchEntry.Update().Where(searchentry.IDIn(ids...)).SetListed(true).Exec(ctx)
}

// newEntry is an entry to be stored.
type newEntry struct {
	organization                uuid.UUID
	kind                        search.Kind
	ref, workflow, title, words string
	version                     int
	subject                     *uuid.UUID
}

// entry stores an entry without its words, in the place of one that is there.
func (s *Store) entry(ctx context.Context, tx *db.Tx, e newEntry) error {
	var subject any
	if e.subject != nil {
		subject = e.subject.String()
	}
	_, err := s.exec(ctx, tx, `INSERT INTO search_entries AS s (organization_id, kind, ref, workflow, title, words, version, subject_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (organization_id, kind, ref, workflow) DO UPDATE SET title = excluded.title, words = excluded.words, version = excluded.version, listed = false
 WHERE s.title <> excluded.title OR s.words <> excluded.words OR s.version <> excluded.version`,
		e.organization.String(), string(e.kind), e.ref, e.workflow, clean(e.title), clean(e.words), e.version, subject)
	return err
}

// deleteUnfound deletes the entries of tests and failures of which there are no results any more.
func (s *Store) deleteUnfound(ctx context.Context) error {
	gone := map[search.Kind]string{
		search.Test:    "SELECT 1 FROM test_results AS t WHERE t.organization_id = e.organization_id AND t.test_key = e.ref",
		search.Failure: "SELECT 1 FROM test_results AS t WHERE t.organization_id = e.organization_id AND t.fingerprint = e.ref AND t.fingerprint <> ''",
	}
	for kind, left := range gone {
		for after := 0; ; {
			page, err := s.db.Read().SearchEntry.Query().Where(searchentry.Kind(string(kind)), searchentry.IDGT(after)).Order(searchentry.ByID()).Limit(atOnce).IDs(ctx)
			if err != nil {
				return fmt.Errorf("look for what is not found any more: %w", err)
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1]
			if err := s.deleteEntries(ctx, kind, page, left); err != nil {
				return fmt.Errorf("delete what is not found any more: %w", err)
			}
		}
	}
	return nil
}

// deleteEntries deletes those of some entries of a kind that nothing is left of. It looks before it takes the turn to write.
func (s *Store) deleteEntries(ctx context.Context, kind search.Kind, ids []int, left string) error {
	unfound := func(q *db.SearchEntryQuery, ids []int) *db.SearchEntryQuery {
		return q.Where(searchentry.IDIn(ids...), func(sel *entsql.Selector) {
			// One is looked for, for each entry: to look whether none exists, all results of all time would be read at once.
			sel.Where(entsql.ExprP("(" + strings.ReplaceAll(left, "e.", sel.TableName()+".") + " LIMIT 1) IS NULL"))
		})
	}
	ids, err := unfound(s.db.Read().SearchEntry.Query(), ids).IDs(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		ids, err := unfound(locked(s, tx.SearchEntry.Query().Where(searchentry.Kind(string(kind)))), ids).IDs(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.SearchWord.Delete().Where(searchword.EntryIDIn(ids...)).Exec(ctx); err != nil {
			return err
		}
		_, err = tx.SearchEntry.Delete().Where(searchentry.IDIn(ids...)).Exec(ctx)
		return err
	})
}
