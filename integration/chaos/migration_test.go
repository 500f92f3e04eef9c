package chaos_test

import (
	"testing"

	"github.com/seatrial/seatrial/integration/chaos"
)

// TestMigrationKilled kills a replica while it makes the tables, at several moments. The next one goes on where it was.
func TestMigrationKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts many processes")
	}
	chaos.KillMigrations(t)
}
