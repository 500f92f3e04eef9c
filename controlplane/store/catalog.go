package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	record "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/team"
	"github.com/seatrial/seatrial/ent/db/workflow"
	"github.com/seatrial/seatrial/ent/db/workflowrevision"
)

// ApplyWorkflow creates the workflow or makes a new revision when the digest differs.
func (s *Store) ApplyWorkflow(ctx context.Context, w record.Record, owner string) (rec record.Record, created, changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		created, changed = false, false
		if err := s.mustBeCurrent(ctx, tx, w.Checked); err != nil {
			return err
		}
		row, err := locked(s, tx.Workflow.Query().Where(workflow.Name(w.Name))).Only(ctx)
		if err != nil && !db.IsNotFound(err) {
			return err
		}
		if err := s.own(ctx, tx, document.Workflow, w.Name, row != nil && row.RemovedAt == nil); err != nil {
			return err
		}
		switch row {
		case nil:
			created, changed = true, true
			rec, err = s.createWorkflow(ctx, tx, w, owner)
			if database.Unique(err) {
				return takenFirst(ctx, w.Name)
			}
		default:
			created = row.RemovedAt != nil
			if row, err = returnWorkflow(ctx, tx, row, owner); err != nil {
				return err
			}
			if err = mayChange(ctx, tx, row.TeamID, "workflow "+row.Name); err == nil {
				rec, changed, err = s.reviseWorkflow(ctx, tx, row, w)
			}
			if err == nil && created && !changed { // it comes back as it was, and uses its templates again
				changed, err = true, saveUses(ctx, tx, document.Workflow, row.OrganizationID, w)
			}
		}
		if err != nil || !changed {
			return err
		}
		return s.notedRevision(ctx, tx, "workflow", rec)
	})
	return rec, created, changed, err
}

func (s *Store) createWorkflow(ctx context.Context, tx *db.Tx, w record.Record, owner string) (record.Record, error) {
	t, err := teamFor(ctx, tx.Team.Query(), owner)
	if err != nil {
		return record.Record{}, err
	}
	row, err := tx.Workflow.Create().SetOrganizationID(t.OrganizationID).SetTeamID(t.ID).SetName(w.Name).SetLabels(w.Labels).
		SetDescription(clean(w.Description)).Save(ctx)
	if err != nil {
		return record.Record{}, err
	}
	revision, err := addRevision(ctx, tx, row, w)
	if err != nil {
		return record.Record{}, err
	}
	if err := s.sayStarts(ctx, tx, row, w.Triggers); err != nil {
		return record.Record{}, err
	}
	return workflowRecord(row, t.Name, revision), nil
}

// returnWorkflow puts a workflow that was removed into the catalog again: it belongs to whoever brings it back.
func returnWorkflow(ctx context.Context, tx *db.Tx, row *db.Workflow, owner string) (*db.Workflow, error) {
	if row.RemovedAt == nil {
		return row, nil
	}
	t, err := teamFor(ctx, tx.Team.Query(), owner)
	if err != nil {
		return nil, err
	}
	return row.Update().ClearRemovedAt().SetTeamID(t.ID).Save(ctx)
}

func (s *Store) reviseWorkflow(ctx context.Context, tx *db.Tx, row *db.Workflow, w record.Record) (rec record.Record, changed bool, err error) {
	owner, err := row.QueryTeam().Only(ctx)
	if err != nil {
		return rec, false, err
	}
	revision, err := tx.WorkflowRevision.Query().
		Where(workflowrevision.WorkflowID(row.ID), workflowrevision.Number(row.Revision)).Only(ctx)
	if err != nil {
		return rec, false, err
	}
	if err := s.sayStarts(ctx, tx, row, w.Triggers); err != nil { // a template may have brought others
		return rec, false, err
	}
	if revision.Digest == w.Digest {
		return workflowRecord(row, owner.Name, revision), false, nil
	}
	row, err = row.Update().AddRevision(1).SetLabels(w.Labels).SetDescription(clean(w.Description)).Save(ctx)
	if err != nil {
		return rec, false, err
	}
	revision, err = addRevision(ctx, tx, row, w)
	if err != nil {
		return rec, false, err
	}
	return workflowRecord(row, owner.Name, revision), true, nil
}

func addRevision(ctx context.Context, tx *db.Tx, row *db.Workflow, w record.Record) (*db.WorkflowRevision, error) {
	if err := saveUses(ctx, tx, document.Workflow, row.OrganizationID, w); err != nil {
		return nil, err
	}
	return tx.WorkflowRevision.Create().SetOrganizationID(row.OrganizationID).SetWorkflowID(row.ID).SetNumber(row.Revision).
		SetDigest(w.Digest).SetSource(w.Source).Save(ctx)
}

