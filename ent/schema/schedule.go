package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Schedule starts workflows at times: a document of its own, or what a workflow says of itself.
type Schedule struct{ ent.Schema }

// Mixin of the table.
func (Schedule) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. NextDue is the next due time; NextAt is when it is started, which jitter puts off. Both are null while nothing is
// to be started.
func (Schedule) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("name").NotEmpty().Immutable(),
		field.String("workflow").Default("").Immutable(), // that says so itself; empty for a document of its own
		field.JSON("labels", map[string]string{}).Optional(),
		field.Int("revision").Default(1),
		field.String("digest"),
		field.Text("source").Default(""), // the document; empty for what a workflow says
		field.Bytes("spec"),              // JSON of document.ScheduleSpec
		field.String("suspended_by").Default(""),
		field.Time("suspended_at").Optional().Nillable(), // by a person, which outlives changes of the document
		field.Time("removed_at").Optional().Nillable(),
		field.Time("next_due").Optional().Nillable(),
		field.Time("next_at").Optional().Nillable(),
	}
}

// Edges of the table.
func (Schedule) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Schedule) Indexes() []ent.Index {
	return []ent.Index{unique("name"), index.Fields("next_at"), index.Fields("organization_id", "workflow")}
}

// Firing is what became of one due time of a schedule. That there is one for each is what makes a due time start once, however many
// replicas look.
type Firing struct{ ent.Schema }

// Mixin of the table.
func (Firing) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Firing) Fields() []ent.Field {
	return []ent.Field{
		ref("schedule"),
		field.Time("due").Immutable(),
		field.Time("planned").Immutable(),                // due, put off by jitter
		field.String("actor").Default("").Immutable(),    // who started it by hand; empty for one that was due
		field.String("state"),                            // claimed, started, failed or missed
		field.Text("reason").Default(""),                 // why it was missed or has failed
		field.Bytes("starts").Optional(),                 // JSON of []schedule.Start
		field.Time("fired_at").Optional().Nillable(),     // when its executions were accepted
		field.Time("leased_until").Optional().Nillable(), // by the replica that starts them
	}
}

// Edges of the table.
func (Firing) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("schedule", Schedule.Type).Field("schedule_id").Unique().Required().Immutable(),
	}
}

// Indexes of the table.
func (Firing) Indexes() []ent.Index {
	return []ent.Index{unique("schedule_id", "due"), index.Fields("state", "leased_until"), index.Fields("created_at")}
}
