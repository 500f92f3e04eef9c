package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/seatrial/seatrial/ent/rule"
)

// Organization is the tenant.
type Organization struct{ ent.Schema }

// Mixin of the table.
func (Organization) Mixin() []ent.Mixin { return []ent.Mixin{identified{}} }

// Fields of the table.
func (Organization) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().Unique(),
		field.String("state").Default("active"), // active, suspended or deleting
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
		ref("team"), // the one that tokens made at sign-in belong to
		field.String("email").NotEmpty(),
		field.String("password_hash").Sensitive(),
		field.String("role"),
	}
}

// Edges of the table.
func (Member) Edges() []ent.Edge { return []ent.Edge{parent("team", Team.Type)} }

// Indexes of the table. Sign-in starts from the e-mail address alone.
func (Member) Indexes() []ent.Index {
	return []ent.Index{unique("email"), index.Fields("email")}
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
	}
}

// Edges of the table.
func (APIToken) Edges() []ent.Edge { return []ent.Edge{parent("team", Team.Type)} }

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
	}
}

// Edges of the table.
func (MemberSession) Edges() []ent.Edge { return []ent.Edge{parent("member", Member.Type)} }

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
