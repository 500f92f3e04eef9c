package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	record "github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/delivery"
	"github.com/seatrial/seatrial/ent/db/webhook"
)

// webhookPlace says where the address and the secrets of a webhook belong.
func webhookPlace(id uuid.UUID) string { return "webhook " + id.String() }

// Webhooks lists by name, with what was tried last.
func (s *Store) Webhooks(ctx context.Context) ([]record.Webhook, error) {
	rows, err := s.db.Read().Webhook.Query().Where(webhook.RemovedAtIsNil()).WithTeam().Order(webhook.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.Webhook, len(rows))
	for i, row := range rows {
		if out[i], err = s.withLast(ctx, row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Webhook returns a webhook by name.
func (s *Store) Webhook(ctx context.Context, name string) (record.Webhook, error) {
	row, err := s.db.Read().Webhook.Query().Where(webhook.Name(name), webhook.RemovedAtIsNil()).WithTeam().Only(ctx)
	if db.IsNotFound(err) {
		return record.Webhook{}, noWebhook(name)
	}
	if err != nil {
		return record.Webhook{}, database.Fault(err)
	}
	return s.withLast(ctx, row)
}

func (s *Store) withLast(ctx context.Context, row *db.Webhook) (record.Webhook, error) {
	out := webhookRecord(row)
	last, err := s.db.Read().Delivery.Query().Where(delivery.WebhookID(row.ID), delivery.TriedAtNotNil()).
		Order(delivery.ByTriedAt(entsql.OrderDesc())).First(ctx)
	if db.IsNotFound(err) {
		return out, nil
	}
	if err != nil {
		return out, database.Fault(err)
	}
	d := deliveryRecord(last)
	out.Last = &d
	return out, nil
}

func noWebhook(name string) error {
	return fault.New(fault.NotFound, "there is no webhook %q", name).WithHint("List what there is with: seatrial webhook list.")
}

// SetWebhook makes a webhook, or changes that of the name.
func (s *Store) SetWebhook(ctx context.Context, name, team string, change record.Amend) (rec record.Webhook, created bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Webhook.Query().Where(webhook.Name(name))).WithTeam().Only(ctx)
		if row, created, err = hookFor(ctx, tx, row, err, name, team); err != nil {
			return err
		}
		if created && row.RemovedAt != nil { // somebody makes another one of the name, which has nothing to do with it
			if row, err = row.Update().ClearRemovedAt().ClearSealed().ClearRotatedAt().SetFormat("").SetAddress("").SetEvents(nil).SetWorkflows(nil).
				SetLabels(nil).SetEnvironments(nil).SetTemplate("").SetDigest("").SetSource("").SetSuspended(false).Save(ctx); err != nil {
				return err
			}
		}
		rec, err = s.amendWebhook(ctx, row, change)
		if err != nil {
			return err
		}
		audit.Of(ctx).Detail("address", rec.Address)
		audit.Of(ctx).Detail("format", string(rec.Format))
		return s.noted(ctx, tx, audit.Object{Kind: "webhook", ID: row.ID.String(), Name: row.Name})
	})
	return rec, created, err
}

// hookFor returns a webhook that was found, when the viewer may change it, and makes one of a name that was not. One that was removed with
// its document is created, too.
func hookFor(ctx context.Context, tx *db.Tx, found *db.Webhook, err error, name, team string) (row *db.Webhook, created bool, _ error) {
	switch {
	case db.IsNotFound(err):
		row, err = newWebhook(ctx, tx, name, team)
		return row, true, err
	case err != nil:
		return nil, false, err
	}
	return found, found.RemovedAt != nil, mayChange(ctx, tx, found.TeamID, "webhook "+found.Name)
}

// ApplyWebhook brings a webhook to a document, when its digest differs from that of the one before.
func (s *Store) ApplyWebhook(ctx context.Context, name, digest, owner string, change record.Amend) (rec record.Webhook, created, changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Webhook.Query().Where(webhook.Name(name))).WithTeam().Only(ctx)
		if err != nil && !db.IsNotFound(err) {
			return err
		}
		if err := s.own(ctx, tx, document.WebhookKind, name, row != nil && row.RemovedAt == nil); err != nil {
			return err
		}
		if row, created, err = hookFor(ctx, tx, row, err, name, owner); err != nil {
			return err
		}
		if changed = created || row.Digest != digest; !changed {
			rec = webhookRecord(row)
			return nil
		}
		if rec, err = s.amendWebhook(ctx, row, change); err != nil {
			return err
		}
		audit.Of(ctx).Detail("revision", strconv.Itoa(rec.Revision))
		audit.Of(ctx).Detail("digest", rec.Digest)
		return s.noted(ctx, tx, audit.Object{Kind: "webhook", ID: row.ID.String(), Name: row.Name})
	})
	return rec, created, changed, err
}

