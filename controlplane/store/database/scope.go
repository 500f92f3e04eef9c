package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// undoLimit bounds a rollback, which nothing else does: it happens also when the caller has gone.
const undoLimit = 10 * time.Second

// scope is what the row level security of PostgreSQL lets a statement see: the rows of one organization, or all. The zero value sees none.
type scope struct {
	organization uuid.UUID
	system       bool
}

// scopeOf is the scope of the viewer on whose behalf ctx acts.
func scopeOf(ctx context.Context) scope {
	v, _ := tenant.FromContext(ctx)
	if v.Kind == tenant.KindSystem {
		return scope{system: true}
	}
	return scope{organization: v.Organization}
}

// settings are the values of seatrial.organization and seatrial.system.
func (s scope) settings() (organization, system string) {
	if s.system {
		return "", "on"
	}
	if s.organization == uuid.Nil {
		return "", ""
	}
	return s.organization.String(), ""
}

// statements set them for the transaction alone: a connection that is shared by a pooler carries nothing over.
func (s scope) statements() string {
	organization, system := s.settings()
	return "SET LOCAL seatrial.organization = '" + organization + "'; SET LOCAL seatrial.system = '" + system + "'; " + plain
}

// plain has a transaction run each statement as it is, in its own process. To compile one, or to start processes that help with it, which
// PostgreSQL does when it expects very many rows, takes longer than any of them; and it expects many where results of all months are asked for
// the latest few. What a page asks for takes its time from the others who ask, not from processors that nobody uses.
const plain = "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0"

// settle sets the same for a query outside a transaction.
const settle = "SELECT set_config('seatrial.organization', $1, true), set_config('seatrial.system', $2, true), set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)"

// scoped is a driver of ent that runs each statement in the scope of its context. What an organization asks and what the control plane
// asks for itself may go over connections of different roles.
type scoped struct {
	tenants *sql.DB
	system  *sql.DB
}

func (d *scoped) conn(ctx context.Context, s scope) (*sql.Conn, error) {
	if s.system {
		return d.system.Conn(ctx) //nolint:wrapcheck // the caller says what it was about
	}
	return d.tenants.Conn(ctx) //nolint:wrapcheck // the caller says what it was about
}

// Dialect names the database.
func (d *scoped) Dialect() string { return dialect.Postgres }

// Close ends all connections.
func (d *scoped) Close() error {
	if d.system == d.tenants {
		return d.tenants.Close() //nolint:wrapcheck // as the driver below does
	}
	return errors.Join(d.tenants.Close(), d.system.Close())
}

// Exec refuses: whatever changes something does so in a transaction.
func (d *scoped) Exec(context.Context, string, any, any) error {
	return errors.New("a statement that changes rows outside a transaction")
}

// Query asks outside a transaction. The settings and the query travel together, and the server makes one transaction of them: so the scope
// costs no round trip.
func (d *scoped) Query(ctx context.Context, query string, args, v any) error {
	into, ok := v.(*entsql.Rows)
	if !ok {
		return fmt.Errorf("rows of type %T", v)
	}
	list, ok := args.([]any)
	if !ok {
		return fmt.Errorf("arguments of type %T", args)
	}
	rows, err := d.ask(ctx, query, list)
	if err != nil && pgconn.SafeToRetry(err) && ctx.Err() == nil {
		rows, err = d.ask(ctx, query, list) // the connection had died while nobody used it
	}
	if err != nil {
		return err
	}
	into.ColumnScanner = rows
	return nil
}

