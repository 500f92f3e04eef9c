package store

import (
	"context"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	record "github.com/seatrial/seatrial/controlplane/cluster"
	execs "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/claim"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/execution"
)

// overlap is how much of the past is looked at again: what a transaction changed counts from before it was committed.
const overlap = 2 * time.Second

// DocumentStates returns what is known of the documents of a cluster and has changed after a time; zero for all.
func (s *Store) DocumentStates(ctx context.Context, of uuid.UUID, since time.Time) (out origin.States, err error) {
	out.Next = s.now().Add(-overlap)
	claims, err := s.Claims(ctx, of)
	if err != nil {
		return out, err
	}
	last, err := s.lastOf(ctx, claims)
	if err != nil {
		return out, err
	}
	watched, err := s.watchingOf(ctx, claims)
	if err != nil {
		return out, err
	}
	claims = slices.DeleteFunc(claims, func(c origin.Claim) bool {
		row := last[c.ID]
		return !since.IsZero() && !c.UpdatedAt.After(since) && (row == nil || !row.UpdatedAt.After(since)) && !watched[c.ID].since.After(since)
	})
	owners, err := s.ownersOf(ctx, slices.DeleteFunc(slices.Clone(claims), func(c origin.Claim) bool { return c.Owns }))
	if err != nil {
		return out, err
	}
	for _, c := range claims {
		state := origin.State{
			Ref: origin.Ref{Kind: c.Kind, Namespace: c.Origin.Namespace, Name: c.Name}, UID: c.UID, Generation: c.Generation, Digest: c.Digest,
			Reason: c.Reason, Message: c.Message, Revision: c.Revision, Owner: owners[origin.Ref{Kind: c.Kind, Name: c.Name}],
		}
		if row := last[c.ID]; row != nil {
			e := executionRecord(row, nil)
			state.Last = &e
		}
		if is := watched[c.ID].is; is != nil {
			state.Conditions = append(state.Conditions, *is)
		}
		out.States = append(out.States, state)
	}
	return out, nil
}

// lastOf returns the execution of each claim: of a workflow the one that was started last, of a TestExecution the one that it is.
func (s *Store) lastOf(ctx context.Context, claims []origin.Claim) (map[uuid.UUID]*db.Execution, error) {
	flows, ids := map[string]uuid.UUID{}, map[execs.ID]uuid.UUID{}
	var names []string
	var asked []uuid.UUID
	for _, c := range claims {
		switch {
		case c.Kind == document.Workflow && c.Owns:
			flows[c.Name], names = c.ID, append(names, c.Name)
		case c.Execution != uuid.Nil:
			ids[c.Execution], asked = c.ID, append(asked, c.Execution)
		}
	}
	out := map[uuid.UUID]*db.Execution{}
	for part := range slices.Chunk(names, batch) {
		rows, err := s.latest(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out[flows[row.Workflow]] = row
		}
	}
	for part := range slices.Chunk(asked, batch) {
		rows, err := s.db.Read().Execution.Query().Where(execution.IDIn(part...)).All(ctx)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, row := range rows {
			out[ids[row.ID]] = row
		}
	}
	return out, nil
}

// latest returns the execution of each workflow that was started last: one look into the index for each, in one statement.
func (s *Store) latest(ctx context.Context, names []string) ([]*db.Execution, error) {
	v, _ := tenant.FromContext(ctx)
	rows, err := s.db.Read().Execution.Query().Where(func(sel *entsql.Selector) {
		sel.Where(entsql.P(func(b *entsql.Builder) {
			b.WriteString(sel.C(execution.FieldID)).WriteString(" IN (SELECT (SELECT x.id FROM executions AS x WHERE x.organization_id = w.organization_id " +
				"AND x.workflow = w.name ORDER BY x.id DESC LIMIT 1) FROM workflows AS w WHERE w.organization_id = ").Arg(v.Organization).WriteString(" AND w.name IN (")
			for i, name := range names {
				if i > 0 {
					b.Comma()
				}
				b.Arg(name)
			}
			b.WriteString("))")
		}))
	}).All(ctx)
	return rows, database.Fault(err)
}

// CatalogOf returns what the documents are that a cluster's agent brings.
func (s *Store) CatalogOf(ctx context.Context, id record.ID) (record.Catalog, error) {
	row, err := s.db.Read().Cluster.Query().Where(cluster.ID(id)).Only(ctx)
	if err != nil {
		return record.Catalog{}, missing(err, "cluster", id)
	}
	out := record.Catalog{Cluster: row.Name, Kinds: row.CatalogKinds}
	if row.CatalogTeamID != nil {
		out.Team = *row.CatalogTeamID
		return out, nil
	}
	teams, err := s.db.Read().Team.Query().Limit(2).IDs(ctx)
	if len(teams) == 1 {
		out.Team = teams[0]
	}
	return out, database.Fault(err)
}

// SetClusterCatalog says which documents a cluster's agent may bring, and which team owns them. With none the names that the cluster has are
// free: its documents stay as ones that were applied by hand.
func (s *Store) SetClusterCatalog(ctx context.Context, name string, kinds origin.Kinds, team string) error {
	if err := kinds.Check(); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Cluster.Query().Where(cluster.Name(name))).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no cluster %q", name).WithField("name")
		}
		if err != nil {
			return err
		}
		up := row.Update().SetCatalogKinds(string(kinds))
		if team != "" {
			t, err := teamNamed(ctx, tx.Team.Query(), team)
			if err != nil {
				return err
			}
			up.SetCatalogTeamID(t.ID)
			audit.Of(ctx).Detail("team", t.Name)
		}
		if err := up.Exec(ctx); err != nil {
			return err
		}
		if kinds == origin.KindsNone {
			if _, err := tx.Claim.Delete().Where(claim.ClusterID(row.ID)).Exec(ctx); err != nil {
				return err
			}
		}
		audit.Of(ctx).Detail("kinds", string(kinds))
		return s.noted(ctx, tx, audit.Object{Kind: "cluster", ID: row.ID.String(), Name: row.Name})
	})
}
