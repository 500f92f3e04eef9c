package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	record "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/template"
	"github.com/seatrial/seatrial/ent/db/templaterevision"
)

// ApplyTemplate creates the template or makes a new revision when the digest differs.
//
// Whoever applies a document first locks the rows of the templates that it builds upon, and of itself when it is one, in the order of
// their names. So what uses a template cannot change while the template does, and the other way round.
func (s *Store) ApplyTemplate(ctx context.Context, t record.Record, users []record.Ref, owner string) (rec record.Record, created, changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		created, changed = false, false
		row, err := s.lockTemplates(ctx, tx, t)
		if err != nil {
			return err
		}
		if err := s.own(ctx, tx, document.TemplateKind, t.Name, row != nil && row.RemovedAt == nil); err != nil {
			return err
		}
		now, err := usersOf(ctx, tx.Client(), t.Name)
		if err != nil {
			return err
		}
		if !sameRefs(now, users) {
			return fault.New(fault.Conflict, "what uses the template %s has changed meanwhile", t.Name).WithHint("Apply it again.")
		}
		if row == nil {
			created, changed = true, true
			rec, err = createTemplate(ctx, tx, t, owner)
			if database.Unique(err) {
				return takenFirst(ctx, t.Name)
			}
			if err != nil {
				return err
			}
			return s.notedRevision(ctx, tx, "template", rec)
		}
		created = row.RemovedAt != nil
		if row, err = returnTemplate(ctx, tx, row, owner); err != nil {
			return err
		}
		if err := mayChange(ctx, tx, row.TeamID, "template "+row.Name); err != nil {
			return err
		}
		rec, changed, err = reviseTemplate(ctx, tx, row, t)
		if err == nil && created && !changed { // it comes back as it was, and uses its templates again
			changed, err = true, saveUses(ctx, tx, document.TemplateKind, row.OrganizationID, t)
		}
		if err != nil || !changed {
			return err
		}
		return s.notedRevision(ctx, tx, "template", rec)
	})
	return rec, created, changed, err
}

// lockTemplates locks a template, nil when there is none yet, and those that it was checked with, which must be as they were then.
func (s *Store) lockTemplates(ctx context.Context, tx *db.Tx, t record.Record) (*db.Template, error) {
	rows, err := s.lockNamed(ctx, tx, append(namesOf(t.Checked), t.Name))
	if err != nil {
		return nil, err
	}
	if err := current(rows, t.Checked); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(rows, func(row *db.Template) bool { return row.Name == t.Name }); i >= 0 {
		return rows[i], nil
	}
	return nil, nil //nolint:nilnil // there is none yet, which is no error
}

// mustBeCurrent locks the templates that a document was checked with, and fails unless they are as they were then.
func (s *Store) mustBeCurrent(ctx context.Context, tx *db.Tx, checked []record.Ref) error {
	if len(checked) == 0 {
		return nil
	}
	rows, err := s.lockNamed(ctx, tx, namesOf(checked))
	if err != nil {
		return err
	}
	return current(rows, checked)
}

func (s *Store) lockNamed(ctx context.Context, tx *db.Tx, names []string) ([]*db.Template, error) {
	return locked(s, tx.Template.Query().Where(template.NameIn(names...)).Order(template.ByName())).All(ctx)
}

func current(rows []*db.Template, checked []record.Ref) error {
	for _, ref := range checked {
		if !slices.ContainsFunc(rows, func(row *db.Template) bool {
			return row.Name == ref.Name && row.Revision == ref.Revision && row.RemovedAt == nil
		}) {
			return fault.New(fault.Conflict, "the template %s has changed meanwhile", ref.Name).WithHint("Apply it again.")
		}
	}
	return nil
}

func namesOf(refs []record.Ref) []string {
	names := make([]string, len(refs))
	for i, ref := range refs {
		names[i] = ref.Name
	}
	return names
}

// sameRefs compares without regard to order.
func sameRefs(a, b []record.Ref) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(ref record.Ref) bool { return !slices.Contains(b, ref) })
}

func createTemplate(ctx context.Context, tx *db.Tx, t record.Record, owner string) (record.Record, error) {
	team, err := teamFor(ctx, tx.Team.Query(), owner)
	if err != nil {
		return record.Record{}, err
	}
	row, err := tx.Template.Create().SetOrganizationID(team.OrganizationID).SetTeamID(team.ID).SetName(t.Name).SetLabels(t.Labels).
		SetDescription(clean(t.Description)).Save(ctx)
	if err != nil {
		return record.Record{}, err
	}
	revision, err := addTemplateRevision(ctx, tx, row, t)
	return templateRecord(row, team.Name, revision), err
}

// returnTemplate puts a template that was removed into the catalog again: it belongs to whoever brings it back.
func returnTemplate(ctx context.Context, tx *db.Tx, row *db.Template, owner string) (*db.Template, error) {
	if row.RemovedAt == nil {
		return row, nil
	}
	t, err := teamFor(ctx, tx.Team.Query(), owner)
	if err != nil {
		return nil, err
	}
	return row.Update().ClearRemovedAt().SetTeamID(t.ID).Save(ctx)
}

