package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	record "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/readinesspolicy"
	"github.com/seatrial/seatrial/ent/db/readinesspolicyrevision"
)

// ApplyPolicy creates the readiness policy or makes a new revision when the digest differs. Releases keep the revision that they were
// created with.
func (s *Store) ApplyPolicy(ctx context.Context, p record.Record, owner string) (rec record.Record, created, changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		created, changed = false, false
		row, err := locked(s, tx.ReadinessPolicy.Query().Where(readinesspolicy.Name(p.Name))).Only(ctx)
		if err != nil && !db.IsNotFound(err) {
			return err
		}
		if err := s.own(ctx, tx, document.ReadinessPolicyKind, p.Name, row != nil && row.RemovedAt == nil); err != nil {
			return err
		}
		if row == nil {
			created, changed = true, true
			rec, err = createPolicy(ctx, tx, p, owner)
			if database.Unique(err) {
				return takenFirst(ctx, p.Name)
			}
			if err != nil {
				return err
			}
			return s.notedRevision(ctx, tx, "policy", rec)
		}
		created = row.RemovedAt != nil
		if row, err = returnPolicy(ctx, tx, row, owner); err != nil {
			return err
		}
		if err := mayChange(ctx, tx, row.TeamID, "readiness policy "+row.Name); err != nil {
			return err
		}
		rec, changed, err = revisePolicy(ctx, tx, row, p)
		if changed = changed || created; err != nil || !changed {
			return err
		}
		return s.notedRevision(ctx, tx, "policy", rec)
	})
	return rec, created, changed, err
}

func createPolicy(ctx context.Context, tx *db.Tx, p record.Record, owner string) (record.Record, error) {
	team, err := teamFor(ctx, tx.Team.Query(), owner)
	if err != nil {
		return record.Record{}, err
	}
	row, err := tx.ReadinessPolicy.Create().SetOrganizationID(team.OrganizationID).SetTeamID(team.ID).SetName(p.Name).SetLabels(p.Labels).
		SetDescription(clean(p.Description)).Save(ctx)
	if err != nil {
		return record.Record{}, err
	}
	revision, err := addPolicyRevision(ctx, tx, row, p)
	return policyRecord(row, team.Name, revision), err
}

// returnPolicy puts a policy that was removed into the catalog again: it belongs to whoever brings it back.
func returnPolicy(ctx context.Context, tx *db.Tx, row *db.ReadinessPolicy, owner string) (*db.ReadinessPolicy, error) {
	if row.RemovedAt == nil {
		return row, nil
	}
	t, err := teamFor(ctx, tx.Team.Query(), owner)
	if err != nil {
		return nil, err
	}
	return row.Update().ClearRemovedAt().SetTeamID(t.ID).Save(ctx)
}

func revisePolicy(ctx context.Context, tx *db.Tx, row *db.ReadinessPolicy, p record.Record) (rec record.Record, changed bool, err error) {
	owner, err := row.QueryTeam().Only(ctx)
	if err != nil {
		return rec, false, err
	}
	revision, err := tx.ReadinessPolicyRevision.Query().
		Where(readinesspolicyrevision.PolicyID(row.ID), readinesspolicyrevision.Number(row.Revision)).Only(ctx)
	if err != nil || revision.Digest == p.Digest {
		return policyRecord(row, owner.Name, revision), false, err
	}
	row, err = row.Update().AddRevision(1).SetLabels(p.Labels).SetDescription(clean(p.Description)).Save(ctx)
	if err != nil {
		return rec, false, err
	}
	revision, err = addPolicyRevision(ctx, tx, row, p)
	return policyRecord(row, owner.Name, revision), true, err
}

func addPolicyRevision(ctx context.Context, tx *db.Tx, row *db.ReadinessPolicy, p record.Record) (*db.ReadinessPolicyRevision, error) {
	return tx.ReadinessPolicyRevision.Create().SetOrganizationID(row.OrganizationID).SetPolicyID(row.ID).SetNumber(row.Revision).
		SetDigest(p.Digest).SetSource(p.Source).Save(ctx)
}

// Policy returns a readiness policy with its source.
func (s *Store) Policy(ctx context.Context, name string) (record.Record, error) {
	found, err := s.policies(ctx, readinesspolicy.Name(name))
	switch {
	case err != nil:
		return record.Record{}, err
	case len(found) == 0:
		return record.Record{}, fault.New(fault.NotFound, "there is no readiness policy %q", name).
			WithHint("List what there is with: seatrial get policies.")
	}
	return found[0], nil
}

// Policies returns all readiness policies with their sources, by name: an organization has few.
func (s *Store) Policies(ctx context.Context) ([]record.Record, error) { return s.policies(ctx) }

func (s *Store) policies(ctx context.Context, where ...predicate.ReadinessPolicy) ([]record.Record, error) {
	rows, err := s.db.Read().ReadinessPolicy.Query().Where(where...).Where(readinesspolicy.RemovedAtIsNil()).WithTeam().Order(readinesspolicy.ByName()).All(ctx)
	if err != nil || len(rows) == 0 {
		return nil, database.Fault(err)
	}
	wanted := make([]predicate.ReadinessPolicyRevision, len(rows))
	for i, row := range rows {
		wanted[i] = readinesspolicyrevision.And(readinesspolicyrevision.PolicyID(row.ID), readinesspolicyrevision.Number(row.Revision))
	}
	revisions, err := s.db.Read().ReadinessPolicyRevision.Query().Where(readinesspolicyrevision.Or(wanted...)).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	byPolicy := make(map[uuid.UUID]*db.ReadinessPolicyRevision, len(revisions))
	for _, revision := range revisions {
		byPolicy[revision.PolicyID] = revision
	}
	var out []record.Record
	for _, row := range rows {
		if revision := byPolicy[row.ID]; revision != nil {
			out = append(out, policyRecord(row, row.Edges.Team.Name, revision))
		}
	}
	return out, nil
}

func policyRecord(p *db.ReadinessPolicy, owner string, r *db.ReadinessPolicyRevision) record.Record {
	if p == nil || r == nil {
		return record.Record{}
	}
	return record.Record{
		ID: p.ID, Kind: document.ReadinessPolicyKind, Name: p.Name, Team: owner, Labels: p.Labels, Description: p.Description,
		RevisionID: r.ID, Revision: r.Number, Digest: r.Digest, Source: r.Source, UpdatedAt: p.UpdatedAt.UTC(),
	}
}
