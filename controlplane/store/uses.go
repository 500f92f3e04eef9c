package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/store/database"
	record "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/template"
	"github.com/seatrial/seatrial/ent/db/templateuse"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// saveUses stores which templates the new revision of a document uses itself.
func saveUses(ctx context.Context, tx *db.Tx, kind string, org uuid.UUID, r record.Record) error {
	if _, err := tx.TemplateUse.Delete().Where(templateuse.UserKind(kind), templateuse.UserName(r.Name)).Exec(ctx); err != nil {
		return err
	}
	uses := make([]*db.TemplateUseCreate, len(r.Uses))
	for i, name := range r.Uses {
		uses[i] = tx.TemplateUse.Create().SetOrganizationID(org).SetTemplate(name).SetUserKind(kind).SetUserName(r.Name)
	}
	return tx.TemplateUse.CreateBulk(uses...).Exec(ctx)
}

// usedBy returns the names of the templates that a document uses itself.
func (s *Store) usedBy(ctx context.Context, kind, name string) ([]string, error) {
	rows, err := s.db.Read().TemplateUse.Query().Where(templateuse.UserKind(kind), templateuse.UserName(name)).
		Order(templateuse.ByTemplate()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Template
	}
	return names, nil
}

// TemplateUsers returns the workflows and templates that use a template, directly or through others, with their sources.
func (s *Store) TemplateUsers(ctx context.Context, name string) ([]record.Record, error) {
	flows, templates, err := userNames(ctx, s.db.Read(), name)
	if err != nil {
		return nil, database.Fault(err)
	}
	var out []record.Record
	for part := range slices.Chunk(flows, batch) {
		rows, err := s.db.Read().Workflow.Query().Where(workflow.NameIn(part...)).WithTeam().Order(workflow.ByName()).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		revisions, err := s.currentRevisions(ctx, rows, true)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if revision := revisions[row.ID]; revision != nil {
				out = append(out, workflowRecord(row, row.Edges.Team.Name, revision))
			}
		}
	}
	for part := range slices.Chunk(templates, batch) {
		some, err := s.TemplatesNamed(ctx, part)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// userNames returns the names of what uses a template, directly or through others, sorted.
func userNames(ctx context.Context, client *db.Client, name string) (flows, templates []string, err error) {
	for names := []string{name}; len(names) > 0; {
		var next []string
		for part := range slices.Chunk(names, batch) {
			rows, err := client.TemplateUse.Query().Where(templateuse.TemplateIn(part...)).All(ctx)
			if err != nil {
				return nil, nil, err
			}
			for _, row := range rows {
				switch {
				case row.UserKind == document.Workflow:
					flows = append(flows, row.UserName)
				case row.UserName != name && !slices.Contains(templates, row.UserName):
					templates, next = append(templates, row.UserName), append(next, row.UserName)
				}
			}
		}
		names = next
	}
	slices.Sort(flows)
	slices.Sort(templates)
	return slices.Compact(flows), templates, nil
}

// usersOf returns the current revisions of what uses a template, directly or through others.
func usersOf(ctx context.Context, client *db.Client, name string) ([]record.Ref, error) {
	flows, templates, err := userNames(ctx, client, name)
	if err != nil {
		return nil, err
	}
	var refs []record.Ref
	for part := range slices.Chunk(flows, batch) {
		rows, err := client.Workflow.Query().Where(workflow.NameIn(part...)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			refs = append(refs, record.Ref{Kind: document.Workflow, Name: row.Name, Revision: row.Revision})
		}
	}
	for part := range slices.Chunk(templates, batch) {
		rows, err := client.Template.Query().Where(template.NameIn(part...)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			refs = append(refs, record.Ref{Kind: document.TemplateKind, Name: row.Name, Revision: row.Revision})
		}
	}
	return refs, nil
}
