package store

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/auditentry"
	"github.com/seatrial/seatrial/ent/db/audithead"
	"github.com/seatrial/seatrial/ent/db/predicate"
)

// noted makes an entry of the action that the context carries, in the transaction of what it changed. Call it last: it takes the lock of
// the chain, which all changes of an organization want. The note is kept once the transaction is committed, and not before.
func (s *Store) noted(ctx context.Context, tx *db.Tx, on record.Object) error {
	n := record.Of(ctx)
	if n == nil || n.Kept() {
		return nil
	}
	n.On(on)
	e := n.Entry(nil)
	if e.Organization == uuid.Nil { // nobody has said who acts
		return nil
	}
	// The transaction of an organization can do nothing for others, so the entry is made on behalf of whoever the organization is of.
	if v, _ := tenant.FromContext(ctx); v.Kind != tenant.KindSystem && v.Organization != e.Organization {
		ctx = tenant.System(ctx)
	}
	if err := s.appendEntry(ctx, tx, e); err != nil {
		return err
	}
	tx.OnCommit(func(next db.Committer) db.Committer {
		return db.CommitFunc(func(ctx context.Context, tx *db.Tx) error {
			err := next.Commit(ctx, tx)
			if err == nil {
				n.Keep()
			}
			return err
		})
	})
	return nil
}

// notedRevision notes that a document was applied.
func (s *Store) notedRevision(ctx context.Context, tx *db.Tx, kind string, rec workflow.Record) error {
	n := record.Of(ctx)
	n.Detail("revision", strconv.Itoa(rec.Revision))
	n.Detail("digest", rec.Digest)
	return s.noted(ctx, tx, record.Object{Kind: kind, ID: rec.ID.String(), Name: rec.Name})
}

// notedRelease notes that something was done to a release.
func (s *Store) notedRelease(ctx context.Context, tx *db.Tx, row *db.Release) error {
	return s.noted(ctx, tx, record.Object{Kind: "release", ID: row.ID.String(), Name: row.Application + " " + row.Version})
}

// AppendAudit adds an entry at the end of the chain of its organization.
func (s *Store) AppendAudit(ctx context.Context, e record.Entry) error {
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error { return s.appendEntry(ctx, tx, e) })
}

// appendEntry numbers, dates and hashes an entry, and stores it. Texts are cleaned before they are hashed: what is read later has to be what
// was hashed.
func (s *Store) appendEntry(ctx context.Context, tx *db.Tx, e record.Entry) error {
	head, err := s.lockChain(ctx, tx, e.Organization)
	if err != nil {
		return err
	}
	for _, text := range []*string{
		&e.Actor.Name, &e.Actor.Person, &e.Action, &e.Object.Kind, &e.Object.ID, &e.Object.Name, &e.From,
	} {
		*text = record.Short(clean(*text))
	}
	details := make(map[string]string, len(e.Details))
	for key, value := range e.Details {
		details[clean(key)] = record.Short(clean(value))
	}
	e.Details, e.Number, e.At, e.Previous = details, head.Number+1, s.now(), head.Hash
	e.Hash = e.Sum(e.Previous)
	if err := tx.AuditEntry.Create().SetOrganizationID(e.Organization).SetNumber(e.Number).SetCreatedAt(e.At).SetActorKind(string(e.Actor.Kind)).
		SetActorID(e.Actor.ID).SetActorName(e.Actor.Name).SetActorPerson(e.Actor.Person).SetCredentialID(e.Actor.Credential).SetAction(e.Action).
		SetObjectKind(e.Object.Kind).SetObjectID(e.Object.ID).SetObjectName(e.Object.Name).SetAddress(e.From).SetOutcome(string(e.Outcome)).
		SetDetails(e.Details).SetPrevious(e.Previous).SetHash(e.Hash).Exec(ctx); err != nil {
		return err
	}
	return tx.AuditHead.Update().Where(audithead.ID(head.ID)).SetNumber(e.Number).SetHash(e.Hash).Exec(ctx)
}

