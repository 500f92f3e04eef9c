package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Workflow is an entry of the catalog.
type Workflow struct{ ent.Schema }

// Mixin of the table.
func (Workflow) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Revision is the number of the current revision.
func (Workflow) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("team_id", uuid.UUID{}),
		field.String("name").NotEmpty().Immutable(),
		field.JSON("labels", map[string]string{}).Optional(),
		field.String("description").Default(""),
		field.Int("revision").Default(1),
		field.Bool("restricted").Default(false), // only its team may run it
		removed(),
	}
}

// Edges of the table.
func (Workflow) Edges() []ent.Edge { return []ent.Edge{owner()} }

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

// Template is what workflows of the catalog build upon.
type Template struct{ ent.Schema }

// Mixin of the table.
func (Template) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Revision is the number of the current revision.
func (Template) Fields() []ent.Field {
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
func (Template) Edges() []ent.Edge { return []ent.Edge{owner()} }

// Indexes of the table.
func (Template) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// TemplateRevision is one immutable version of a template.
type TemplateRevision struct{ ent.Schema }

// Mixin of the table.
func (TemplateRevision) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (TemplateRevision) Fields() []ent.Field {
	return []ent.Field{
		ref("template"),
		field.Int("number").Immutable(),
		field.String("digest").Immutable(),
		field.Text("source").Immutable(),
	}
}

// Edges of the table.
func (TemplateRevision) Edges() []ent.Edge { return []ent.Edge{parent("template", Template.Type)} }

// Indexes of the table.
func (TemplateRevision) Indexes() []ent.Index { return []ent.Index{unique("template_id", "number")} }

// TemplateUse says that the current revision of a workflow or template uses a template itself. Names never change.
type TemplateUse struct{ ent.Schema }

// Mixin of the table.
func (TemplateUse) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (TemplateUse) Fields() []ent.Field {
	return []ent.Field{
		field.String("template").Immutable(),
		field.String("user_kind").Immutable(), // of the document that uses it
		field.String("user_name").Immutable(),
	}
}

// Indexes of the table.
func (TemplateUse) Indexes() []ent.Index {
	return []ent.Index{unique("user_kind", "user_name", "template"), index.Fields("organization_id", "template")}
}
