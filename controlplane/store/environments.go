package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/environment"
)

// Environments lists by name.
func (s *Store) Environments(ctx context.Context) ([]record.Environment, error) {
	rows, err := s.db.Read().Environment.Query().Where(environment.RemovedAtIsNil()).WithCluster().WithTeam().Order(environment.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.Environment, len(rows))
	for i, row := range rows {
		out[i] = environmentRecord(row)
	}
	return out, nil
}

// ApplyEnvironment creates the environment, or changes it when the digest differs. What runs already stays where it is.
func (s *Store) ApplyEnvironment(ctx context.Context, e record.Environment) (stored record.Environment, created, changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Environment.Query().Where(environment.Name(e.Name))).Only(ctx)
		if err != nil && !db.IsNotFound(err) {
			return err
		}
		if err := s.own(ctx, tx, document.EnvironmentKind, e.Name, row != nil && row.RemovedAt == nil && row.Digest != ""); err != nil {
			return err
		}
		switch {
		case row == nil:
			created, changed = true, true
			v, _ := tenant.FromContext(ctx)
			c := tx.Environment.Create().SetOrganizationID(v.Organization).SetName(e.Name).SetClusterID(e.ClusterID).SetNamespace(e.Namespace).
				SetLabels(e.Labels).SetTier(e.Tier).SetDescription(clean(e.Description)).SetDigest(e.Digest).SetSource(e.Source)
			if v.Team != uuid.Nil {
				c = c.SetTeamID(v.Team)
			}
			row, err = c.Save(ctx)
			if database.Unique(err) {
				err = takenFirst(ctx, e.Name)
			}
		case row.Digest == e.Digest && row.ClusterID == e.ClusterID && row.RemovedAt == nil:
			created, changed = false, false
		default:
			created, changed = row.RemovedAt != nil, true
			if row.TeamID != nil { // whoever may apply documents may change one that no team has taken
				if err := mayChange(ctx, tx, *row.TeamID, "environment "+row.Name); err != nil {
					return err
				}
			}
			row, err = row.Update().ClearRemovedAt().SetClusterID(e.ClusterID).SetNamespace(e.Namespace).SetLabels(e.Labels).SetTier(e.Tier).
				SetDescription(clean(e.Description)).SetDigest(e.Digest).SetSource(e.Source).Save(ctx)
		}
		if err != nil {
			return err
		}
		stored = environmentRecord(row)
		stored.ClusterName = e.ClusterName
		if !changed {
			return nil
		}
		audit.Of(ctx).Detail("digest", row.Digest)
		return s.noted(ctx, tx, audit.Object{Kind: "environment", ID: row.ID.String(), Name: row.Name})
	})
	return stored, created, changed, err
}
