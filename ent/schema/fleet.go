package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Cluster is a Kubernetes cluster and the identity of its agent.
type Cluster struct{ ent.Schema }

// Mixin of the table.
func (Cluster) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Cluster) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty(),
		field.String("uid").Default(""),
		field.Bytes("public_key").Optional(),
		field.Time("enrolled_at").Optional().Nillable(),
		field.Time("key_since").Optional().Nillable(), // when that key was registered
		field.Bytes("next_key").Optional(),            // a second key that is as good, until it is used and takes the other's place
		field.Bool("rotation_asked").Default(false),   // a person wants the agent to take another key
		field.Bool("revoked").Default(false),
		field.Time("revoked_at").Optional().Nillable(),
		field.Text("revoked_reason").Default(""),
		field.Int64("nonce_mark").Default(0), // when the last nonce that was spent had been issued
		field.Int64("session_epoch").Default(0),
		field.String("gateway").Default(""),
		field.Bool("connected").Default(false),
		field.Time("connected_at").Optional().Nillable(),
		field.Time("last_seen_at").Optional().Nillable(),
		field.Time("returned_at").Optional().Nillable(), // when its agent connected after it had not been heard for long
		field.String("agent_version").Default(""),
		field.String("kubernetes_version").Default(""),
		field.String("runner_delivery").Default(""),
		field.Strings("namespaces").Optional(),
		field.Strings("rules").Optional(),                                // what the agent allows, in its own words
		field.UUID("catalog_team_id", uuid.UUID{}).Optional().Nillable(), // owns the documents that its agent brings
		field.String("catalog_kinds").Default("tests"),                   // of those documents: none, tests or all
		field.Int("max_runs").Default(0),                                 // under way there at once; 0 for as many as the agent takes
		field.Time("drained_at").Optional().Nillable(),                   // since when nothing begins there
		field.Text("drained_reason").Default(""),
		field.String("drained_by").Default(""),
		field.UUID("examine_id", uuid.UUID{}).Optional().Nillable(),  // names what its agent was asked for last: to look at itself
		field.Time("examine_asked_at").Optional().Nillable(),         // when that was
		field.UUID("examined_id", uuid.UUID{}).Optional().Nillable(), // what of that its agent has answered last
		field.Time("examined_at").Optional().Nillable(),              // when it did
		field.Bytes("examined").Optional(),                           // the answer, as JSON
	}
}

// Indexes of the table.
func (Cluster) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// BootstrapToken enrols the agent of one cluster, once.
type BootstrapToken struct{ ent.Schema }

// Mixin of the table.
func (BootstrapToken) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (BootstrapToken) Fields() []ent.Field {
	return []ent.Field{
		ref("cluster"),
		field.Bytes("hash").Immutable().Sensitive(),
		field.Time("expires_at"),
		field.Time("used_at").Optional().Nillable(),
		field.Bytes("used_key").Optional(), // the key it was spent for; the same key may ask again
	}
}

// Edges of the table.
func (BootstrapToken) Edges() []ent.Edge { return []ent.Edge{parent("cluster", Cluster.Type)} }

// Indexes of the table. A bearer is found by its hash alone.
func (BootstrapToken) Indexes() []ent.Index {
	return []ent.Index{unique("hash"), index.Fields("hash")}
}

// Environment is a namespace of a cluster under a name.
type Environment struct{ ent.Schema }

// Mixin of the table.
func (Environment) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Runs keep the names of the cluster and the namespace in which they were.
func (Environment) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("cluster_id", uuid.UUID{}),
		field.String("name").NotEmpty(),
		field.String("namespace").NotEmpty(),
		field.UUID("team_id", uuid.UUID{}).Optional().Nillable(), // owns it; null for one that no team has taken
		field.JSON("labels", map[string]string{}).Optional(),
		field.Text("description").Default(""),
		field.String("tier").Default(""),
		field.String("digest").Default(""), // of the document that describes it, which is its source; empty without one
		field.Text("source").Default(""),
		removed(),
	}
}

// Edges of the table.
func (Environment) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("cluster", Cluster.Type).Field("cluster_id").Unique().Required(), edge.To("team", Team.Type).Field("team_id").Unique(),
	}
}

// Indexes of the table.
func (Environment) Indexes() []ent.Index {
	return []ent.Index{unique("name"), index.Fields("cluster_id")}
}

// AgentCommand is sent to the agent of a cluster until it acknowledges it. An attempt has at most one of each kind, and of those that
// resume it at most one for each step.
type AgentCommand struct{ ent.Schema }

// Mixin of the table.
func (AgentCommand) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (AgentCommand) Fields() []ent.Field {
	return []ent.Field{
		ref("cluster"),
		ref("attempt"),
		field.String("kind").Immutable(),
		field.Int("step").Default(-1).Immutable(), // of those that resume, else -1
		field.String("state").Default("queued"),   // queued, sent, done or dead
		field.String("reason").Default("").Immutable(),
		field.String("verdict").Default("").Immutable(), // of those that resume: how the step ends; empty for one that waits for a person
		field.String("answer").Default(""),
		field.Int64("sent_epoch").Default(0),
		field.Time("sent_at").Optional().Nillable(),
		field.Time("expires_at").Optional().Nillable(),
		field.Int("tries").Default(0),
		field.Int64("turn").Default(0).Immutable(), // order among start commands, the least first: see execution.Turn
	}
}

// Edges of the table.
func (AgentCommand) Edges() []ent.Edge {
	return []ent.Edge{parent("cluster", Cluster.Type), parent("attempt", Attempt.Type)}
}

// Indexes of the table.
func (AgentCommand) Indexes() []ent.Index {
	return []ent.Index{unique("attempt_id", "kind", "step"), index.Fields("cluster_id", "state", "turn")}
}
