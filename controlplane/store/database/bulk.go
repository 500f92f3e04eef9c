package database

import (
	"context"
	"database/sql"
	"fmt"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seatrial/seatrial/ent/db"
)

// Bulk takes many rows at once, in the transaction that it belongs to. It is nil on SQLite, which has nothing of the kind.
type Bulk struct{ conn *sql.Conn }

// WriteBulk is Write with a way to store many rows at once, past the privacy rules: fn has to prove that they are the viewer's.
func (d *Database) WriteBulk(ctx context.Context, fn func(tx *db.Tx, into *Bulk) error) error {
	if !d.Locking() {
		return d.Write(ctx, func(tx *db.Tx) error { return fn(tx, nil) })
	}
	return d.write(ctx, func() error {
		conn, err := d.pool.Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer conn.Close() //nolint:errcheck // it goes back to the pool
		client := db.NewClient(db.Driver(pinned{entsql.NewDriver(dialect.Postgres, entsql.Conn{ExecQuerier: conn}), conn}))
		return once(ctx, client, func(tx *db.Tx) error { return fn(tx, &Bulk{conn}) })
	})
}

// Copy stores rows by COPY, as they come. Each has a value for each column, in their order.
func (b *Bulk) Copy(ctx context.Context, table string, columns []string, rows pgx.CopyFromSource) error {
	err := b.conn.Raw(func(raw any) error {
		c, ok := raw.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of type %T has no COPY", raw)
		}
		_, err := c.Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, rows)
		return err
	})
	if err != nil {
		return fmt.Errorf("copy into %s: %w", table, err)
	}
	return nil
}

// pinned begins its transactions on one connection, so that what is done there beside ent belongs to them.
type pinned struct {
	*entsql.Driver
	conn *sql.Conn
}

// Tx begins a transaction.
func (p pinned) Tx(ctx context.Context) (dialect.Tx, error) {
	tx, err := p.conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says that it is the beginning of a transaction
	}
	return &entsql.Tx{Conn: entsql.NewDriver(dialect.Postgres, entsql.Conn{ExecQuerier: tx}).Conn, Tx: tx}, nil
}

// Close does nothing: the connection is its owner's.
func (p pinned) Close() error { return nil }