// teamFor finds a team by name. Without a name it is the viewer's, or the only one there is.
func teamFor(ctx context.Context, q *db.TeamQuery, name string) (*db.Team, error) {
	v, _ := tenant.FromContext(ctx)
	switch {
	case name != "":
		q = q.Where(team.Name(name))
	case v.Team != uuid.Nil:
		q = q.Where(team.ID(v.Team))
	}
	found, err := q.Limit(2).All(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 1 && !v.Acts(found[0].ID):
		return nil, fault.New(fault.Forbidden, "%s is not in the team %s", v.Name, found[0].Name).WithField("team").
			WithHint("Name a team of your own, or ask an admin.")
	case len(found) == 1:
		return found[0], nil
	case name != "":
		return nil, fault.New(fault.NotFound, "there is no team %q", name).WithField("team")
	default:
		return nil, fault.New(fault.Invalid, "the team is not said").WithField("team").WithHint("Name the team that owns it.")
	}
}

// mayChange returns fault.Forbidden when the viewer does not act for the team that owns something.
func mayChange(ctx context.Context, tx *db.Tx, owner uuid.UUID, what string) error {
	v, _ := tenant.FromContext(ctx)
	if v.Acts(owner) {
		return nil
	}
	row, err := tx.Team.Query().Where(team.ID(owner)).Only(ctx)
	if err != nil {
		return err
	}
	return fault.New(fault.Forbidden, "the %s belongs to the team %s, which %s is not in", what, row.Name, v.Name).
		WithHint("Ask a maintainer of the team %s, or an admin of the organization.", row.Name)
}

// Workflow returns a workflow with its source.
func (s *Store) Workflow(ctx context.Context, name string) (record.Record, error) {
	row, err := s.db.Read().Workflow.Query().Where(workflow.Name(name)).WithTeam().Only(ctx)
	if db.IsNotFound(err) {
		return record.Record{}, fault.New(fault.NotFound, "there is no workflow %q", name).
			WithHint("List what there is with: seatrial get workflows.")
	}
	if err != nil {
		return record.Record{}, database.Fault(err)
	}
	revision, err := s.db.Read().WorkflowRevision.Query().
		Where(workflowrevision.WorkflowID(row.ID), workflowrevision.Number(row.Revision)).Only(ctx)
	if err != nil {
		return record.Record{}, database.Fault(err)
	}
	rec := workflowRecord(row, row.Edges.Team.Name, revision)
	if rec.Uses, err = s.usedBy(ctx, document.Workflow, name); err != nil {
		return rec, err
	}
	rec.Origin, err = s.ownerOf(ctx, document.Workflow, name)
	return rec, err
}

// currentRevisions reads the revisions of a page, with their sources or without.
func (s *Store) currentRevisions(ctx context.Context, rows []*db.Workflow, sources bool) (map[uuid.UUID]*db.WorkflowRevision, error) {
	wanted := make([]predicate.WorkflowRevision, 0, len(rows))
	for _, row := range rows {
		wanted = append(wanted, workflowrevision.And(workflowrevision.WorkflowID(row.ID), workflowrevision.Number(row.Revision)))
	}
	out := make(map[uuid.UUID]*db.WorkflowRevision, len(rows))
	if len(wanted) == 0 {
		return out, nil
	}
	q := s.db.Read().WorkflowRevision.Query().Where(workflowrevision.Or(wanted...))
	if !sources {
		q.Select(workflowrevision.FieldID, workflowrevision.FieldWorkflowID, workflowrevision.FieldNumber, workflowrevision.FieldDigest)
	}
	found, err := q.All(ctx)
	for _, revision := range found {
		out[revision.WorkflowID] = revision
	}
	return out, database.Fault(err)
}

func workflowRecord(w *db.Workflow, owner string, r *db.WorkflowRevision) record.Record {
	if w == nil || r == nil {
		return record.Record{}
	}
	return record.Record{
		ID: w.ID, Kind: document.Workflow, Name: w.Name, Team: owner, TeamID: w.TeamID, Restricted: w.Restricted, Labels: w.Labels, Description: w.Description,
		RevisionID: r.ID, Revision: r.Number, Digest: r.Digest, Source: r.Source, UpdatedAt: w.UpdatedAt.UTC(),
		RemovedAt: timeOf(w.RemovedAt),
	}
}

// WorkflowsLabelled returns the names of the workflows that have all of some labels.
func (s *Store) WorkflowsLabelled(ctx context.Context, labels map[string]string) ([]string, error) {
	rows, err := s.db.Read().Workflow.Query().Where(workflow.RemovedAtIsNil()).Select(workflow.FieldName, workflow.FieldLabels).Order(workflow.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	var names []string
	for _, row := range rows {
		if has(row.Labels, labels) {
			names = append(names, row.Name)
		}
	}
	return names, nil
}
