// Package store keeps the records of the control plane in the database. A Store satisfies the interfaces that dispatch,
// agentlink, intake, api and auth declare; the rules of each method are written there.
//
// Every call acts for the viewer of its context. The privacy rules of the schema keep organizations apart, and calls of agents
// name their cluster in the query as well. Rows of others are fault.NotFound.
//
// Whatever changes the state of an execution locks its row first, so that two reports, or a report and a cancellation, happen one
// after the other. Nothing here notifies: callers publish on the bus after the call.
package store

import (
	"context"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
)

// Store is the records of the control plane. It may be used from many goroutines.
type Store struct {
	db    *database.Database
	clock func() time.Time
	box   *secretbox.Box // of all settings; nil when there is none to keep

	verdicts verdicts

	reissue Reissue // nil when nothing is tried anew
	quota   tenant.Quota
	system  string // DSN of the owner of the tables; empty when it is that of all work
}

// Option changes a Store.
type Option func(*Store)

// WithClock replaces the clock.
func WithClock(clock func() time.Time) Option { return func(s *Store) { s.clock = clock } }

// WithQuota says what an organization may use that has no quota of its own.
func WithQuota(q tenant.Quota) Option { return func(s *Store) { s.quota = q } }

// WithSystem gives the DSN of the role that owns the tables, for migrations and for work across organizations.
func WithSystem(dsn string) Option { return func(s *Store) { s.system = dsn } }

// Open opens the database that dsn names ("sqlite:PATH" or "postgres://…") and brings it to the schema of this version.
func Open(ctx context.Context, dsn string, options ...Option) (*Store, error) {
	s := &Store{clock: time.Now}
	for _, o := range options {
		o(s)
	}
	var err error
	if s.db, err = database.Open(ctx, dsn, s.system); err != nil {
		return nil, err
	}
	return s, nil
}

// Unguarded names the role of PostgreSQL that row level security does not apply to; empty when all is well.
func (s *Store) Unguarded() string { return s.db.Unguarded() }

// Close ends all connections.
func (s *Store) Close() error { return s.db.Close() }

// now is the time as both databases keep it.
func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// agent returns the viewer when it is an agent. Stages hand in nothing else; anything else would see a whole organization.
func agent(ctx context.Context) (tenant.Viewer, error) {
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Kind != tenant.KindAgent || v.Cluster == uuid.Nil {
		return v, fault.New(fault.Forbidden, "only an agent may do this")
	}
	return v, nil
}

// lockable is a query whose rows can be locked.
type lockable[Q any] interface {
	ForUpdate(opts ...entsql.LockOption) Q
}

// locked makes a query lock its rows where that is needed: SQLite has one writer and does not know how.
func locked[Q lockable[Q]](s *Store, q Q, opts ...entsql.LockOption) Q {
	if s.db.Locking() {
		return q.ForUpdate(opts...)
	}
	return q
}

// lockExecution takes the lock that all changes of an execution's state take first.
func (s *Store) lockExecution(ctx context.Context, tx *db.Tx, id uuid.UUID) (*db.Execution, error) {
	return locked(s, tx.Execution.Query().Where(execution.ID(id))).Only(ctx)
}

// timeOf returns the time of a nullable column, zero for null.
func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// nullable is the inverse of timeOf, to the precision of the database.
func nullable(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond)
	return &t
}