// amendWebhook stores what a change makes of a webhook.
func (s *Store) amendWebhook(ctx context.Context, row *db.Webhook, change record.Amend) (w record.Webhook, err error) {
	secrets, err := s.webhookSecrets(row)
	if err != nil {
		return w, err
	}
	w = webhookRecord(row)
	if err := change(&w, &secrets); err != nil {
		return w, err //nolint:wrapcheck // a fault that speaks for itself
	}
	sealed, err := s.sealSecrets(row.ID, secrets)
	if err != nil {
		return w, err
	}
	up := row.Update().SetFormat(string(w.Format)).SetAddress(w.Address).SetSealed(sealed).SetEvents(events(w.Events)).SetWorkflows(w.Filter.Workflows).
		SetLabels(w.Filter.Labels).SetEnvironments(w.Filter.Environments).SetTemplate(w.Template).SetNillableRotatedAt(nullable(w.RotatedAt)).
		SetDigest(w.Digest).SetSource(w.Source).SetSuspended(w.Suspended).ClearRemovedAt()
	if row.Digest != "" && row.Digest != w.Digest {
		up.AddRevision(1)
	}
	team := row.Edges.Team
	if row, err = up.Save(ctx); err != nil {
		return w, err
	}
	row.Edges.Team = team
	return webhookRecord(row), nil
}

func newWebhook(ctx context.Context, tx *db.Tx, name, of string) (*db.Webhook, error) {
	team, err := teamFor(ctx, tx.Team.Query(), of)
	if err != nil {
		return nil, err
	}
	row, err := tx.Webhook.Create().SetOrganizationID(team.OrganizationID).SetTeamID(team.ID).SetName(name).SetFormat("").SetAddress("").Save(ctx)
	if database.Unique(err) {
		return nil, takenFirst(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	row.Edges.Team = team
	return row, nil
}

func (s *Store) sealSecrets(id uuid.UUID, secrets record.Secrets) ([]byte, error) {
	if s.box == nil {
		return nil, fault.New(fault.Internal, "the store has no encryption keys, and keeps no secret without them")
	}
	text, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("encode the secrets of a webhook: %w", err)
	}
	return s.box.Seal(webhookPlace(id), text) //nolint:wrapcheck // a fault that speaks for itself
}

func (s *Store) webhookSecrets(row *db.Webhook) (out record.Secrets, err error) {
	if len(row.Sealed) == 0 {
		return out, nil
	}
	if s.box == nil {
		return out, fault.New(fault.Internal, "the store has no encryption keys, and reads no secret without them")
	}
	text, err := s.box.Open(webhookPlace(row.ID), row.Sealed)
	if err != nil {
		return out, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, fault.New(fault.Internal, "the secrets of the webhook %s cannot be read", row.Name)
	}
	return out, nil
}

// webhookToChange locks a webhook that the viewer may change.
func (s *Store) webhookToChange(ctx context.Context, tx *db.Tx, name string) (*db.Webhook, error) {
	row, err := locked(s, tx.Webhook.Query().Where(webhook.Name(name), webhook.RemovedAtIsNil())).WithTeam().Only(ctx)
	if db.IsNotFound(err) {
		return nil, noWebhook(name)
	}
	if err != nil {
		return nil, err
	}
	return row, mayChange(ctx, tx, row.TeamID, "webhook "+row.Name)
}

// WebhookSecrets returns the secrets of a webhook that the viewer may change.
func (s *Store) WebhookSecrets(ctx context.Context, name string) (out record.Secrets, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.webhookToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		out, err = s.webhookSecrets(row)
		return err
	})
	return out, err
}

