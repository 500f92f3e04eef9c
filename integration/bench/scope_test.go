package bench_test

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/workflow"
	"github.com/seatrial/seatrial/integration/harness"
)

// BenchmarkScope compares the smallest reads and transactions under row level security with the same ones of a superuser whose connection
// names no organization. Arms take turns; medians and their ratios are printed.
func BenchmarkScope(b *testing.B) {
	dsn := harness.Postgres(b)
	w := open(b, dsn)
	d, err := database.Open(b.Context(), dsn, "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	pool, err := sql.Open("pgx", harness.PostgresAdmin(b, dsn))
	if err != nil {
		b.Fatal(err)
	}
	bare := db.NewClient(db.Driver(entsql.OpenDB(dialect.Postgres, pool)))
	b.Cleanup(func() { _ = bare.Close() })
	ctx := tenant.WithViewer(b.Context(), w.member)
	begin := func(client *db.Client) func() error {
		return func() error {
			tx, err := client.Tx(ctx)
			if err != nil {
				return err
			}
			if err := tx.Workflow.Update().Where(workflow.ID(uuid.Nil)).SetRevision(1).Exec(ctx); err != nil {
				return err
			}
			return tx.Commit()
		}
	}
	read := func(client *db.Client) func() error {
		return func() error {
			_, err := client.Workflow.Query().Where(workflow.Name(w.flow.Name)).Only(ctx)
			return err
		}
	}
	arms := map[string]func() error{"read": read(d.Read()), "read bare": read(bare), "transaction": begin(d.Read()), "transaction bare": begin(bare)}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for name, arm := range arms {
			begun := time.Now()
			if err := arm(); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			took[name] = append(took[name], time.Since(begun))
		}
	}
	for _, name := range []string{"read", "transaction"} {
		slices.Sort(took[name])
		slices.Sort(took[name+" bare"])
		with, without := took[name][len(took[name])/2], took[name+" bare"][len(took[name])/2]
		b.Logf("%s: %s, without %s: ratio %.2f", name, with, without, float64(with)/float64(without))
	}
}
