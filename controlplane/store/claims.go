package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	record "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/claim"
	"github.com/seatrial/seatrial/ent/db/environment"
	"github.com/seatrial/seatrial/ent/db/readinesspolicy"
	"github.com/seatrial/seatrial/ent/db/schedule"
	"github.com/seatrial/seatrial/ent/db/template"
	"github.com/seatrial/seatrial/ent/db/templateuse"
	"github.com/seatrial/seatrial/ent/db/trigger"
	"github.com/seatrial/seatrial/ent/db/webhook"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// own lets a name of the catalog be changed by its owner alone: an origin, or people when none has it. The origin on whose behalf a
// document is applied becomes the owner of a name that is free. There says that the catalog has a document of that name.
func (s *Store) own(ctx context.Context, tx *db.Tx, kind, name string, there bool) error {
	by, applying := origin.From(ctx)
	row, err := locked(s, tx.Claim.Query().Where(claim.Kind(kind), claim.Name(name), claim.Owns(true))).Only(ctx)
	switch {
	case err == nil && applying && row.ID == by.Claim:
		return nil
	case err == nil:
		whose := originOf(row).String()
		return &fault.Error{
			Kind: fault.Forbidden, Err: origin.ErrTaken, Message: kind + " " + name + " is kept in the " + whose,
			Hint: "Change it there, or give this one another name.",
		}
	case !db.IsNotFound(err):
		return err
	case !applying:
		return nil
	case there && !by.Adopt:
		return &fault.Error{
			Kind: fault.Forbidden, Err: origin.ErrTaken, Message: kind + " " + name + " was applied by hand",
			Hint: "Let this one take it over with the annotation " + origin.AdoptAnnotation + `: "true", or give it another name.`,
		}
	}
	n, err := tx.Claim.Update().Where(claim.ID(by.Claim)).SetOwns(true).Save(ctx)
	switch {
	case database.Unique(err):
		return database.ErrRetry // another origin was first
	case err == nil && n == 0:
		return fault.New(fault.Conflict, "the document is gone meanwhile")
	}
	return err
}

// SeeClaim stores what an origin has, and returns the claim as it is then.
func (s *Store) SeeClaim(ctx context.Context, c origin.Claim) (seen origin.Claim, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Claim.Query().Where(claim.Kind(c.Kind), claim.Name(c.Name), claim.Origin(c.Origin.Key()))).Only(ctx)
		switch {
		case db.IsNotFound(err):
			v, _ := tenant.FromContext(ctx)
			row, err = tx.Claim.Create().SetOrganizationID(v.Organization).SetKind(c.Kind).SetName(c.Name).SetOrigin(c.Origin.Key()).
				SetNillableClusterID(given(c.Origin.Cluster)).SetNamespace(c.Origin.Namespace).SetNillableRepositoryID(given(c.Origin.Repository)).
				SetPlace(c.Origin.Place).SetPath(c.Path).SetLine(c.Line).SetUID(c.UID).SetGeneration(c.Generation).SetDigest(c.Digest).
				SetSource(c.Source).SetAdopt(c.Adopt).SetReason(string(origin.Waiting)).Save(ctx)
			if database.Unique(err) {
				return database.ErrRetry
			}
		case err == nil:
			up := row.Update().SetPlace(c.Origin.Place).SetPath(c.Path).SetLine(c.Line).SetUID(c.UID).SetGeneration(c.Generation).
				SetDigest(c.Digest).SetSource(c.Source).SetAdopt(c.Adopt)
			if row.UID != c.UID { // another object of the same name
				up.ClearExecutionID()
			}
			row, err = up.Save(ctx)
		}
		if err != nil {
			return err
		}
		seen = claimRecord(row)
		return nil
	})
	return seen, err
}

// SettleClaim stores what became of a claim.
func (s *Store) SettleClaim(ctx context.Context, c origin.Claim) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Claim.Update().Where(claim.ID(c.ID)).SetReason(string(c.Reason)).SetMessage(clean(c.Message)).SetRevision(c.Revision).
			SetNillableExecutionID(given(c.Execution)).Exec(ctx)
	})
}

