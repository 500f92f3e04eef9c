package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/fleet"
	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// KillMigrations kills a replica whenever it has applied so many migrations, and starts one more until nothing is missing.
func KillMigrations(tb testing.TB) {
	tb.Helper()
	program := filepath.Join(programs(tb, "seatrial-controlplane"), "seatrial-controlplane")
	_, dsn, _ := harness.OwnPostgres(tb)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	for _, after := range []int{1, 6, 12, 20} {
		killAfter(tb, db, after, program, "--data-dir", tb.TempDir(), "--database", dsn, "--listen", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(tb)),
			"--agent-listen", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(tb)), "--agent-address", "127.0.0.1:1")
		tb.Logf("killed with %d migrations applied", applied(tb.Context(), db))
	}
	p := fleet.Start(tb, program, "--database", dsn)
	if _, err := p.API(p.Token).EnrollCluster(tb.Context(), &apiv1.EnrollClusterRequest{Name: "harbour"}); err != nil {
		tb.Errorf("after the last migration: %v", err)
	}
}

// killAfter runs a program until so many migrations are applied, or until it is beyond that.
func killAfter(tb testing.TB, db *sql.DB, after int, program string, args ...string) {
	tb.Helper()
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	for applied(ctx, db) < after && pass(ctx, time.Millisecond) {
	}
	if ctx.Err() != nil {
		tb.Errorf("only %d migrations were applied", applied(tb.Context(), db))
	}
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()         // as killed
}

// applied is how many migrations the database has had; none while nobody has begun.
func applied(ctx context.Context, db *sql.DB) (n int) {
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM goose_db_version WHERE version_id > 0").Scan(&n); err != nil {
		return 0
	}
	return n
}
