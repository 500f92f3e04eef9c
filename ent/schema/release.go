package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// ReadinessPolicy is what a release must show, as data.
type ReadinessPolicy struct{ ent.Schema }

// Mixin of the table.
func (ReadinessPolicy) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Revision is the number of the current revision.
func (ReadinessPolicy) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("name").NotEmpty().Immutable(),
		field.JSON("labels", map[string]string{}).Optional(),
		field.String("description").Default(""),
		field.Int("revision").Default(1),
		removed(),
	}
}

// Edges of the table.
func (ReadinessPolicy) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (ReadinessPolicy) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// ReadinessPolicyRevision is one immutable version of a readiness policy.
type ReadinessPolicyRevision struct{ ent.Schema }

// Mixin of the table.
func (ReadinessPolicyRevision) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (ReadinessPolicyRevision) Fields() []ent.Field {
	return []ent.Field{
		ref("policy"),
		field.Int("number").Immutable(),
		field.String("digest").Immutable(),
		field.Text("source").Immutable(),
	}
}

// Edges of the table.
func (ReadinessPolicyRevision) Edges() []ent.Edge {
	return []ent.Edge{parent("policy", ReadinessPolicy.Type)}
}

// Indexes of the table.
func (ReadinessPolicyRevision) Indexes() []ent.Index {
	return []ent.Index{unique("policy_id", "number")}
}

// Release is a version of an application with what it has to show. Policy and cells are frozen when it is created: neither the catalog
// nor the policy moves its verdict afterwards.
type Release struct{ ent.Schema }

// Mixin of the table.
func (Release) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Release) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("application").NotEmpty().Immutable(),
		field.String("version").NotEmpty().Immutable(),
		field.String("commit").Default("").Immutable(),
		field.JSON("images", json.RawMessage{}).Optional().Immutable(), // release.Image of each
		field.Strings("targets").Optional().Immutable(),
		field.String("actor").Immutable(),
		field.JSON("policy", json.RawMessage{}).Immutable(), // verdict.Policy
		field.String("policy_name").Immutable(),
		field.Int("policy_revision").Immutable(),
		field.String("policy_digest").Immutable(),
		field.JSON("cells", json.RawMessage{}).Immutable(), // release.Cell of each: what is required where
		field.String("state").Default("INCOMPLETE"),
		field.Int("changes").Default(0),                     // of the state, the first one included
		field.JSON("verdict", json.RawMessage{}).Optional(), // verdict.Output of the last decision
		field.Time("decided_at").Optional().Nillable(),
		field.Int("arrivals").Default(0),             // how often something has come in
		field.Int("judged").Default(0),               // how many of them the verdict knows for sure
		field.Time("stale_at").Optional().Nillable(), // when the first came in that it does not know; null when it knows all
		field.Text("cause").Default(""),              // what those were
	}
}

// Edges of the table.
func (Release) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Release) Indexes() []ent.Index {
	return []ent.Index{
		unique("application", "version"),
		index.Fields("organization_id", "id"),
		index.Fields("stale_at"),
	}
}

// ReleaseExecution says that an execution is evidence for a release.
type ReleaseExecution struct{ ent.Schema }

// Mixin of the table.
func (ReleaseExecution) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (ReleaseExecution) Fields() []ent.Field {
	return []ent.Field{
		ref("release"),
		ref("execution"),
		field.String("reason").Immutable(), // asked when its trigger named the release, observed when it ran against the images of it
	}
}

// Edges of the table.
func (ReleaseExecution) Edges() []ent.Edge {
	return []ent.Edge{parent("release", Release.Type), parent("execution", Execution.Type)}
}

// Indexes of the table.
func (ReleaseExecution) Indexes() []ent.Index {
	return []ent.Index{unique("release_id", "execution_id"), index.Fields("execution_id")}
}

// ReleaseChange is one change of the verdict on a release, with its cause.
type ReleaseChange struct{ ent.Schema }

// Mixin of the table.
func (ReleaseChange) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (ReleaseChange) Fields() []ent.Field {
	return []ent.Field{
		ref("release"),
		field.Int("number").Immutable(),
		field.String("before").Immutable(), // empty for the first
		field.String("after").Immutable(),
		field.Text("cause").Immutable(),
		field.JSON("blockers", json.RawMessage{}).Optional(), // release.Blocker of each that has kept it from being ready while it was in this state
	}
}

// Edges of the table.
func (ReleaseChange) Edges() []ent.Edge { return []ent.Edge{parent("release", Release.Type)} }

// Indexes of the table.
func (ReleaseChange) Indexes() []ent.Index {
	return []ent.Index{unique("release_id", "number"), index.Fields("organization_id", "id")}
}

// Waiver is an exception from a rule for a release, asked for by one person and approved by others.
type Waiver struct{ ent.Schema }

// Mixin of the table.
func (Waiver) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. What is empty narrows nothing.
func (Waiver) Fields() []ent.Field {
	return []ent.Field{
		ref("release"),
		field.String("rule").Immutable(),
		field.String("environment").Default("").Immutable(),
		field.String("suite").Default("").Immutable(),
		field.String("test").Default("").Immutable(), // its key
		field.Text("test_name").Default("").Immutable(),
		field.String("variant").Default("").Immutable(),
		field.String("fingerprint").Default("").Immutable(),
		field.Text("reason").Immutable(),
		field.String("requester").Immutable(),
		field.Time("expires_at").Immutable(),
		field.JSON("approvals", json.RawMessage{}).Optional(), // verdict.Approval of each
		field.String("revoked_by").Default(""),
		field.Time("revoked_at").Optional().Nillable(),
	}
}

// Edges of the table.
func (Waiver) Edges() []ent.Edge { return []ent.Edge{parent("release", Release.Type)} }

// Indexes of the table.
func (Waiver) Indexes() []ent.Index { return []ent.Index{index.Fields("release_id")} }

// Snapshot is a release as it was when somebody shared it: whoever has the link reads it, until it expires or is revoked.
type Snapshot struct{ ent.Schema }

// Mixin of the table.
func (Snapshot) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Snapshot) Fields() []ent.Field {
	return []ent.Field{
		ref("release"),
		field.String("state").Immutable(), // the verdict that it shows
		field.String("maker").Immutable(), // who shared it
		field.Bytes("hash").Immutable().Sensitive(),
		field.Bytes("content").Immutable(), // the report in JSON, compressed by zstd
		field.Time("expires_at").Immutable(),
		field.String("revoked_by").Default(""),
		field.Time("revoked_at").Optional().Nillable(),
		field.Time("opened_at").Optional().Nillable(), // last, to the hour
	}
}

// Edges of the table.
func (Snapshot) Edges() []ent.Edge { return []ent.Edge{parent("release", Release.Type)} }

// Indexes of the table. A link says nothing but its secret.
func (Snapshot) Indexes() []ent.Index {
	return []ent.Index{unique("hash"), index.Fields("hash"), index.Fields("release_id")}
}
