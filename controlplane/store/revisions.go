package store

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	record "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/template"
	"github.com/seatrial/seatrial/ent/db/templaterevision"
	"github.com/seatrial/seatrial/ent/db/workflow"
	"github.com/seatrial/seatrial/ent/db/workflowrevision"
)

// Revisions lists those of a workflow or template, the newest first, without their sources.
func (s *Store) Revisions(ctx context.Context, kind, name string, size int, after string) (list []record.Revision, next string, err error) {
	place, more, err := decodeCursor[int](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	switch kind {
	case document.Workflow:
		list, err = s.workflowRevisions(ctx, name, size+1, place, more)
	case document.TemplateKind:
		list, err = s.templateRevisions(ctx, name, size+1, place, more)
	default:
		return nil, "", fault.New(fault.Invalid, "documents of kind %q have no revisions here", kind).WithField("kind").
			WithHint("Those of %s and %s have.", document.Workflow, document.TemplateKind)
	}
	if err != nil {
		return nil, "", err
	}
	return cut(list, size, func(r record.Revision) int { return r.Number })
}

func (s *Store) workflowRevisions(ctx context.Context, name string, limit, before int, more bool) ([]record.Revision, error) {
	row, err := s.db.Read().Workflow.Query().Where(workflow.Name(name)).Only(ctx)
	if err != nil {
		return nil, noDocument(err, "workflow", name)
	}
	q := s.db.Read().WorkflowRevision.Query().Where(workflowrevision.WorkflowID(row.ID)).Order(db.Desc(workflowrevision.FieldNumber)).Limit(limit)
	if more {
		q = q.Where(workflowrevision.NumberLT(before))
	}
	q.Select(workflowrevision.FieldNumber, workflowrevision.FieldDigest, workflowrevision.FieldCreatedAt)
	rows, err := q.All(ctx)
	out := make([]record.Revision, len(rows))
	for i, r := range rows {
		out[i] = record.Revision{Number: r.Number, Digest: r.Digest, CreatedAt: r.CreatedAt.UTC(), Current: r.Number == row.Revision}
	}
	return out, database.Fault(err)
}

func (s *Store) templateRevisions(ctx context.Context, name string, limit, before int, more bool) ([]record.Revision, error) {
	row, err := s.db.Read().Template.Query().Where(template.Name(name)).Only(ctx)
	if err != nil {
		return nil, noDocument(err, "template", name)
	}
	q := s.db.Read().TemplateRevision.Query().Where(templaterevision.TemplateID(row.ID)).Order(db.Desc(templaterevision.FieldNumber)).Limit(limit)
	if more {
		q = q.Where(templaterevision.NumberLT(before))
	}
	q.Select(templaterevision.FieldNumber, templaterevision.FieldDigest, templaterevision.FieldCreatedAt)
	rows, err := q.All(ctx)
	out := make([]record.Revision, len(rows))
	for i, r := range rows {
		out[i] = record.Revision{Number: r.Number, Digest: r.Digest, CreatedAt: r.CreatedAt.UTC(), Current: r.Number == row.Revision}
	}
	return out, database.Fault(err)
}

// Revision returns one with its source; number 0 stands for the current one.
func (s *Store) Revision(ctx context.Context, kind, name string, number int) (record.Revision, error) {
	switch kind {
	case document.Workflow:
		row, err := s.db.Read().Workflow.Query().Where(workflow.Name(name)).Only(ctx)
		if err != nil {
			return record.Revision{}, noDocument(err, "workflow", name)
		}
		if number == 0 {
			number = row.Revision
		}
		r, err := s.db.Read().WorkflowRevision.Query().Where(workflowrevision.WorkflowID(row.ID), workflowrevision.Number(number)).Only(ctx)
		if err != nil {
			return record.Revision{}, noRevision(err, name, number, row.Revision)
		}
		return record.Revision{Number: r.Number, Digest: r.Digest, CreatedAt: r.CreatedAt.UTC(), Source: r.Source, Current: r.Number == row.Revision}, nil
	case document.TemplateKind:
		row, err := s.db.Read().Template.Query().Where(template.Name(name)).Only(ctx)
		if err != nil {
			return record.Revision{}, noDocument(err, "template", name)
		}
		if number == 0 {
			number = row.Revision
		}
		r, err := s.db.Read().TemplateRevision.Query().Where(templaterevision.TemplateID(row.ID), templaterevision.Number(number)).Only(ctx)
		if err != nil {
			return record.Revision{}, noRevision(err, name, number, row.Revision)
		}
		return record.Revision{Number: r.Number, Digest: r.Digest, CreatedAt: r.CreatedAt.UTC(), Source: r.Source, Current: r.Number == row.Revision}, nil
	}
	return record.Revision{}, fault.New(fault.Invalid, "documents of kind %q have no revisions here", kind).WithField("kind")
}

func noDocument(err error, what, name string) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound, "there is no %s %q", what, name).WithHint("List what there is with: seatrial get %ss.", what)
	}
	return database.Fault(err)
}

func noRevision(err error, name string, number, newest int) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound, "%s has no revision %d; the newest is %d", name, number, newest).WithField("number")
	}
	return database.Fault(err)
}