// lockChain locks the end of the chain of an organization, which is made with the first entry.
func (s *Store) lockChain(ctx context.Context, tx *db.Tx, organization tenant.ID) (*db.AuditHead, error) {
	chain := locked(s, tx.AuditHead.Query().Where(audithead.OrganizationID(organization)))
	head, err := chain.Clone().Only(ctx)
	if !db.IsNotFound(err) {
		return head, err
	}
	if err := tx.AuditHead.Create().SetOrganizationID(organization).SetHash(record.Start()).
		OnConflictColumns(audithead.FieldOrganizationID).Ignore().Exec(ctx); err != nil {
		return nil, err
	}
	return chain.Only(ctx)
}

// AuditEntries returns those of the viewer's organization that a filter selects, and the end of the chain, which is read first: what it
// ends with is among the entries.
func (s *Store) AuditEntries(ctx context.Context, f record.Filter) (record.Page, error) {
	v, ok := tenant.FromContext(ctx)
	if !ok {
		return record.Page{}, fault.New(fault.Unauthenticated, "log in or send an API token first")
	}
	after, more, err := decodeCursor[int64](f.After)
	if err != nil {
		return record.Page{}, err
	}
	heads, err := s.db.Read().AuditHead.Query().Where(audithead.OrganizationID(v.Organization)).All(ctx)
	if err != nil {
		return record.Page{}, database.Fault(err)
	}
	page := record.Page{}
	if len(heads) == 1 {
		page.Head = record.Head{Number: heads[0].Number, Hash: heads[0].Hash}
	}
	q := s.db.Read().AuditEntry.Query().Where(auditentry.OrganizationID(v.Organization), auditentry.NumberLTE(page.Head.Number)).Where(selected(f)...)
	order := auditentry.ByNumber()
	if f.NewestFirst {
		order = auditentry.ByNumber(entsql.OrderDesc())
	}
	switch {
	case more && f.NewestFirst:
		q = q.Where(auditentry.NumberLT(after))
	case more:
		q = q.Where(auditentry.NumberGT(after))
	}
	size := pageSize(f.Size)
	rows, err := q.Order(order).Limit(size + 1).All(ctx)
	if err != nil {
		return record.Page{}, database.Fault(err)
	}
	rows, page.Next, err = cut(rows, size, func(row *db.AuditEntry) int64 { return row.Number })
	for _, row := range rows {
		page.Entries = append(page.Entries, auditRecord(row))
	}
	return page, err
}

func selected(f record.Filter) []predicate.AuditEntry {
	var out []predicate.AuditEntry
	if f.Actor != "" {
		of := []predicate.AuditEntry{auditentry.ActorName(f.Actor), auditentry.ActorPerson(f.Actor)}
		if id, err := uuid.Parse(f.Actor); err == nil {
			of = append(of, auditentry.ActorID(id), auditentry.CredentialID(id))
		}
		out = append(out, auditentry.Or(of...))
	}
	if f.Object != "" {
		out = append(out, auditentry.Or(auditentry.ObjectName(f.Object), auditentry.ObjectID(f.Object)))
	}
	for _, c := range []struct {
		value string
		is    func(string) predicate.AuditEntry
	}{
		{f.Action, auditentry.Action},
		{f.Kind, auditentry.ObjectKind},
		{string(f.Outcome), auditentry.Outcome},
		{f.From, auditentry.Address},
	} {
		if c.value != "" {
			out = append(out, c.is(c.value))
		}
	}
	if !f.Since.IsZero() {
		out = append(out, auditentry.CreatedAtGTE(f.Since.UTC()))
	}
	if !f.Until.IsZero() {
		out = append(out, auditentry.CreatedAtLT(f.Until.UTC()))
	}
	return out
}

func auditRecord(row *db.AuditEntry) record.Entry {
	return record.Entry{
		Organization: row.OrganizationID, Number: row.Number, At: row.CreatedAt.UTC().Truncate(time.Microsecond),
		Actor: record.Actor{
			Kind: tenant.Kind(row.ActorKind), ID: row.ActorID, Name: row.ActorName, Person: row.ActorPerson, Credential: row.CredentialID,
		},
		Action: row.Action, Object: record.Object{Kind: row.ObjectKind, ID: row.ObjectID, Name: row.ObjectName}, From: row.Address,
		Outcome: record.Outcome(row.Outcome), Details: row.Details, Previous: slices.Clone(row.Previous), Hash: bytes.Clone(row.Hash),
	}
}
