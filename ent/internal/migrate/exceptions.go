package main

import (
	"slices"

	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"entgo.io/ent/dialect/sql/schema"
)

// facts is the table that is otherwise in a database than ent can say, because a hundred thousand rows of it are stored at once.
const facts = "test_results"

// The indexes by which the results of a test are found: of keys, and PostgreSQL's of their hashes, which ent cannot say.
const byKey, byHash = "testresult_test_key_id", "testresult_test_key_hash_id"

// except hides the differences of the table of facts that are meant: PostgreSQL partitions it and has an index of hashes of the keys of
// tests, not of the keys; and it has no foreign keys, each of which would be looked up for every row.
func except(next schema.Differ) schema.Differ {
	return schema.DiffFunc(func(current, desired *atlas.Schema) ([]atlas.Change, error) {
		hashed := false
		named := func(name string) func(*atlas.Index) bool { return func(i *atlas.Index) bool { return i.Name == name } }
		if t, ok := current.Table(facts); ok {
			all := len(t.Indexes)
			t.Indexes = slices.DeleteFunc(t.Indexes, named(byHash))
			hashed = len(t.Indexes) < all
			t.Attrs = slices.DeleteFunc(t.Attrs, func(a atlas.Attr) bool {
				_, partitioned := a.(*postgres.Partition)
				return partitioned
			})
		}
		if t, ok := desired.Table(facts); ok {
			t.ForeignKeys = nil
			if hashed {
				t.Indexes = slices.DeleteFunc(t.Indexes, named(byKey))
			}
		}
		return next.Diff(current, desired) //nolint:wrapcheck // the caller says of which dialect
	})
}
