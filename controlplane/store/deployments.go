package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/deployment"
	"github.com/seatrial/seatrial/ent/db/receiver"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/setting"
)

// receiverApp names the setting that holds the GitHub App of a receiver: settings are encrypted.
func receiverApp(id uuid.UUID) string { return "receiver-app/" + id.String() }

// SetReceiverApp says as which app questions to a receiver are answered.
func (s *Store) SetReceiverApp(ctx context.Context, name string, app gate.App) error {
	var id uuid.UUID
	if err := s.changeReceiver(ctx, name, func(_ context.Context, row *db.Receiver) error {
		id = row.ID
		if row.Kind == string(forge.GitHub) {
			return nil
		}
		return fault.New(fault.Conflict, "the receiver %s is for %s, and only GitHub asks about deployments", row.Name, row.Kind).
			WithHint("Make another one with: seatrial trigger receiver create NAME --from github.")
	}); err != nil {
		return err
	}
	text, err := json.Marshal(app)
	if err != nil {
		return fmt.Errorf("encode an app: %w", err)
	}
	return s.keepSetting(ctx, receiverApp(id), text)
}

// ReceiverApp returns the app of a receiver, whoever asks.
func (s *Store) ReceiverApp(ctx context.Context, id uuid.UUID) (app gate.App, err error) {
	rows, err := s.db.Read().Setting.Query().Where(setting.ID(receiverApp(id))).All(tenant.System(ctx))
	if err != nil {
		return app, database.Fault(err)
	}
	if len(rows) == 0 {
		return app, fault.New(fault.NotFound, "the receiver has no GitHub App")
	}
	text, err := s.opened(rows[0])
	if err != nil {
		return app, err
	}
	if err := json.Unmarshal(text, &app); err != nil {
		return app, fault.New(fault.Internal, "the GitHub App of a receiver cannot be read")
	}
	return app, nil
}

// AddDeployment keeps a deployment that is not known. One that nobody could be told of is tried again when it is asked about once more.
func (s *Store) AddDeployment(ctx context.Context, d gate.Deployment) (added bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		added = false
		known, err := locked(s, tx.Deployment.Query().Where(deployment.ReceiverID(d.Receiver), deployment.Key(clean(d.Key)))).Only(ctx)
		switch {
		case err == nil && known.State == string(gate.Failed):
			added = true
			return known.Update().SetState(string(gate.Waiting)).SetAttempts(0).SetError("").SetNextAt(d.NextAt).Exec(ctx)
		case !db.IsNotFound(err):
			return err
		}
		added = true
		err = tx.Deployment.Create().SetOrganizationID(d.Organization).SetReceiverID(d.Receiver).SetKey(clean(d.Key)).SetRepository(clean(d.Repository)).
			SetEnvironment(clean(d.Environment)).SetTarget(d.Target).SetCommit(clean(d.Commit)).SetCallback(clean(d.Callback)).
			SetInstallation(d.Installation).SetActor(clean(d.Actor)).SetNextAt(d.NextAt).Exec(ctx)
		if database.Unique(err) {
			return database.ErrRetry // another replica has just been asked the same
		}
		return err
	})
	return added, err
}

