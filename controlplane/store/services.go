package store

import (
	"context"
	"slices"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/service"
)

func newServices(tx *db.Tx, org tenant.ID, r record.NewRun) []*db.ServiceCreate {
	rows := make([]*db.ServiceCreate, len(r.Services))
	for i, s := range r.Services {
		rows[i] = tx.Service.Create().SetOrganizationID(org).SetAttemptID(r.AttemptID).SetOrdinal(i).SetName(s.Name).
			SetStatus(string(record.ServiceWaiting)).SetLogWithheld(s.LogWithheld)
	}
	return rows
}

// mergeServices takes over how the services of an attempt stand. A report is a snapshot, so the newest is right, until one has ended.
func mergeServices(ctx context.Context, tx *db.Tx, a *db.Attempt, services []record.Service) error {
	if len(services) == 0 {
		return nil
	}
	rows, err := tx.Service.Query().Where(service.AttemptID(a.ID)).All(ctx)
	if err != nil {
		return err
	}
	for _, reported := range services {
		i := slices.IndexFunc(rows, func(row *db.Service) bool { return row.Name == reported.Name })
		if i < 0 {
			continue // not in the assignment: nothing to keep it under
		}
		if err := mergeService(ctx, rows[i], reported); err != nil {
			return err
		}
	}
	return nil
}

func mergeService(ctx context.Context, row *db.Service, s record.Service) error {
	before := record.ServiceStatus(row.Status)
	if before.Ended() && !s.Status.Ended() || before == record.ServiceFailed {
		return nil
	}
	message := clean(s.Message)
	if row.Status == string(s.Status) && row.Message == message && row.Restarts == s.Restarts && same(row.StartedAt, nullable(s.StartedAt)) &&
		same(row.FinishedAt, nullable(s.FinishedAt)) {
		return nil
	}
	change := row.Update().SetStatus(string(s.Status)).SetMessage(message).SetRestarts(max(s.Restarts, 0)).SetNillableExitCode(s.ExitCode).
		SetNillableStartedAt(nullable(s.StartedAt)).SetNillableFinishedAt(nullable(s.FinishedAt))
	if s.FinishedAt.IsZero() {
		change.ClearFinishedAt() // it runs again
	}
	return change.Exec(ctx)
}

// endServices ends those that ran in attempts of which nothing more will be heard.
func endServices(ctx context.Context, tx *db.Tx, ids []uuid.UUID) error {
	for part := range slices.Chunk(ids, batch) {
		if err := tx.Service.Update().Where(service.AttemptIDIn(part...),
			service.StatusIn(string(record.ServiceStarting), string(record.ServiceReady))).
			SetStatus(string(record.ServiceStopped)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
