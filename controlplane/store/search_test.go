package store_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/integration/harness"
)

// TestPostgreSQL_Search proves that a question is a few ranges of indexes where a hundred thousand tests can be found, rare words and common
// ones: that row level security keeps none of them from being used. It prints how long questions take.
func TestPostgreSQL_Search(t *testing.T) {
	t.Parallel()
	dsn := harness.Postgres(t)
	s, err := store.Open(t.Context(), dsn, store.WithSecrets(storetest.Secrets(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const org = "018f0000-0000-7000-8000-000000000002"
	pool, err := sql.Open("pgx", dsn+"&seatrial.organization="+org)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	for _, statement := range []string{
		`INSERT INTO search_entries (organization_id, kind, ref, workflow, title, listed)
 SELECT '` + org + `', 'test', 'k' || n, 'w' || n % 200, 'suite ' || n % 500 || ' › test case ' || n, true FROM generate_series(1, 100000) AS n`,
		`INSERT INTO search_words (organization_id, kind, word, entry_id)
 SELECT organization_id, kind, convert_to(w, 'UTF8'), id FROM search_entries, LATERAL (SELECT DISTINCT w FROM regexp_split_to_table(title, '[^a-z0-9]+') AS w WHERE w <> '') AS words`,
		"ANALYZE search_entries", "ANALYZE search_words",
	} {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	plan := explain(t, pool, `SELECT id FROM search_entries WHERE kind = 'test' AND organization_id = '`+org+`' AND id IN (SELECT w.entry_id FROM search_words AS w
 WHERE w.organization_id = '`+org+`' AND w.kind = 'test' AND w.word >= '\x3939'::bytea AND w.word < '\x393a'::bytea ORDER BY w.word LIMIT 200) LIMIT 200`)
	if !strings.Contains(plan, "searchword_organization_id_kind_word_entry_id") || strings.Contains(plan, "Seq Scan on search_words") {
		t.Errorf("a word is no range of the index:\n%s", plan)
	}
	ctx := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.MustParse(org), Role: tenant.RoleViewer, Name: "ann"})
	for _, text := range []string{"99", "t", "test", "case 4242", "suite test case", "case test 7", "nothing"} {
		var took []time.Duration
		for range 30 {
			began := time.Now()
			if _, err := s.Find(ctx, search.Test, search.Terms{Text: text, Words: search.Asked(text), Limit: 11}); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("figures: %q among 100,000 tests: median %s, slowest of 30 %s", text, took[15].Round(time.Millisecond/10), took[29].Round(time.Millisecond/10))
	}
}
