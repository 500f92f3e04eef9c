package main

import (
	"slices"

	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"entgo.io/ent/dialect/sql/schema"
)

// facts is the table that is otherwise in a database than ent can say, because a hundred thousand rows of it are stored at once.
const facts = "test_results"

// except hides the two differences of the table of facts that are meant: PostgreSQL partitions it, and it has no foreign keys, each of
// which would be looked up for every row.
func except(next schema.Differ) schema.Differ {
	return schema.DiffFunc(func(current, desired *atlas.Schema) ([]atlas.Change, error) {
		if t, ok := current.Table(facts); ok {
			t.Attrs = slices.DeleteFunc(t.Attrs, func(a atlas.Attr) bool {
				_, partitioned := a.(*postgres.Partition)
				return partitioned
			})
		}
		if t, ok := desired.Table(facts); ok {
			t.ForeignKeys = nil
		}
		return next.Diff(current, desired) //nolint:wrapcheck // the caller says of which dialect
	})
}
