// Package schema declares the tables. Two mixins carry what every table has: the organization a row belongs to, with the rules
// that keep other organizations out, and the times.
package schema

import (
	"time"

	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"entgo.io/ent/schema/mixin"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ent/rule"
)

// newID makes a UUIDv7. Rows are found newest first by their id alone, because it sorts by creation.
func newID() uuid.UUID {
	return uuid.Must(uuid.NewV7())
}

// now is the time of day as both databases keep it: UTC, to the microsecond.
func now() time.Time {
	return time.Now().UTC().Truncate(time.Microsecond)
}

// identified gives a table its id and the time of creation.
type identified struct{ mixin.Schema }

// Fields of the mixin.
func (identified) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("id", uuid.UUID{}).Default(newID).Immutable(),
		field.Time("created_at").Default(now).Immutable(),
	}
}

// owned gives a table its id, its times, and the organization that owns the row, with the privacy rules.
type owned struct{ mixin.Schema }

// Fields of the mixin.
func (owned) Fields() []ent.Field {
	return append(identified{}.Fields(),
		field.Time("updated_at").Default(now).UpdateDefault(now),
		field.UUID("organization_id", uuid.UUID{}).Immutable())
}

// Edges of the mixin.
func (owned) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("organization", Organization.Type).Field("organization_id").Unique().Required().Immutable(),
	}
}

// Policy of the mixin.
func (owned) Policy() ent.Policy { return rule.Owned() }

// parent is a required reference that never changes, kept whole by a foreign key.
func parent(name string, of any) ent.Edge {
	return edge.To(name, of).Field(name + "_id").Unique().Required().Immutable()
}

// ref is the column of a parent.
func ref(name string) ent.Field { return field.UUID(name+"_id", uuid.UUID{}).Immutable() }

// unique is a unique index within an organization.
func unique(fields ...string) ent.Index {
	return index.Fields(append([]string{"organization_id"}, fields...)...).Unique()
}

// owner is the edge to the team that owns a row, which can be handed to another.
func owner() ent.Edge { return edge.To("team", Team.Type).Field("team_id").Unique().Required() }

// removed is when a document of the catalog was taken out of it. The row stays for what refers to it, and for when it comes back.
func removed() ent.Field { return field.Time("removed_at").Optional().Nillable() }
