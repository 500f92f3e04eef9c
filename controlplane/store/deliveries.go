package store

import (
	"context"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	record "github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/delivery"
	"github.com/seatrial/seatrial/ent/db/notice"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/webhook"
)

// Whoever claims deliveries locks their webhook first. So what is under way at one receiver is counted by one replica at a time, and never
// grows beyond the limit.

// ClaimDeliveries leases deliveries that are due.
func (s *Store) ClaimDeliveries(ctx context.Context, limit, each int, lease time.Duration) (claims []record.Claim, err error) {
	now := s.now()
	free := delivery.And(delivery.NextAtLTE(now), delivery.Or(delivery.LeasedUntilIsNil(), delivery.LeasedUntilLTE(now)))
	sendable := webhook.And(webhook.PausedBy(""), webhook.Suspended(false), webhook.RemovedAtIsNil(), webhook.HasOrganizationWith(activeOrganization()))
	there, err := s.db.Read().Delivery.Query().Where(free).Limit(1).Exist(ctx)
	if err != nil || !there {
		return nil, database.Fault(err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		claims = nil
		hooks, err := locked(s, tx.Webhook.Query().Where(sendable, someFreeDelivery(now)).Order(webhook.ByUpdatedAt(), webhook.ByID()).Limit(limit),
			entsql.WithLockAction(entsql.SkipLocked), entsql.WithLockTables(webhook.Table)).All(ctx)
		if err != nil {
			return err
		}
		for _, hook := range hooks {
			room := min(each, limit-len(claims))
			busy, err := tx.Delivery.Query().Where(delivery.WebhookID(hook.ID), delivery.LeasedUntilGT(now)).Count(ctx)
			if err != nil {
				return err
			}
			if room = min(room, each-busy); room <= 0 {
				continue
			}
			some, err := s.claimOf(ctx, tx, hook, free, room, now.Add(lease))
			if err != nil {
				return err
			}
			claims = append(claims, some...)
		}
		return nil
	})
	return claims, err
}

// someFreeDelivery selects webhooks that something could be sent to.
func someFreeDelivery(now time.Time) predicate.Webhook {
	return func(sel *entsql.Selector) {
		d := entsql.Table(delivery.Table)
		sel.Where(entsql.In(sel.C(webhook.FieldID), entsql.Select(d.C(delivery.FieldWebhookID)).From(d).Where(entsql.And(
			entsql.LTE(d.C(delivery.FieldNextAt), now),
			entsql.Or(entsql.IsNull(d.C(delivery.FieldLeasedUntil)), entsql.LTE(d.C(delivery.FieldLeasedUntil), now)),
		))))
	}
}

// unopened is how long a delivery waits whose secrets do not open: another replica may have the key, or this one may get it.
const unopened = 5 * time.Minute

// claimOf leases deliveries of one webhook. One whose secrets do not open waits, and is given up after the time that all have.
func (s *Store) claimOf(ctx context.Context, tx *db.Tx, hook *db.Webhook, free predicate.Delivery, room int, until time.Time) (claims []record.Claim, err error) {
	rows, err := tx.Delivery.Query().Where(delivery.WebhookID(hook.ID), free).Order(delivery.ByNextAt(), delivery.ByID()).Limit(room).All(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if err := hook.Update().Exec(ctx); err != nil { // others come first the next time
		return nil, err
	}
	secrets, wrong := s.webhookSecrets(hook)
	for _, row := range rows {
		if wrong != nil {
			change := row.Update().SetError(clean(wrong.Error())).SetTriedAt(s.now()).SetNextAt(s.now().Add(unopened))
			if s.now().Sub(row.BegunAt) > record.TryFor {
				change.SetState(string(record.GivenUp)).ClearNextAt()
			}
			if err := change.Exec(ctx); err != nil {
				return nil, err
			}
			continue
		}
		if err := row.Update().SetLeasedUntil(until).Exec(ctx); err != nil {
			return nil, err
		}
		claims = append(claims, record.Claim{Delivery: deliveryRecord(row), Webhook: webhookRecord(hook), Secrets: secrets})
	}
	return claims, nil
}

// FinishDelivery stores what became of an attempt.
func (s *Store) FinishDelivery(ctx context.Context, d record.Delivery, because string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		change := tx.Delivery.Update().Where(delivery.ID(d.ID)).SetState(string(d.State)).SetAttempts(d.Attempts).SetCode(d.Code).
			SetTook(int64(d.Took)).SetAnswer(d.Answer).SetError(clean(d.Error)).SetNillableTriedAt(nullable(d.TriedAt)).ClearLeasedUntil()
		if next := nullable(d.NextAt); next != nil {
			change.SetNextAt(*next)
		} else {
			change.ClearNextAt()
		}
		if err := change.Exec(ctx); err != nil || because == "" {
			return err
		}
		return tx.Webhook.Update().Where(webhook.ID(d.Webhook), webhook.PausedBy("")).SetPausedBy(record.Receiver).
			SetPausedBecause(clean(because)).SetPausedAt(s.now()).Exec(ctx)
	})
}

