package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Receiver is an address to which a forge or another system sends its events. Its secret is a setting.
type Receiver struct{ ent.Schema }

// Mixin of the table.
func (Receiver) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Receiver) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("name").NotEmpty().Immutable(),
		field.String("kind").Immutable(), // who sends: see trigger.Kinds
		field.Time("removed_at").Optional().Nillable(),
		field.Time("heard_at").Optional().Nillable(), // when something came last whose signature was right
		field.Time("refused_at").Optional().Nillable(),
		field.String("refused").Default(""), // why that was
	}
}

// Edges of the table.
func (Receiver) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Receiver) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// Deployment is a deployment that a forge holds back until it hears whether the release is ready for where it goes.
type Deployment struct{ ent.Schema }

// Mixin of the table.
func (Deployment) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Deployment) Fields() []ent.Field {
	return []ent.Field{
		ref("receiver"),
		field.String("key").Immutable(), // of the message: the same when it is sent again
		field.String("repository").Immutable(),
		field.String("environment").Immutable(), // as the forge writes it
		field.String("target").Immutable(),      // of releases that go there
		field.String("commit").Immutable(),
		field.String("callback").Immutable(), // where the answer goes
		field.Int64("installation").Immutable(),
		field.String("actor").Default("").Immutable(),
		field.String("state").Default("waiting"), // waiting, approved, rejected or failed
		field.Text("said").Default(""),           // to the forge, last
		field.Int("reports").Default(0),          // how many times something was said that decides nothing
		field.Int("attempts").Default(0),         // that have failed since something was said
		field.Text("error").Default(""),          // why the last one did
		field.Time("next_at").Optional().Nillable(),
		field.Time("leased_until").Optional().Nillable(),
		field.Time("answered_at").Optional().Nillable(),
	}
}

// Edges of the table.
func (Deployment) Edges() []ent.Edge { return []ent.Edge{parent("receiver", Receiver.Type)} }

// Indexes of the table.
func (Deployment) Indexes() []ent.Index {
	return []ent.Index{unique("receiver_id", "key"), index.Fields("next_at"), index.Fields("leased_until"), index.Fields("organization_id", "commit"), index.Fields("organization_id", "id"), index.Fields("created_at")}
}

// Trigger starts workflows when something happens: a document of its own, or what a workflow says of itself.
type Trigger struct{ ent.Schema }

// Mixin of the table.
func (Trigger) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Trigger) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("name").NotEmpty().Immutable(),
		field.String("workflow").Default("").Immutable(), // that says so itself; empty for a document of its own
		field.JSON("labels", map[string]string{}).Optional(),
		field.Int("revision").Default(1),
		field.String("digest"),
		field.Text("source").Default(""), // the document; empty for what a workflow says
		field.Bytes("spec"),              // JSON of document.TriggerSpec
		field.String("kind"),             // of the events that it is for
		field.String("subject"),          // what they have to be about: a repository, a workflow, a receiver; empty for any
		field.String("suspended_by").Default(""),
		field.Time("suspended_at").Optional().Nillable(),
		field.Time("removed_at").Optional().Nillable(),
	}
}

// Edges of the table.
func (Trigger) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Trigger) Indexes() []ent.Index {
	return []ent.Index{unique("name"), index.Fields("organization_id", "kind", "subject"), index.Fields("organization_id", "workflow")}
}

// Event is something that has happened. The same is stored once, however often it is told.
type Event struct{ ent.Schema }

// Mixin of the table.
func (Event) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Event) Fields() []ent.Field {
	return []ent.Field{
		field.String("kind").Immutable(),
		field.String("source").Immutable(),  // the receiver, or the part of Seatrial that tells
		field.String("type").Immutable(),    // in the words of the source, such as push
		field.String("subject").Immutable(), // what it is about
		field.String("key").Immutable(),     // the same for the same event
		field.Bytes("data").Immutable(),     // JSON of what triggers look at
		field.String("state"),               // new, or judged
		field.Text("reason").Default(""),    // why nothing was started
		field.Bytes("passed").Optional(),    // JSON of the triggers that were looked at and why they did not match
		field.Time("leased_until").Optional().Nillable(),
	}
}

// Indexes of the table.
func (Event) Indexes() []ent.Index {
	return []ent.Index{unique("key"), index.Fields("organization_id", "id"), index.Fields("organization_id", "subject", "id"), index.Fields("state", "leased_until"), index.Fields("created_at")}
}

// Reaction is what a trigger has done about an event.
type Reaction struct{ ent.Schema }

// Mixin of the table.
func (Reaction) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Reaction) Fields() []ent.Field {
	return []ent.Field{
		ref("event"),
		ref("trigger"),
		field.String("state"),             // see trigger.State
		field.Time("due"),                 // when it is started; while it is probing, when that has taken too long
		field.String("about").Default(""), // a later reaction of the trigger about the same takes the place of one that waits
		field.Text("reason").Default(""),  // why nothing was started
		field.Bytes("params").Optional(),  // JSON of the values that the event gives
		field.Bytes("starts").Optional(),  // JSON of []starter.Started
		field.Time("fired_at").Optional().Nillable(),
		field.Time("leased_until").Optional().Nillable(),
		field.UUID("cluster_id", uuid.UUID{}).Optional().Nillable().Immutable(), // where the event was; null for one of no cluster
	}
}

// Edges of the table.
func (Reaction) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("event", Event.Type).Field("event_id").Unique().Required().Immutable(),
		edge.To("trigger", Trigger.Type).Field("trigger_id").Unique().Required().Immutable(),
	}
}

// Indexes of the table.
func (Reaction) Indexes() []ent.Index {
	return []ent.Index{unique("event_id", "trigger_id"), index.Fields("event_id"), index.Fields("state", "due"), index.Fields("trigger_id")}
}