// Claims returns those of a cluster or a repository without their sources, by kind and name.
func (s *Store) Claims(ctx context.Context, of uuid.UUID) ([]origin.Claim, error) {
	rows, err := s.db.Read().Claim.Query().Where(claim.Or(claim.ClusterID(of), claim.RepositoryID(of))).Order(claim.ByKind(), claim.ByName()).
		Select(slices.DeleteFunc(slices.Clone(claim.Columns), func(c string) bool { return c == claim.FieldSource })...).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]origin.Claim, len(rows))
	for i, row := range rows {
		out[i] = claimRecord(row)
	}
	return out, nil
}

// DropClaim forgets a document that its origin does not have any more. When it owned its name, the document leaves the catalog, and the
// claim that has waited longest for the name is returned with its source. A template that something uses stays, for people to remove. With
// keep the document stays, too, as one that was applied by hand.
func (s *Store) DropClaim(ctx context.Context, id uuid.UUID, keep bool) (next *origin.Claim, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		next = nil
		row, err := locked(s, tx.Claim.Query().Where(claim.ID(id))).Only(ctx)
		if db.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.Claim.DeleteOne(row).Exec(ctx); err != nil || !row.Owns {
			return err
		}
		waiting, err := locked(s, tx.Claim.Query().Where(claim.Kind(row.Kind), claim.Name(row.Name)).Order(claim.ByCreatedAt(), claim.ByID()).Limit(1)).All(ctx)
		if err != nil {
			return err
		}
		if len(waiting) > 0 {
			c := claimRecord(waiting[0])
			next = &c
		}
		if keep {
			return nil
		}
		gone, err := s.removeDocument(ctx, tx, row.Kind, row.Name)
		if err != nil || !gone {
			return err
		}
		audit.Of(ctx).Detail("origin", originOf(row).String())
		return s.noted(ctx, tx, audit.Object{Kind: row.Kind, Name: row.Name})
	})
	return next, err
}

// removeDocument takes a document out of the catalog. What refers to it, and its revisions, stay.
func (s *Store) removeDocument(ctx context.Context, tx *db.Tx, kind, name string) (gone bool, err error) {
	n := 0
	switch kind {
	case document.ScheduleKind:
		n, err = tx.Schedule.Update().Where(schedule.Name(name), schedule.RemovedAtIsNil()).SetRemovedAt(s.now()).ClearNextDue().ClearNextAt().Save(ctx)
	case document.TriggerKind:
		n, err = tx.Trigger.Update().Where(trigger.Name(name), trigger.RemovedAtIsNil()).SetRemovedAt(s.now()).Save(ctx)
	case document.WebhookKind:
		n, err = tx.Webhook.Update().Where(webhook.Name(name), webhook.RemovedAtIsNil()).SetRemovedAt(s.now()).Save(ctx)
	case document.Workflow:
		if err := tx.Trigger.Update().Where(trigger.Workflow(name), trigger.RemovedAtIsNil()).SetRemovedAt(s.now()).Exec(ctx); err != nil {
			return false, err
		}
		if err := tx.Schedule.Update().Where(schedule.Workflow(name), schedule.RemovedAtIsNil()).SetRemovedAt(s.now()).ClearNextDue().ClearNextAt().
			Exec(ctx); err != nil {
			return false, err
		}
		n, err = tx.Workflow.Update().Where(workflow.Name(name), workflow.RemovedAtIsNil()).SetRemovedAt(s.now()).Save(ctx)
	case document.TemplateKind:
		flows, templates, err := userNames(ctx, tx.Client(), name)
		if err != nil || len(flows)+len(templates) > 0 {
			return false, err
		}
		n, err = tx.Template.Update().Where(template.Name(name), template.RemovedAtIsNil()).SetRemovedAt(s.now()).Save(ctx)
		if err != nil {
			return false, err
		}
	case document.ReadinessPolicyKind:
		n, err = tx.ReadinessPolicy.Update().Where(readinesspolicy.Name(name), readinesspolicy.RemovedAtIsNil()).SetRemovedAt(s.now()).Save(ctx)
	case document.EnvironmentKind:
		n, err = tx.Environment.Update().Where(environment.Name(name), environment.RemovedAtIsNil()).SetRemovedAt(s.now()).Save(ctx)
	}
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.TemplateUse.Delete().Where(templateuse.UserKind(kind), templateuse.UserName(name)).Exec(ctx)
	return true, err
}

