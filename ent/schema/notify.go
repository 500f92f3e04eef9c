package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Webhook is where an organization wants to hear of what happens.
type Webhook struct{ ent.Schema }

// Mixin of the table.
func (Webhook) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. The address and the secrets are sealed together: for many receivers the address is a secret by itself.
func (Webhook) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("name").NotEmpty().Immutable(),
		field.String("format"),
		field.String("address"), // as people may see it
		field.Bytes("sealed").Optional(),
		field.Strings("events").Optional(),
		field.Strings("workflows").Optional(), // globs; all when there are none
		field.JSON("labels", map[string]string{}).Optional(),
		field.Strings("environments").Optional(), // globs; all when there are none
		field.Text("template").Default(""),
		field.String("paused_by").Default(""), // a person, or the receiver
		field.Text("paused_because").Default(""),
		field.Time("paused_at").Optional().Nillable(),
		field.Time("rotated_at").Optional().Nillable(), // when it got its newest secret; the one before is used for a time
		field.Int("revision").Default(1),               // of its document
		field.String("digest").Default(""),             // of its document; empty for a webhook that was made by hand
		field.Text("source").Default(""),               // the document
		field.Bool("suspended").Default(false),         // so says the document
		field.Time("removed_at").Optional().Nillable(), // with its document; what is secret is kept for a while, should that come back
	}
}

// Edges of the table.
func (Webhook) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Webhook) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// Notice is something that has happened, written with it in one transaction, until it is known who wants to hear of it.
type Notice struct{ ent.Schema }

// Mixin of the table.
func (Notice) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Notice) Fields() []ent.Field {
	return []ent.Field{
		field.String("kind").Immutable(),
		field.UUID("subject_id", uuid.UUID{}).Immutable(), // the execution or the release
		field.JSON("data", json.RawMessage{}).Optional().Immutable(),
		field.Time("due_at").Optional().Nillable(), // null when its deliveries are made
	}
}

// Indexes of the table.
func (Notice) Indexes() []ent.Index {
	return []ent.Index{index.Fields("due_at"), index.Fields("created_at")}
}

// Delivery is a notice on its way to a webhook. The body is what is sent, byte by byte, however often.
type Delivery struct{ ent.Schema }

// Mixin of the table.
func (Delivery) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Delivery) Fields() []ent.Field {
	return []ent.Field{
		ref("webhook"),
		ref("notice"),
		field.String("event").Immutable(),
		field.String("about").Default("").Immutable(), // one line for people
		field.String("path").Default("").Immutable(),  // after the webhook's address
		field.Bytes("body").Immutable(),
		field.String("state").Default("pending"), // pending, delivered or failed
		field.Int("attempts").Default(0),
		field.Time("begun_at"),                      // from which it is tried for a day
		field.Time("next_at").Optional().Nillable(), // null when it is not tried again
		field.Time("leased_until").Optional().Nillable(),
		field.Time("tried_at").Optional().Nillable(),
		field.Int("code").Default(0),     // of the last answer
		field.Int64("took").Default(0),   // until then, in nanoseconds
		field.Bytes("answer").Optional(), // its beginning
		field.Text("error").Default(""),  // why there was none, or it is no success
	}
}

// Edges of the table.
func (Delivery) Edges() []ent.Edge {
	return []ent.Edge{parent("webhook", Webhook.Type), parent("notice", Notice.Type)}
}

// Indexes of the table.
func (Delivery) Indexes() []ent.Index {
	return []ent.Index{unique("webhook_id", "notice_id"), index.Fields("next_at"), index.Fields("webhook_id", "leased_until"), index.Fields("webhook_id", "tried_at"), index.Fields("webhook_id", "id"), index.Fields("created_at"), index.Fields("notice_id")}
}
