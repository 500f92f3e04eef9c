package harness_test

import (
	"database/sql"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seatrial/seatrial/integration/harness"
)

func TestPostgres_EachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	first, second := harness.Postgres(t), harness.Postgres(t)
	if first == second {
		t.Fatal("two calls share a database")
	}
	for _, dsn := range []string{first, second} {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE only_here (id int)"); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRedis_Answers(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: harness.Redis(t)})
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}
