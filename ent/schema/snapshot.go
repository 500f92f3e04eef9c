package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Snapshot is a copy of what a page shows, for whoever has its link.
type Snapshot struct{ ent.Schema }

// Mixin of the table.
func (Snapshot) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. The team is that of what was copied. The secret of the link is kept as its hash.
func (Snapshot) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("kind").NotEmpty().Immutable(), // snapshot.Kind
		field.String("ref").NotEmpty().Immutable(),  // what it is of: the id of an execution, or application and version of a release
		field.Text("title").Immutable(),
		field.String("hash").NotEmpty().Immutable(),   // hex SHA-256
		field.Bytes("content").NotEmpty().Immutable(), // compressed JSON
		field.String("actor").Immutable(),
		field.Time("expires_at").Immutable(),
		field.Time("revoked_at").Optional().Nillable(),
		field.String("revoked_by").Default(""),
		field.Int("opened").Default(0),
		field.Time("opened_at").Optional().Nillable(), // when it was last
	}
}

// Edges of the table.
func (Snapshot) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Snapshot) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("hash"), index.Fields("organization_id", "id"), index.Fields("organization_id", "kind", "ref"), index.Fields("expires_at"),
	}
}
