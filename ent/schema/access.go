package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// IdentityProvider is a server whose word on who somebody is an organization takes.
type IdentityProvider struct{ ent.Schema }

// Mixin of the table.
func (IdentityProvider) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (IdentityProvider) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().Immutable(), // stands in addresses
		field.String("issuer").NotEmpty(),
		field.String("client_id").NotEmpty(),
		field.Bytes("client_secret").Optional().Sensitive(), // sealed; empty for a public client
		field.Strings("domains").Optional(),                 // of e-mail addresses that it speaks for; all when empty
		field.Strings("scopes").Optional(),                  // asked for beside those of OpenID Connect
		field.String("groups_claim").Default(""),
		field.JSON("teams", json.RawMessage{}).Optional(), // tenant.Mapping of each: group to team
		field.JSON("roles", json.RawMessage{}).Optional(), // tenant.Mapping of each: group to role
		field.String("default_role").Default(""),          // of those whom no group gives one; empty: only who was invited
		field.String("default_team").Default(""),          // of those whom no group gives one
		field.Bool("trust_email").Default(false),          // its e-mail addresses count though it does not say that they are verified
		field.Bool("owners").Default(false),               // it may say who is an owner
	}
}

// Indexes of the table.
func (IdentityProvider) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// MemberIdentity is a member as an identity provider knows the person.
type MemberIdentity struct{ ent.Schema }

// Mixin of the table.
func (MemberIdentity) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (MemberIdentity) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("provider_id", uuid.UUID{}).Immutable(),
		field.UUID("member_id", uuid.UUID{}).Immutable(),
		field.String("issuer").Immutable(), // a provider that is pointed elsewhere knows nobody any more
		field.String("subject").NotEmpty().Immutable(),
		field.String("base_role").Default(""), // of the member when no group gives one; empty for who came by a group alone
		field.Bool("mapped").Default(false),   // the member's role was given by a group
		field.Time("seen_at").Optional().Nillable(),
	}
}

// Edges of the table.
func (MemberIdentity) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("provider", IdentityProvider.Type).Field("provider_id").Unique().Required().Immutable().Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("member", Member.Type).Field("member_id").Unique().Required().Immutable().Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of the table.
func (MemberIdentity) Indexes() []ent.Index {
	return []ent.Index{unique("provider_id", "issuer", "subject"), index.Fields("member_id")}
}

// TrustRule says which tokens of a pipeline's own identity provider are exchanged for a token of a team.
type TrustRule struct{ ent.Schema }

// Mixin of the table.
func (TrustRule) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (TrustRule) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}), // whose tokens it makes
		field.String("name").NotEmpty().Immutable(),
		field.String("issuer").NotEmpty(),
		field.String("audience").NotEmpty(),
		field.JSON("claims", json.RawMessage{}), // tenant.Condition of each
		field.Strings("scopes"),
		field.Strings("workflows").Optional(), // patterns of what its tokens are limited to; all when empty
		field.Strings("environments").Optional(),
		field.Int64("lifetime"), // seconds
		field.String("maker").Default(""),
		field.Time("used_at").Optional().Nillable(),
	}
}

// Edges of the table.
func (TrustRule) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table. Who presents a token says nothing but its issuer.
func (TrustRule) Indexes() []ent.Index { return []ent.Index{unique("name"), index.Fields("issuer")} }