// Deployments lists the newest first.
func (s *Store) Deployments(ctx context.Context, size int, after string) (list []gate.Deployment, next string, err error) {
	place, more, err := decodeCursor[uuid.UUID](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Deployment.Query().WithReceiver().Order(deployment.ByID(entsql.OrderDesc())).Limit(size + 1)
	if more {
		q = q.Where(deployment.IDLT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	if rows, next, err = cut(rows, size, func(r *db.Deployment) uuid.UUID { return r.ID }); err != nil {
		return nil, "", err
	}
	for _, row := range rows {
		list = append(list, deploymentRecord(row))
	}
	return list, next, nil
}

// maxSameCommit is how many releases of one commit are looked at.
const maxSameCommit = 100

// ReleasesFor returns the newest release of each application that is of a commit and goes to a target, by application.
func (s *Store) ReleasesFor(ctx context.Context, commit, target string) (out []gate.Name, err error) {
	rows, err := s.db.Read().Release.Query().Where(release.Commit(commit)).Order(db.Desc(release.FieldID)).Limit(maxSameCommit+1).
		Select(release.FieldID, release.FieldApplication, release.FieldVersion, release.FieldTargets).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	if len(rows) > maxSameCommit { // one that is left out may be one that is not ready
		return nil, fault.New(fault.Exhausted, "more than %d releases are of commit %s", maxSameCommit, commit).
			WithHint("Approve or reject the deployment by hand.")
	}
	known := map[string]bool{}
	for _, row := range rows {
		if !known[row.Application] && slices.Contains(row.Targets, target) {
			known[row.Application] = true
			out = append(out, gate.Name{Application: row.Application, Version: row.Version})
		}
	}
	slices.SortFunc(out, func(a, b gate.Name) int { return strings.Compare(a.Application, b.Application) })
	return out, nil
}

// ClaimDeployments leases deployments that wait and are due. From then on they are due again only by what happens, by what becomes of them,
// or when whoever has the lease is gone.
func (s *Store) ClaimDeployments(ctx context.Context, limit int, lease time.Duration) (list []gate.Deployment, err error) {
	now := s.now()
	due := deployment.And(deployment.State(string(gate.Waiting)), deployment.Or(
		deployment.And(deployment.NextAtLTE(now), deployment.LeasedUntilIsNil()), deployment.LeasedUntilLTE(now)),
		deployment.HasReceiverWith(receiver.RemovedAtIsNil()), deployment.HasOrganizationWith(activeOrganization()))
	there, err := s.db.Read().Deployment.Query().Where(due).Limit(1).Exist(ctx)
	if err != nil || !there {
		return nil, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		list = nil
		rows, err := locked(s, tx.Deployment.Query().Where(due).WithReceiver().WithOrganization().Order(deployment.ByNextAt(), deployment.ByID()).Limit(limit),
			entsql.WithLockAction(entsql.SkipLocked), entsql.WithLockTables(deployment.Table)).All(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		var ids []uuid.UUID
		for _, row := range rows {
			ids, list = append(ids, row.ID), append(list, deploymentRecord(row))
		}
		return tx.Deployment.Update().Where(deployment.IDIn(ids...)).SetLeasedUntil(now.Add(lease)).ClearNextAt().Exec(ctx)
	})
	return list, err
}

// FinishDeployment stores what became of a deployment that was claimed. One that is due already has become so since, and stays it.
func (s *Store) FinishDeployment(ctx context.Context, d gate.Deployment) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Deployment.Query().Where(deployment.ID(d.ID))).Only(ctx)
		if db.IsNotFound(err) {
			return nil // its organization is gone
		}
		if err != nil {
			return err
		}
		change := row.Update().SetState(string(d.State)).SetSaid(clean(d.Said)).SetReports(d.Reports).SetAttempts(d.Attempts).SetError(clean(d.Error)).
			SetNillableAnsweredAt(nullable(d.Answered)).ClearLeasedUntil()
		switch {
		case d.State != gate.Waiting:
			change.ClearNextAt()
		case row.NextAt == nil:
			change.SetNextAt(d.NextAt)
		}
		return change.Exec(ctx)
	})
}

// wakeDeployments makes those of a commit due that wait: a verdict on it was stored.
func (s *Store) wakeDeployments(ctx context.Context, tx *db.Tx, row *db.Release) error {
	if row.Commit == "" {
		return nil
	}
	return tx.Deployment.Update().Where(deployment.Commit(row.Commit), deployment.State(string(gate.Waiting))).
		SetNextAt(s.now()).Exec(insider(ctx, row.OrganizationID))
}

// SweepDeployments removes those from before a time.
func (s *Store) SweepDeployments(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		ids, err := tx.Deployment.Query().Where(deployment.CreatedAtLT(before)).Order(deployment.ByCreatedAt()).Limit(limit).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		removed, err = tx.Deployment.Delete().Where(deployment.IDIn(ids...)).Exec(ctx)
		return err
	})
	return removed, err
}

func deploymentRecord(row *db.Deployment) gate.Deployment {
	out := gate.Deployment{
		ID: row.ID, Organization: row.OrganizationID, Receiver: row.ReceiverID, Key: row.Key, Repository: row.Repository, Environment: row.Environment,
		Target: row.Target, Commit: row.Commit, Callback: row.Callback, Installation: row.Installation, Actor: row.Actor, State: gate.State(row.State),
		Said: row.Said, Reports: row.Reports, Attempts: row.Attempts, Error: row.Error, At: row.CreatedAt.UTC(), NextAt: timeOf(row.NextAt),
		Answered: timeOf(row.AnsweredAt),
	}
	if of := row.Edges.Receiver; of != nil {
		out.From, out.Team = of.Name, of.TeamID
	}
	if of := row.Edges.Organization; of != nil {
		out.Name = of.Name
	}
	return out
}