func (d *scoped) ask(ctx context.Context, query string, args []any) (*answer, error) {
	s := scopeOf(ctx)
	conn, err := d.conn(ctx, s)
	if err != nil {
		return nil, err
	}
	organization, system := s.settings()
	var out *answer
	err = raw(conn, func(c *pgx.Conn) error {
		b := &pgx.Batch{}
		b.Queue(settle, organization, system)
		b.Queue(query, args...)
		sent := c.SendBatch(ctx, b)
		if _, err := sent.Exec(); err != nil {
			return errors.Join(err, sent.Close())
		}
		rows, err := sent.Query()
		if err != nil {
			return errors.Join(err, sent.Close())
		}
		out = &answer{rows, sent, conn}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return out, nil
}

// raw uses the connection of PostgreSQL's own driver. It stays usable until conn is closed, because nobody else has it.
func raw(conn *sql.Conn, use func(c *pgx.Conn) error) error {
	return conn.Raw(func(of any) error { //nolint:wrapcheck // of use, which wraps what it has to
		c, ok := of.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of type %T", of)
		}
		return use(c.Conn())
	})
}

// answer is the rows of a query. Its connection goes back when it is closed.
type answer struct {
	pgx.Rows
	sent pgx.BatchResults
	conn *sql.Conn
}

// Close gives the connection back.
func (a *answer) Close() error {
	a.Rows.Close()
	return errors.Join(a.sent.Close(), a.conn.Close())
}

// Columns are their names.
func (a *answer) Columns() ([]string, error) {
	fields := a.FieldDescriptions()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names, nil
}

// ColumnTypes are not told: nobody asks.
func (a *answer) ColumnTypes() ([]*sql.ColumnType, error) {
	return nil, errors.New("types of columns are not known here")
}

// NextResultSet is false: a query has one.
func (a *answer) NextResultSet() bool { return false }

// Tx begins a transaction in the scope of ctx, in one round trip.
func (d *scoped) Tx(ctx context.Context) (dialect.Tx, error) {
	s := scopeOf(ctx)
	conn, err := d.conn(ctx, s)
	if err != nil {
		return nil, err
	}
	t := &transaction{conn: conn, now: s, apart: d.system != d.tenants}
	t.Conn = entsql.NewDriver(dialect.Postgres, entsql.Conn{ExecQuerier: &within{t}}).Conn
	err = raw(conn, func(c *pgx.Conn) error {
		tx, err := c.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; " + s.statements()})
		if err != nil {
			return err //nolint:wrapcheck // the caller says what it was about
		}
		t.commit = func() error { return tx.Commit(ctx) }
		t.undo = func() error {
			if c.IsClosed() {
				return nil // as it is when the caller went while a statement ran: the server has undone it
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
			defer cancel()
			return tx.Rollback(ctx)
		}
		return nil
	})
	if errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err) {
		err = fmt.Errorf("the connection was lost: %w", err)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return t, nil
}

// transaction is one of PostgreSQL.
type transaction struct {
	entsql.Conn
	conn         *sql.Conn
	now          scope
	apart        bool // the roles of organizations and of the control plane differ
	commit, undo func() error
}

// Commit ends it and keeps what was done.
func (t *transaction) Commit() error { return errors.Join(t.commit(), t.conn.Close()) }

// Rollback ends it.
func (t *transaction) Rollback() error {
	err := t.undo()
	if errors.Is(err, pgx.ErrTxClosed) {
		return sql.ErrTxDone
	}
	return errors.Join(err, t.conn.Close())
}

// act takes the scope of a statement's context.
func (t *transaction) act(ctx context.Context) error {
	s := scopeOf(ctx)
	if s == t.now {
		return nil
	}
	if s.system && t.apart {
		return errors.New("work of the control plane itself in the transaction of an organization")
	}
	if _, err := t.conn.ExecContext(ctx, s.statements()); err != nil {
		return fmt.Errorf("set the scope: %w", err)
	}
	t.now = s
	return nil
}

// within runs statements in a transaction.
type within struct{ t *transaction }

// ExecContext runs a statement.
func (w *within) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := w.t.act(ctx); err != nil {
		return nil, err
	}
	if c, ok := asCopy(args); ok {
		n, err := w.copy(ctx, c)
		return affected(n), err
	}
	return w.t.conn.ExecContext(ctx, query, args...) //nolint:wrapcheck // ent looks for the error of the driver
}

// QueryContext runs a query.
func (w *within) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := w.t.act(ctx); err != nil {
		return nil, err
	}
	return w.t.conn.QueryContext(ctx, query, args...) //nolint:wrapcheck // ent looks for the error of the driver
}
