package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/delivery"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/notice"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/run"
	"github.com/seatrial/seatrial/ent/db/testresult"
	"github.com/seatrial/seatrial/ent/db/webhook"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// notice writes down that something has happened, in the transaction in which it does, when the organization has somebody to tell. The
// context acts for the organization.
func (s *Store) notice(ctx context.Context, tx *db.Tx, org tenant.ID, subject uuid.UUID, data any, kinds ...notify.Kind) error {
	listening, err := tx.Webhook.Query().Where(webhook.OrganizationID(org), webhook.RemovedAtIsNil()).Exist(ctx)
	if err != nil || !listening {
		return err
	}
	var text json.RawMessage
	if data != nil {
		if text, err = json.Marshal(data); err != nil {
			return fmt.Errorf("encode a notice: %w", err)
		}
	}
	for _, kind := range kinds {
		err := tx.Notice.Create().SetOrganizationID(org).SetKind(string(kind)).SetSubjectID(subject).SetData(text).SetDueAt(s.now()).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// noticeVerdict writes down that the verdict on a release has changed.
func (s *Store) noticeVerdict(ctx context.Context, tx *db.Tx, row *db.Release, before, after, cause string) error {
	return s.notice(insider(ctx, row.OrganizationID), tx, row.OrganizationID, row.ID, notify.Change{
		Application: row.Application, Version: row.Version, Commit: row.Commit, Before: before, After: after, Cause: cause, Environments: row.Targets,
	}, notify.OfRelease)
}

func activeOrganization() predicate.Organization { return organization.State(string(tenant.Active)) }

// ClaimNotices leases notices whose deliveries are to be made, oldest first.
func (s *Store) ClaimNotices(ctx context.Context, limit int, lease time.Duration) (list []notify.Notice, err error) {
	now := s.now()
	there, err := s.db.Read().Notice.Query().Where(notice.DueAtLTE(now)).Limit(1).Exist(ctx)
	if err != nil || !there {
		return nil, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		list = nil
		rows, err := locked(s, tx.Notice.Query().Where(notice.DueAtLTE(now)).WithOrganization().Order(notice.ByDueAt(), notice.ByID()).Limit(limit),
			entsql.WithLockAction(entsql.SkipLocked)).All(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		var ids []uuid.UUID
		for _, row := range rows {
			ids = append(ids, row.ID)
			list = append(list, notify.Notice{
				Name: row.Edges.Organization.Name, ID: row.ID, Organization: row.OrganizationID, Kind: notify.Kind(row.Kind), Subject: row.SubjectID, Data: row.Data, At: row.CreatedAt.UTC(),
			})
		}
		return tx.Notice.Update().Where(notice.IDIn(ids...)).SetDueAt(now.Add(lease)).Exec(ctx)
	})
	return list, err
}

// Listening returns the webhooks of the viewer's organization that are not paused and may be told of a notice.
func (s *Store) Listening(ctx context.Context, n notify.Notice) ([]notify.Webhook, error) {
	access, err := s.AccessOf(ctx, n.Organization)
	if err != nil {
		return nil, err
	}
	q := s.db.Read().Webhook.Query().Where(webhook.PausedBy(""), webhook.Suspended(false), webhook.RemovedAtIsNil()).Order(webhook.ByName())
	if access.Visibility == tenant.VisibleTeams {
		owner, err := s.teamOf(ctx, n)
		if err != nil {
			return nil, missing(err, string(n.Kind), n.Subject)
		}
		q = q.Where(webhook.TeamID(owner))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]notify.Webhook, len(rows))
	for i, row := range rows {
		out[i] = webhookRecord(row)
	}
	return out, nil
}

// teamOf returns the team that has what a notice is about.
func (s *Store) teamOf(ctx context.Context, n notify.Notice) (uuid.UUID, error) {
	if n.Kind == notify.OfRelease {
		row, err := s.db.Read().Release.Query().Where(release.ID(n.Subject)).Only(ctx)
		if err != nil {
			return uuid.Nil, err
		}
		return row.TeamID, nil
	}
	row, err := s.db.Read().Execution.Query().Where(execution.ID(n.Subject)).QueryRevision().QueryWorkflow().Only(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	return row.TeamID, nil
}

// Expand stores the deliveries of a notice. Those that are there already stay as they are.
func (s *Store) Expand(ctx context.Context, n notify.Notice, list []notify.Delivery) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := locked(s, tx.Notice.Query().Where(notice.ID(n.ID))).Only(ctx); err != nil {
			return err
		}
		for _, d := range list {
			there, err := tx.Webhook.Query().Where(webhook.ID(d.Webhook)).Exist(ctx)
			if err != nil {
				return err
			}
			known, err := tx.Delivery.Query().Where(delivery.WebhookID(d.Webhook), delivery.NoticeID(n.ID)).Exist(ctx)
			if err != nil {
				return err
			}
			if !there || known {
				continue // the webhook is gone since, or another replica was as fast
			}
			d.Notice = n.ID
			if err := newDelivery(tx, n.Organization, d).Exec(ctx); err != nil {
				return err
			}
		}
		return tx.Notice.Update().Where(notice.ID(n.ID)).ClearDueAt().Exec(ctx)
	})
}