func reviseTemplate(ctx context.Context, tx *db.Tx, row *db.Template, t record.Record) (rec record.Record, changed bool, err error) {
	owner, err := row.QueryTeam().Only(ctx)
	if err != nil {
		return rec, false, err
	}
	revision, err := tx.TemplateRevision.Query().
		Where(templaterevision.TemplateID(row.ID), templaterevision.Number(row.Revision)).Only(ctx)
	if err != nil || revision.Digest == t.Digest {
		return templateRecord(row, owner.Name, revision), false, err
	}
	row, err = row.Update().AddRevision(1).SetLabels(t.Labels).SetDescription(clean(t.Description)).Save(ctx)
	if err != nil {
		return rec, false, err
	}
	revision, err = addTemplateRevision(ctx, tx, row, t)
	return templateRecord(row, owner.Name, revision), true, err
}

func addTemplateRevision(ctx context.Context, tx *db.Tx, row *db.Template, t record.Record) (*db.TemplateRevision, error) {
	if err := saveUses(ctx, tx, document.TemplateKind, row.OrganizationID, t); err != nil {
		return nil, err
	}
	return tx.TemplateRevision.Create().SetOrganizationID(row.OrganizationID).SetTemplateID(row.ID).SetNumber(row.Revision).
		SetDigest(t.Digest).SetSource(t.Source).Save(ctx)
}

// Template returns a template with its source.
func (s *Store) Template(ctx context.Context, name string) (record.Record, error) {
	found, err := s.TemplatesNamed(ctx, []string{name})
	switch {
	case err != nil:
		return record.Record{}, err
	case len(found) == 0:
		return record.Record{}, fault.New(fault.NotFound, "there is no template %q", name).
			WithHint("List what there is with: seatrial get templates.")
	}
	if found[0].Uses, err = s.usedBy(ctx, document.TemplateKind, name); err != nil {
		return found[0], err
	}
	found[0].Origin, err = s.ownerOf(ctx, document.TemplateKind, name)
	return found[0], err
}

// TemplatesNamed returns those templates that exist, with their sources.
func (s *Store) TemplatesNamed(ctx context.Context, names []string) ([]record.Record, error) {
	rows, err := s.db.Read().Template.Query().Where(template.NameIn(names...), template.RemovedAtIsNil()).WithTeam().Order(template.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	return s.templateRecords(ctx, rows, true)
}

// Templates lists by name without sources.
func (s *Store) Templates(ctx context.Context, size int, after string) (list []record.Record, next string, err error) {
	place, more, err := decodeCursor[string](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Template.Query().Where(template.RemovedAtIsNil()).WithTeam().Order(template.ByName()).Limit(size + 1)
	if more {
		q = q.Where(template.NameGT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	rows, next, err = cut(rows, size, func(t *db.Template) string { return t.Name })
	if err != nil {
		return nil, "", err
	}
	if list, err = s.templateRecords(ctx, rows, false); err != nil {
		return nil, "", err
	}
	return list, next, s.withOwners(ctx, document.TemplateKind, list)
}

// templateRecords reads the current revisions of a page. A template that is changed meanwhile is left out by neither query: revisions
// are never removed.
func (s *Store) templateRecords(ctx context.Context, rows []*db.Template, sources bool) ([]record.Record, error) {
	wanted := make([]predicate.TemplateRevision, 0, len(rows))
	for _, row := range rows {
		wanted = append(wanted, templaterevision.And(templaterevision.TemplateID(row.ID), templaterevision.Number(row.Revision)))
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	q := s.db.Read().TemplateRevision.Query().Where(templaterevision.Or(wanted...))
	if !sources {
		q.Select(templaterevision.FieldID, templaterevision.FieldTemplateID, templaterevision.FieldNumber, templaterevision.FieldDigest)
	}
	found, err := q.All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	byTemplate := make(map[uuid.UUID]*db.TemplateRevision, len(found))
	for _, revision := range found {
		byTemplate[revision.TemplateID] = revision
	}
	out := make([]record.Record, 0, len(rows))
	for _, row := range rows {
		if revision := byTemplate[row.ID]; revision != nil {
			out = append(out, templateRecord(row, row.Edges.Team.Name, revision))
		}
	}
	return out, nil
}

func templateRecord(t *db.Template, owner string, r *db.TemplateRevision) record.Record {
	if t == nil || r == nil {
		return record.Record{}
	}
	return record.Record{
		ID: t.ID, Kind: document.TemplateKind, Name: t.Name, Team: owner, Labels: t.Labels, Description: t.Description,
		RevisionID: r.ID, Revision: r.Number, Digest: r.Digest, Source: r.Source, UpdatedAt: t.UpdatedAt.UTC(),
	}
}
