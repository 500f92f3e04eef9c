package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ent/rule"
)

// Organization is the tenant.
type Organization struct{ ent.Schema }

// Mixin of the table.
func (Organization) Mixin() []ent.Mixin { return []ent.Mixin{identified{}} }

// Fields of the table. A quota of zero is that of the instance.
func (Organization) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().Unique(),
		field.String("state").Default("active"), // active, suspended or deleting
		field.Int64("quota_runs").Default(0),
		field.Int64("quota_queued").Default(0),
		field.Int64("quota_log_bytes").Default(0), // a day
		field.Int64("quota_clusters").Default(0),
		field.Int64("quota_calls").Default(0),       // of the API, a minute
		field.Bool("sso_required").Default(false),   // passwords do not sign in
		field.Bool("sso_break_glass").Default(true), // but those of owners do
		field.String("visibility").Default("all"),   // what members see: all of the organization, or what their teams have
	}
}

// Policy of the table: a viewer sees the own organization only.
func (Organization) Policy() ent.Policy { return rule.Self() }

// Team is a group in an organization. It owns workflows and tokens.
type Team struct{ ent.Schema }

// Mixin of the table.
func (Team) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Team) Fields() []ent.Field { return []ent.Field{field.String("name").NotEmpty()} }

// Indexes of the table.
func (Team) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// Member is a person in an organization.
type Member struct{ ent.Schema }

// Mixin of the table.
func (Member) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Member) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}), // the one that tokens made at sign-in belong to; always one of the member's
		field.String("email").NotEmpty(),
		field.String("name").Default(""),
		field.String("password_hash").Sensitive(),
		field.String("role"),
		field.String("totp_secret").Default("").Sensitive(),
		field.Time("totp_since").Optional().Nillable(),          // null while the secret is not confirmed
		field.Int64("totp_used").Default(0),                     // period of the last code that was used: none is good twice
		field.Strings("recovery_hashes").Optional().Sensitive(), // hex SHA-256 of the recovery codes that are left
	}
}

// Edges of the table.
func (Member) Edges() []ent.Edge {
	return []ent.Edge{owner()}
}

// Indexes of the table. Sign-in starts from the e-mail address alone.
func (Member) Indexes() []ent.Index {
	return []ent.Index{unique("email"), index.Fields("email")}
}

// TeamMember says that a member is in a team. Everybody is in one at least.
type TeamMember struct{ ent.Schema }

// Mixin of the table.
func (TeamMember) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (TeamMember) Fields() []ent.Field { return []ent.Field{ref("team"), ref("member")} }

// Edges of the table.
func (TeamMember) Edges() []ent.Edge {
	return []ent.Edge{parent("team", Team.Type), parent("member", Member.Type)}
}

// Indexes of the table.
func (TeamMember) Indexes() []ent.Index {
	return []ent.Index{unique("member_id", "team_id"), index.Fields("team_id")}
}

// Invitation lets somebody become a member, once. Only the hash of the secret in its link is kept.
type Invitation struct{ ent.Schema }

// Mixin of the table.
func (Invitation) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Invitation) Fields() []ent.Field {
	return []ent.Field{
		ref("team"),
		field.String("email").NotEmpty().Immutable(),
		field.String("role").Immutable(),
		field.String("maker").Immutable(), // who invited
		field.Bytes("hash").Immutable().Sensitive(),
		field.Time("expires_at").Immutable(),
		field.Time("accepted_at").Optional().Nillable(),
		field.Time("withdrawn_at").Optional().Nillable(),
	}
}

// Edges of the table.
func (Invitation) Edges() []ent.Edge { return []ent.Edge{parent("team", Team.Type)} }

// Indexes of the table. A link says nothing but its secret.
func (Invitation) Indexes() []ent.Index {
	return []ent.Index{unique("hash"), index.Fields("hash")}
}

// APIToken is a credential of a team. Only the hash of the secret is kept.
type APIToken struct{ ent.Schema }

// Mixin of the table.
func (APIToken) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (APIToken) Fields() []ent.Field {
	return []ent.Field{
		ref("team"),
		field.String("name").NotEmpty(),
		field.Bytes("hash").Immutable().Sensitive(),
		field.Strings("scopes"),
		field.String("maker").Default("").Immutable(), // e-mail of the member who made it; empty when nobody knows
		field.Time("expires_at").Immutable(),
		field.Time("last_used_at").Optional().Nillable(),
		field.UUID("member_id", uuid.UUID{}).Optional().Nillable().Immutable(), // whom it stands for; null for one of a pipeline
		field.String("hint").Default("").Immutable(),                           // how the secret begins, to tell tokens apart
		field.Strings("workflows").Optional().Immutable(),                      // patterns of what it is limited to; all when empty
		field.Strings("environments").Optional().Immutable(),
		field.Time("revoked_at").Optional().Nillable(),
		field.String("revoker").Default(""),
		field.UUID("rule_id", uuid.UUID{}).Optional().Nillable().Immutable(), // by which a pipeline got it
	}
}

// Edges of the table.
func (APIToken) Edges() []ent.Edge {
	return []ent.Edge{
		parent("team", Team.Type),
		edge.To("rule", TrustRule.Type).Field("rule_id").Unique().Immutable().Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("member", Member.Type).Field("member_id").Unique().Immutable().Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of the table. A bearer is found by its hash alone.
func (APIToken) Indexes() []ent.Index {
	return []ent.Index{unique("hash"), index.Fields("hash")}
}

// MemberSession is a sign-in of a member in a browser. The cookie is a signed token with its id; the row is what makes signing out
// possible.
type MemberSession struct{ ent.Schema }

// Mixin of the table.
func (MemberSession) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (MemberSession) Fields() []ent.Field {
	return []ent.Field{
		ref("member"),
		field.Time("expires_at").Immutable(),
		field.Time("ended_at").Optional().Nillable(),
		field.Time("seen_at").Optional().Nillable(), // when its cookie was last renewed
		field.String("remote").Default(""),          // network address that it was last used from
		field.String("browser").Default(""),         // what the browser called itself at sign-in
	}
}

// Edges of the table.
func (MemberSession) Edges() []ent.Edge { return []ent.Edge{parent("member", Member.Type)} }

// Indexes of the table.
func (MemberSession) Indexes() []ent.Index { return []ent.Index{index.Fields("member_id")} }

// Setting is a value of the whole instance, such as a signing key. It belongs to no organization: only the control plane itself
// may touch it.
type Setting struct{ ent.Schema }

// Fields of the table.
func (Setting) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").NotEmpty().Immutable(),
		field.Time("created_at").Default(now).Immutable(),
		field.Bytes("value").Sensitive(),
	}
}

// Policy of the table.
func (Setting) Policy() ent.Policy { return rule.SystemOnly() }