// Postpone has a notice expanded later.
func (s *Store) Postpone(ctx context.Context, n notify.Notice, until time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Notice.Update().Where(notice.ID(n.ID)).SetNillableDueAt(nullable(until)).Exec(ctx)
	})
}

// maxBefore is how many executions are looked through for the one before of the same environments.
const maxBefore = 50

// EndedExecution returns an execution with what is told of it.
func (s *Store) EndedExecution(ctx context.Context, id record.ID) (out notify.Ended, err error) {
	if out.Execution, err = s.Execution(ctx, id); err != nil {
		return out, err
	}
	out.Delivered = true
	for _, r := range out.Runs {
		for _, a := range r.Attempts {
			out.Delivered = out.Delivered && a.Delivered
		}
	}
	of, err := s.db.Read().Workflow.Query().Where(workflow.Name(out.Workflow)).Only(ctx)
	if err != nil && !db.IsNotFound(err) {
		return out, database.Fault(err)
	}
	if of != nil {
		out.Labels = of.Labels
	}
	out.Before, err = s.endBefore(ctx, out)
	return out, err
}

// endBefore is how the execution before of the same workflow and environments ended. Those that somebody stopped, or that did nothing, say
// nothing.
func (s *Store) endBefore(ctx context.Context, e notify.Ended) (record.Status, error) {
	rows, err := s.db.Read().Execution.Query().Where(execution.Workflow(e.Workflow), execution.IDLT(e.ID),
		execution.StatusIn(string(record.Passed), string(record.Failed), string(record.Errored), string(record.TimedOut))).
		Order(execution.ByID(entsql.OrderDesc())).Limit(maxBefore).Select(execution.FieldID, execution.FieldStatus).All(ctx)
	if err != nil {
		return "", database.Fault(err)
	}
	mine := e.Environments()
	for _, row := range rows {
		names, err := s.db.Read().Run.Query().Where(run.ExecutionID(row.ID)).Unique(true).Select(run.FieldEnvironmentName).Strings(ctx)
		if err != nil {
			return "", database.Fault(err)
		}
		slices.Sort(names)
		if slices.Equal(slices.Compact(names), mine) {
			return record.Status(row.Status), nil
		}
	}
	return "", nil
}

// NewlyFlaky returns tests that are flaky by an execution and were not before.
func (s *Store) NewlyFlaky(ctx context.Context, id record.ID, limit int) (out []notify.Unreliable, err error) {
	head, err := s.db.Read().Execution.Query().Where(execution.ID(id)).Only(ctx)
	if db.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "there is no execution %s", id)
	}
	if err != nil {
		return nil, database.Fault(err)
	}
	// A test becomes flaky by a try that failed, or by one that passed after others had failed on the same subject: only tests that have
	// been unreliable lately can.
	keys, err := s.db.Read().TestResult.Query().Where(resultsIn(head), testresult.SeverityLT(supersededSeverity)).
		Order(testresult.ByTestKey()).Unique(true).Select(testresult.FieldTestKey).Strings(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	now := s.now()
	unreliable, err := s.UnreliableTests(ctx, head.Workflow, now.Add(-flaky.Span), len(keys)+maxUnreliable)
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(slices.Compact(keys), func(key string) bool { return !slices.Contains(unreliable, key) })
	known, err := s.TestRuns(ctx, keys[:min(len(keys), limit)], now.Add(-flaky.Span), flaky.MaxAttempts)
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		with := testcase.Judge(k.Case, k.Runs, now)
		earlier := slices.DeleteFunc(slices.Clone(k.Runs), func(r testcase.Run) bool { return r.Execution == id })
		if with.Score.Class == flaky.Flaky && testcase.Judge(k.Case, earlier, now).Score.Class != flaky.Flaky {
			out = append(out, notify.Unreliable{Test: k.Key, Name: k.Name, Runs: with.Score.N, Bad: with.Score.K})
		}
	}
	return out, nil
}

// maxUnreliable is how many unreliable tests of a workflow are looked through.
const maxUnreliable = 1000
