package database_test

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
	"github.com/seatrial/seatrial/ent/db/team"
	"github.com/seatrial/seatrial/integration/harness"
)

// BenchmarkScope compares the smallest reads and transactions under row level security with the same ones of a superuser whose connection
// names no organization. Arms take turns; medians and their ratios are printed.
func BenchmarkScope(b *testing.B) {
	dsn := harness.Postgres(b)
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
	var organization uuid.UUID
	system := tenant.System(b.Context())
	if err := d.Write(system, func(tx *db.Tx) error {
		org, err := tx.Organization.Create().SetName("one").Save(system)
		if err != nil {
			return err
		}
		organization = org.ID
		return tx.Team.Create().SetOrganizationID(org.ID).SetName("crew").Exec(system)
	}); err != nil {
		b.Fatal(err)
	}
	ctx := tenant.WithViewer(b.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: organization})
	begin := func(client *db.Client) func() error {
		return func() error {
			tx, err := client.Tx(ctx)
			if err != nil {
				return err
			}
			if err := tx.Team.Update().Where(team.ID(uuid.Nil)).SetUpdatedAt(time.Now()).Exec(ctx); err != nil {
				return err
			}
			return tx.Commit()
		}
	}
	read := func(client *db.Client) func() error {
		return func() error {
			_, err := client.Team.Query().Where(team.Name("crew")).Only(ctx)
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
