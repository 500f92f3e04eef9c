package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Claim is a document that a cluster or a repository has, and wants to be the one of that name in the catalog.
type Claim struct{ ent.Schema }

// Mixin of the table.
func (Claim) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Origin is where the document is, as a key; either cluster or repository is set.
func (Claim) Fields() []ent.Field {
	return []ent.Field{
		field.String("kind").Immutable(),
		field.String("name").Immutable(),
		field.String("origin").Immutable(),
		field.UUID("cluster_id", uuid.UUID{}).Optional().Nillable().Immutable(),
		field.String("namespace").Default("").Immutable(),
		field.UUID("repository_id", uuid.UUID{}).Optional().Nillable().Immutable(),
		field.String("place").Default(""), // name of the cluster or the repository
		field.String("path").Default(""),  // of the file in the repository
		field.Int("line").Default(0),      // of the file, before the document
		field.String("uid").Default(""),   // of the object in the cluster
		field.Int64("generation").Default(0),
		field.String("digest").Default(""), // of what was seen last, as whoever sends it makes it
		field.Text("source").Default(""),   // what was seen last
		field.Bool("adopt").Default(false), // it may take over what was applied by hand
		field.Bool("owns").Default(false),  // it is the document of the catalog
		field.String("reason").Default(""), // why the catalog does not have it as it was seen; empty when it has
		field.Text("message").Default(""),
		field.Int("revision").Default(0), // of the catalog, when it was applied last
		field.UUID("execution_id", uuid.UUID{}).Optional().Nillable(),
	}
}

// Indexes of the table. A name has one owner.
func (Claim) Indexes() []ent.Index {
	return []ent.Index{
		unique("kind", "name", "origin"),
		index.Fields("organization_id", "kind", "name").Unique().Annotations(entsql.IndexWhere("owns")),
		index.Fields("organization_id", "cluster_id"),
		index.Fields("organization_id", "repository_id"),
	}
}

// Repository is a git repository whose documents belong to the catalog.
type Repository struct{ ent.Schema }

// Mixin of the table.
func (Repository) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Repository) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("name").NotEmpty().Immutable(),
		field.String("url").NotEmpty(),
		field.String("branch").Default(""), // that of the repository when empty
		field.String("path").Default(""),   // of the folder; the whole repository when empty
		field.String("kinds").Default("tests"),
		field.Bool("credential").Default(false), // it has one, which is a setting
		field.Int("interval").Default(300),      // seconds between looks
		field.String("commit").Default(""),      // that was applied last
		field.Int("documents").Default(0),       // that it has there
		field.Text("failure").Default(""),       // why it could not be read the last time
		field.JSON("problems", json.RawMessage{}).Optional(),
		field.Time("synced_at").Optional().Nillable(), // when it was read last
		field.Time("due_at").Optional().Nillable(),
		field.Time("leased_until").Optional().Nillable(), // a replica reads it
		field.Bytes("tips").Optional(),                   // JSON of origin.Tips; null while no trigger is for pushes to it
	}
}

// Edges of the table.
func (Repository) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Repository) Indexes() []ent.Index {
	return []ent.Index{unique("name"), index.Fields("due_at")}
}
