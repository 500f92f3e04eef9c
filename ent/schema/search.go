package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ent/rule"
)

// SearchEntry is a read model: something that is found by its words. It is narrow, because there is one for each test: its id is a number.
type SearchEntry struct{ ent.Schema }

// Fields of the table.
func (SearchEntry) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("organization_id", uuid.UUID{}).Immutable(),
		field.String("kind").NotEmpty().Immutable(),                             // search.Kind
		field.String("ref").NotEmpty().Immutable(),                              // name, key, fingerprint or id
		field.String("workflow").Default("").Immutable(),                        // that it is of; empty for a release
		field.Text("title"),                                                     // what is shown of it
		field.Text("words").Default(""),                                         // what else it is found by
		field.Int("version").Default(0),                                         // of what the words were taken from
		field.Bool("listed").Default(false),                                     // its words can be found
		field.UUID("subject_id", uuid.UUID{}).Optional().Nillable().Immutable(), // id of the release
	}
}

// Policy of the table.
func (SearchEntry) Policy() ent.Policy { return rule.Owned() }

// Indexes of the table.
func (SearchEntry) Indexes() []ent.Index {
	return []ent.Index{
		unique("kind", "ref", "workflow"),
		index.Fields("subject_id").Annotations(entsql.IndexWhere("subject_id IS NOT NULL")),
		index.Fields("id").StorageKey("searchentry_unlisted").Annotations(entsql.IndexWhere("NOT listed")),
	}
}

// SearchWord is a word of an entry. It is kept as bytes: those sort the same in both databases whatever the locale, and comparing them is
// known to give nothing away, so that row level security does not keep the index from being used.
type SearchWord struct{ ent.Schema }

// Fields of the table.
func (SearchWord) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("organization_id", uuid.UUID{}).Immutable(),
		field.String("kind").NotEmpty().Immutable(), // of the entry
		field.Bytes("word").NotEmpty().Immutable(),
		field.Int("entry_id").Immutable(),
	}
}

// Policy of the table.
func (SearchWord) Policy() ent.Policy { return rule.Owned() }

// Indexes of the table.
func (SearchWord) Indexes() []ent.Index {
	return []ent.Index{unique("kind", "word", "entry_id"), index.Fields("entry_id", "word")}
}
