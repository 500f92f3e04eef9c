package store

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/logstream"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/run"
)

// Quota returns what the viewer's organization may use.
func (s *Store) Quota(ctx context.Context) (tenant.Quota, error) {
	v, _ := tenant.FromContext(ctx)
	row, err := s.db.Read().Organization.Query().Where(organization.ID(v.Organization)).Only(ctx)
	if err != nil {
		return tenant.Quota{}, missing(err, "organization", v.Organization)
	}
	return s.quotaOf(row), nil
}

func (s *Store) quotaOf(row *db.Organization) tenant.Quota {
	return tenant.Quota{
		Runs: row.QuotaRuns, Queued: row.QuotaQueued, LogBytes: row.QuotaLogBytes, Clusters: row.QuotaClusters, Calls: row.QuotaCalls,
	}.Or(s.quota)
}

// SetQuota gives an organization quotas of its own; those of the instance are for what is zero. It runs as system.
func (s *Store) SetQuota(ctx context.Context, org tenant.ID, q tenant.Quota) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Organization.UpdateOneID(org).SetQuotaRuns(q.Runs).SetQuotaQueued(q.Queued).SetQuotaLogBytes(q.LogBytes).
			SetQuotaClusters(q.Clusters).SetQuotaCalls(q.Calls).Save(ctx)
		if err != nil {
			return err
		}
		return s.notedOrganization(ctx, tx, row)
	})
}

// busy are the statuses of runs that have a place in a cluster.
func busy() []string {
	return []string{string(execution.Assigned), string(execution.Pending), string(execution.Running), string(execution.Paused)}
}

// Use returns what the viewer's organization uses. Calls of the API are not kept.
func (s *Store) Use(ctx context.Context) (use tenant.Quota, err error) {
	client := s.db.Read()
	count := func(into *int64, n int, failed error) {
		if err == nil {
			*into, err = int64(n), database.Fault(failed)
		}
	}
	n, failed := client.Run.Query().Where(run.StatusIn(busy()...)).Count(ctx)
	count(&use.Runs, n, failed)
	n, failed = client.Run.Query().Where(run.Status(string(execution.Queued))).Count(ctx)
	count(&use.Queued, n, failed)
	n, failed = client.Cluster.Query().Count(ctx)
	count(&use.Clusters, n, failed)
	if err != nil {
		return use, err
	}
	use.LogBytes, err = s.logBytes(ctx)
	return use, err
}

// logBytes sums the logs that have begun today. Their ids sort by time, so no more than today's rows are looked at.
func (s *Store) logBytes(ctx context.Context) (int64, error) {
	var sums []struct{ Sum *int64 }
	err := s.db.Read().LogStream.Query().Where(logstream.IDGTE(firstID(s.now().Truncate(24*time.Hour)))).
		Aggregate(db.As(db.Sum(logstream.FieldCommitted), "sum")).Scan(ctx, &sums)
	if err != nil || len(sums) == 0 || sums[0].Sum == nil {
		return 0, database.Fault(err)
	}
	return *sums[0].Sum, nil
}

// mayEnroll returns fault.Exhausted when the organization has as many clusters as it may.
func (s *Store) mayEnroll(ctx context.Context, tx *db.Tx, org tenant.ID) error {
	row, err := tx.Organization.Query().Where(organization.ID(org)).Only(ctx)
	if db.IsNotFound(err) {
		return nil // an organization without a row has no quota either
	}
	if err != nil {
		return err
	}
	most := s.quotaOf(row).Clusters
	if most == 0 {
		return nil
	}
	n, err := tx.Cluster.Query().Where(cluster.OrganizationID(org)).Count(ctx)
	if err == nil && int64(n) >= most {
		return fault.New(fault.Exhausted, "the organization may have %d clusters, and has them", most).
			WithHint("Whoever runs this control plane can raise it.")
	}
	return err
}