// PauseWebhook pauses or resumes on behalf of the viewer.
func (s *Store) PauseWebhook(ctx context.Context, name string, paused bool) (rec record.Webhook, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.webhookToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		team := row.Edges.Team
		if paused != (row.PausedBy != "") {
			change := row.Update().SetPausedBy("").SetPausedBecause("").ClearPausedAt()
			if paused {
				v, _ := tenant.FromContext(ctx)
				change = row.Update().SetPausedBy(v.Name).SetPausedAt(s.now())
			}
			if row, err = change.Save(ctx); err != nil {
				return err
			}
			row.Edges.Team = team
		}
		rec = webhookRecord(row)
		audit.Of(ctx).Detail("paused", fmt.Sprint(paused))
		return s.noted(ctx, tx, audit.Object{Kind: "webhook", ID: row.ID.String(), Name: row.Name})
	})
	return rec, err
}

// RemoveWebhook removes a webhook with its deliveries.
func (s *Store) RemoveWebhook(ctx context.Context, name string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.webhookToChange(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := s.own(ctx, tx, document.WebhookKind, name, true); err != nil {
			return err
		}
		if _, err := tx.Delivery.Delete().Where(delivery.WebhookID(row.ID)).Exec(ctx); err != nil {
			return err
		}
		if err := tx.Webhook.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "webhook", ID: row.ID.String(), Name: row.Name})
	})
}

// renewWebhooks has the newest key encrypt the secrets of webhooks that older ones did, and returns how many those were.
func (s *Store) renewWebhooks(ctx context.Context) (total int, err error) {
	ctx = tenant.System(ctx)
	ids, err := s.db.Read().Webhook.Query().Where(webhook.SealedNotNil()).IDs(ctx)
	if err != nil {
		return 0, database.Fault(err)
	}
	for _, id := range ids {
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			row, err := locked(s, tx.Webhook.Query().Where(webhook.ID(id))).Only(ctx)
			if db.IsNotFound(err) || (err == nil && !secretbox.Sealed(row.Sealed)) {
				return nil // it is gone since
			}
			if err != nil {
				return err
			}
			value, changed, err := s.box.Renew(webhookPlace(id), row.Sealed)
			if err != nil || !changed {
				return err //nolint:wrapcheck // a fault that speaks for itself
			}
			total++
			return row.Update().SetSealed(value).Exec(ctx)
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func events(list []record.Event) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = string(e)
	}
	return out
}

func webhookRecord(row *db.Webhook) record.Webhook {
	out := record.Webhook{
		ID: row.ID, Organization: row.OrganizationID, TeamID: row.TeamID, Name: row.Name, Format: record.Format(row.Format), Address: row.Address,
		Filter: record.Filter{Workflows: row.Workflows, Labels: row.Labels, Environments: row.Environments}, Template: row.Template,
		PausedBy: row.PausedBy, PausedWhy: row.PausedBecause, PausedAt: timeOf(row.PausedAt), RotatedAt: timeOf(row.RotatedAt),
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(), Revision: row.Revision, Digest: row.Digest, Source: row.Source, Suspended: row.Suspended,
	}
	for _, e := range row.Events {
		out.Events = append(out.Events, record.Event(e))
	}
	if row.Edges.Team != nil {
		out.Team = row.Edges.Team.Name
	}
	return out
}

func deliveryRecord(row *db.Delivery) record.Delivery {
	return record.Delivery{
		ID: row.ID, Webhook: row.WebhookID, Notice: row.NoticeID, Event: record.Event(row.Event), About: row.About, Path: row.Path, Body: row.Body,
		State: record.State(row.State), Attempts: row.Attempts, BegunAt: row.BegunAt.UTC(), NextAt: timeOf(row.NextAt), TriedAt: timeOf(row.TriedAt),
		Code: row.Code, Took: time.Duration(row.Took), Answer: row.Answer, Error: row.Error, At: row.CreatedAt.UTC(),
	}
}

// sweepWebhooks removes those for good, with what is secret, whose document left before a time.
func (s *Store) sweepWebhooks(ctx context.Context, before time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		ids, err := tx.Webhook.Query().Where(webhook.RemovedAtLT(before)).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := tx.Delivery.Delete().Where(delivery.WebhookIDIn(ids...)).Exec(ctx); err != nil {
			return err
		}
		_, err = tx.Webhook.Delete().Where(webhook.IDIn(ids...)).Exec(ctx)
		return err
	})
}
