package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
)

// Workflow is an entry of the catalog.
type Workflow struct{ ent.Schema }

// Mixin of the table.
func (Workflow) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Revision is the number of the current revision.
func (Workflow) Fields() []ent.Field {
	return []ent.Field{
		ref("team"),
		field.String("name").NotEmpty().Immutable(),
		field.JSON("labels", map[string]string{}).Optional(),
		field.String("description").Default(""),
		field.Int("revision").Default(1),
	}
}

// Edges of the table.
func (Workflow) Edges() []ent.Edge { return []ent.Edge{parent("team", Team.Type)} }

// Indexes of the table.
func (Workflow) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// WorkflowRevision is one immutable version of a workflow.
type WorkflowRevision struct{ ent.Schema }

// Mixin of the table.
func (WorkflowRevision) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (WorkflowRevision) Fields() []ent.Field {
	return []ent.Field{
		ref("workflow"),
		field.Int("number").Immutable(),
		field.String("digest").Immutable(),
		field.Text("source").Immutable(),
	}
}

// Edges of the table.
func (WorkflowRevision) Edges() []ent.Edge { return []ent.Edge{parent("workflow", Workflow.Type)} }

// Indexes of the table.
func (WorkflowRevision) Indexes() []ent.Index { return []ent.Index{unique("workflow_id", "number")} }