// Owner returns the origin that a document of the catalog is kept in, nil when it is applied by hand.
func (s *Store) Owner(ctx context.Context, kind, name string) (*origin.Origin, error) {
	row, err := s.db.Read().Claim.Query().Where(claim.Kind(kind), claim.Name(name), claim.Owns(true)).Only(ctx)
	if db.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nobody, which is no error
	}
	if err != nil {
		return nil, database.Fault(err)
	}
	o := originOf(row)
	return &o, nil
}

func (s *Store) ownerOf(ctx context.Context, kind, name string) (string, error) {
	o, err := s.Owner(ctx, kind, name)
	if o == nil {
		return "", err
	}
	return o.String(), err
}

// withOwners says of each document of a page where it is kept.
func (s *Store) withOwners(ctx context.Context, kind string, list []record.Record) error {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.Name
	}
	owners, err := s.owners(ctx, kind, names)
	for i := range list {
		list[i].Origin = owners[list[i].Name]
	}
	return err
}

func (s *Store) owners(ctx context.Context, kind string, names []string) (map[string]string, error) {
	out := map[string]string{}
	for part := range slices.Chunk(names, batch) {
		rows, err := s.db.Read().Claim.Query().Where(claim.Kind(kind), claim.NameIn(part...), claim.Owns(true)).
			Select(claim.FieldName, claim.FieldClusterID, claim.FieldNamespace, claim.FieldRepositoryID, claim.FieldPlace).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, row := range rows {
			out[row.Name] = originOf(row).String()
		}
	}
	return out, nil
}

// ownersOf returns who has the names of claims, by their kinds and names.
func (s *Store) ownersOf(ctx context.Context, claims []origin.Claim) (map[origin.Ref]string, error) {
	out := map[origin.Ref]string{}
	byKind := map[string][]string{}
	for _, c := range claims {
		byKind[c.Kind] = append(byKind[c.Kind], c.Name)
	}
	for kind, names := range byKind {
		found, err := s.owners(ctx, kind, names)
		if err != nil {
			return nil, err
		}
		for name, owner := range found {
			out[origin.Ref{Kind: kind, Name: name}] = owner
		}
	}
	return out, nil
}

func originOf(row *db.Claim) origin.Origin {
	o := origin.Origin{Namespace: row.Namespace, Place: row.Place}
	if row.ClusterID != nil {
		o.Cluster = *row.ClusterID
	}
	if row.RepositoryID != nil {
		o.Repository = *row.RepositoryID
	}
	return o
}

func claimRecord(row *db.Claim) origin.Claim {
	c := origin.Claim{
		ID: row.ID, Kind: row.Kind, Name: row.Name, Origin: originOf(row), Path: row.Path, Line: row.Line, UID: row.UID,
		Generation: row.Generation, Digest: row.Digest, Source: row.Source, Adopt: row.Adopt, Owns: row.Owns, Reason: origin.Reason(row.Reason),
		Message: row.Message, Revision: row.Revision, CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
	if row.ExecutionID != nil {
		c.Execution = *row.ExecutionID
	}
	return c
}

// given is a nullable column of an id.
func given(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// AllClaims returns those of an organization without their sources, by kind and name, the owner of a name first; at most limit.
func (s *Store) AllClaims(ctx context.Context, limit int) ([]origin.Claim, error) {
	rows, err := s.db.Read().Claim.Query().Order(claim.ByKind(), claim.ByName(), db.Desc(claim.FieldOwns), claim.ByCreatedAt()).Limit(limit).
		Select(slices.DeleteFunc(slices.Clone(claim.Columns), func(c string) bool { return c == claim.FieldSource })...).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]origin.Claim, len(rows))
	for i, row := range rows {
		out[i] = claimRecord(row)
	}
	return out, nil
}
