package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/seatrial/seatrial/ent/db"
)

// copied is the one argument of a statement that is a COPY.
type copied struct {
	into    pgx.Identifier
	columns []string
	rows    pgx.CopyFromSource
}

// Copy stores rows as they come, each with a value for each column. It is for temporary tables on PostgreSQL: COPY is refused for tables
// that have row level security.
func Copy(ctx context.Context, tx *db.Tx, table string, columns []string, rows pgx.CopyFromSource) error {
	_, err := tx.ExecContext(ctx, "COPY", copied{pgx.Identifier{table}, columns, rows})
	return err
}

func (w *within) copy(ctx context.Context, c copied) (n int64, err error) {
	err = raw(w.t.conn, func(conn *pgx.Conn) (err error) {
		n, err = conn.CopyFrom(ctx, c.into, c.columns, c.rows)
		return err //nolint:wrapcheck // of the table, which the error names
	})
	if err != nil {
		return 0, fmt.Errorf("copy: %w", err)
	}
	return n, nil
}

// asCopy tells a COPY from other statements.
func asCopy(args []any) (copied, bool) {
	if len(args) != 1 {
		return copied{}, false
	}
	c, ok := args[0].(copied)
	return c, ok
}

// affected is the result of a COPY.
func affected(n int64) sql.Result { return driver.RowsAffected(n) }
