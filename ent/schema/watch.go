package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// TriggerWatch is what the agent of a cluster says of watching for a trigger.
type TriggerWatch struct{ ent.Schema }

// Mixin of the table.
func (TriggerWatch) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Since is kept while the agent is away, so that what happens meanwhile is found.
func (TriggerWatch) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("cluster_id", uuid.UUID{}).Immutable(),
		field.UUID("trigger_id", uuid.UUID{}).Immutable(),
		field.String("digest"), // of what is watched; another one begins anew
		field.String("state"),
		field.Text("message").Default(""),
		field.Time("since").Optional().Nillable(), // when it was first watched
	}
}

// Edges of the table.
func (TriggerWatch) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("cluster", Cluster.Type).Field("cluster_id").Unique().Required().Immutable(),
		edge.To("trigger", Trigger.Type).Field("trigger_id").Unique().Required().Immutable(),
	}
}

// Indexes of the table.
func (TriggerWatch) Indexes() []ent.Index {
	return []ent.Index{unique("cluster_id", "trigger_id"), index.Fields("trigger_id")}
}

// WatchMark is what is known of an object in a cluster: by it an agent that was away finds what has happened meanwhile.
type WatchMark struct{ ent.Schema }

// Mixin of the table.
func (WatchMark) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (WatchMark) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("cluster_id", uuid.UUID{}).Immutable(),
		field.String("uid").Immutable(),   // of the object
		field.String("event").Immutable(), // that it is the mark of: rolled-out, or condition with its type and status
		field.String("state"),             // that the object had then
		field.Time("seen_at"),             // when it had
	}
}

// Edges of the table.
func (WatchMark) Edges() []ent.Edge {
	return []ent.Edge{edge.To("cluster", Cluster.Type).Field("cluster_id").Unique().Required().Immutable()}
}

// Indexes of the table.
func (WatchMark) Indexes() []ent.Index {
	return []ent.Index{unique("cluster_id", "uid", "event"), index.Fields("seen_at")}
}