// Deliveries lists those of a webhook, newest first.
func (s *Store) Deliveries(ctx context.Context, of uuid.UUID, state record.State, size int, after string) (list []record.Delivery, next string, err error) {
	place, more, err := decodeCursor[uuid.UUID](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Delivery.Query().Where(delivery.WebhookID(of)).Order(delivery.ByID(entsql.OrderDesc())).Limit(size + 1)
	if state != "" {
		q = q.Where(delivery.State(string(state)))
	}
	if more {
		q = q.Where(delivery.IDLT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	if rows, next, err = cut(rows, size, func(r *db.Delivery) uuid.UUID { return r.ID }); err != nil {
		return nil, "", err
	}
	for _, row := range rows {
		list = append(list, deliveryRecord(row))
	}
	return list, next, nil
}

// Redeliver has a delivery sent again.
func (s *Store) Redeliver(ctx context.Context, name string, id uuid.UUID) (d record.Delivery, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		hook, err := s.webhookToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		row, err := tx.Delivery.Query().Where(delivery.ID(id), delivery.WebhookID(hook.ID)).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "the webhook %s has no delivery %s", name, id).WithHint("List them with: seatrial webhook deliveries %s.", name)
		}
		if err != nil {
			return err
		}
		if row, err = row.Update().SetState(string(record.Pending)).SetBegunAt(s.now()).SetNextAt(s.now()).SetAttempts(0).Save(ctx); err != nil {
			return err
		}
		d = deliveryRecord(row)
		audit.Of(ctx).Detail("delivery", id.String())
		return s.noted(ctx, tx, audit.Object{Kind: "webhook", ID: hook.ID.String(), Name: hook.Name})
	})
	return d, err
}

// AddTrial stores a delivery for the test of a webhook. It is tried once, by the caller.
func (s *Store) AddTrial(ctx context.Context, name string, d record.Delivery, lease time.Duration) (record.Delivery, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		hook, err := s.webhookToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		n, err := tx.Notice.Create().SetOrganizationID(hook.OrganizationID).SetKind(string(record.OfTrial)).SetSubjectID(hook.ID).Save(ctx)
		if err != nil {
			return err
		}
		d.Webhook, d.Notice, d.BegunAt = hook.ID, n.ID, s.now()
		row, err := newDelivery(tx, hook.OrganizationID, d).SetLeasedUntil(s.now().Add(lease)).Save(ctx)
		if err != nil {
			return err
		}
		d = deliveryRecord(row)
		return s.noted(ctx, tx, audit.Object{Kind: "webhook", ID: hook.ID.String(), Name: hook.Name})
	})
	return d, err
}

func newDelivery(tx *db.Tx, organization uuid.UUID, d record.Delivery) *db.DeliveryCreate {
	return tx.Delivery.Create().SetID(d.ID).SetOrganizationID(organization).SetWebhookID(d.Webhook).SetNoticeID(d.Notice).SetEvent(string(d.Event)).
		SetAbout(clean(d.About)).SetPath(d.Path).SetBody(d.Body).SetState(string(record.Pending)).SetBegunAt(d.BegunAt).SetNillableNextAt(nullable(d.NextAt))
}

// SweepNotices removes old notices and deliveries.
func (s *Store) SweepNotices(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		ids, err := tx.Notice.Query().Where(notice.CreatedAtLT(before)).Order(notice.ByCreatedAt()).Limit(limit).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := tx.Delivery.Delete().Where(delivery.NoticeIDIn(ids...)).Exec(ctx); err != nil {
			return err
		}
		removed, err = tx.Notice.Delete().Where(notice.IDIn(ids...)).Exec(ctx)
		return err
	})
	if err != nil {
		return removed, err
	}
	return removed, s.sweepWebhooks(ctx, before)
}
