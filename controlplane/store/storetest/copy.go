package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seatrial/seatrial/controlplane/store/database"
)

// Migrating an empty database takes longer than most tests. They begin with a copy of one that was migrated once; that migrations
// themselves work is proven where they are.

var migrated = sync.OnceValues(func() ([]byte, error) { //nolint:gochecknoglobals // for all tests of a binary
	dir, err := os.MkdirTemp("", "seatrial-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	if err := Migrate(context.Background(), "sqlite:"+path); err != nil { //nolint:forbidigo // it outlives the test that asks first
		return nil, err
	}
	return os.ReadFile(path) // closed, so that all of it is in this file
})

// Migrate brings a database to this version's schema and leaves nothing connected.
func Migrate(ctx context.Context, dsn string) error {
	d, err := database.Open(ctx, dsn, "")
	if err != nil {
		return err
	}
	return d.Close()
}

// SQLite returns the address of a database of the test's own, empty and of this version's schema.
func SQLite(tb testing.TB) (dsn string) {
	tb.Helper()
	content, err := migrated()
	if err != nil {
		tb.Fatalf("make an empty database: %v", err)
	}
	path := filepath.Join(tb.TempDir(), "seatrial.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return "sqlite:" + path
}
