package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ent/rule"
)

// chained gives a table the organization whose chain of audit entries a row belongs to. It is no foreign key: what concerns the instance
// has the id zero, and that an organization was deleted is recorded after it is gone.
type chained struct{ identified }

// Fields of the mixin.
func (chained) Fields() []ent.Field {
	return append(identified{}.Fields(), field.UUID("organization_id", uuid.UUID{}).Immutable())
}

// Policy of the mixin.
func (chained) Policy() ent.Policy { return rule.Owned() }

// AuditEntry is a line of the audit log. The database itself refuses to change one, and to delete one of an organization that is not
// being deleted.
type AuditEntry struct{ ent.Schema }

// Mixin of the table.
func (AuditEntry) Mixin() []ent.Mixin { return []ent.Mixin{chained{}} }

// Fields of the table.
func (AuditEntry) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("number").Immutable(), // from 1, without a gap, in each organization
		field.String("actor_kind").Immutable(),
		field.UUID("actor_id", uuid.UUID{}).Immutable(),
		field.String("actor_name").Immutable(),
		field.String("actor_person").Default("").Immutable(), // e-mail of the member behind a token
		field.UUID("credential_id", uuid.UUID{}).Immutable(),
		field.String("action").Immutable(),
		field.String("object_kind").Default("").Immutable(),
		field.String("object_id").Default("").Immutable(),
		field.String("object_name").Default("").Immutable(),
		field.String("address").Default("").Immutable(),
		field.String("outcome").Immutable(),
		field.JSON("details", map[string]string{}).Optional().Immutable(),
		field.Bytes("previous").Immutable(),
		field.Bytes("hash").Immutable(),
	}
}

// Indexes of the table.
func (AuditEntry) Indexes() []ent.Index {
	return []ent.Index{unique("number"), index.Fields("organization_id", "action", "number"), index.Fields("organization_id", "actor_name", "number")}
}

// AuditHead is the end of the chain of an organization. Whoever appends an entry locks it.
type AuditHead struct{ ent.Schema }

// Mixin of the table.
func (AuditHead) Mixin() []ent.Mixin { return []ent.Mixin{chained{}} }

// Fields of the table.
func (AuditHead) Fields() []ent.Field {
	return []ent.Field{field.Int64("number").Default(0), field.Bytes("hash")}
}

// Indexes of the table.
func (AuditHead) Indexes() []ent.Index { return []ent.Index{unique()} }
