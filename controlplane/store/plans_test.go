package store_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/store/storetest"
	"github.com/seatrial/seatrial/integration/harness"
)

// TestPostgreSQL_Plans proves that row level security costs no index: the conditions of an organization's queries are still those of the
// indexes, and whether the control plane itself asks is not even looked at.
func TestPostgreSQL_Plans(t *testing.T) {
	t.Parallel()
	dsn := harness.Postgres(t)
	if err := storetest.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	const org = "018f0000-0000-7000-8000-000000000002"
	pool, err := sql.Open("pgx", dsn+"&seatrial.organization="+org)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	for _, statement := range []string{
		`INSERT INTO test_results (id, created_at, updated_at, environment_name, step_index, severity, suite, name, source, test_key, outcome, duration, message,
 detail, organization_id, execution_id, attempt_id, file_id) SELECT ('018f0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, now(), now(), 'staging', 0, 3,
 '', 'n', '', 'k' || n % 1000, CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'passed' END, 1, '', '', '` + org + `',
 ('018f0000-0000-7000-8000-' || lpad(to_hex(n / 1000), 12, '0'))::uuid, gen_random_uuid(), gen_random_uuid() FROM generate_series(1, 50000) AS n`,
		"ANALYZE test_results_before",
	} {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for query, index := range map[string]string{
		"SELECT * FROM test_results WHERE test_key IN ('k5') AND organization_id = '" + org + "' ORDER BY id DESC LIMIT 100":                                                          "test_results_before_test_key_id",
		"SELECT * FROM test_results WHERE execution_id = '018f0000-0000-7000-8000-000000000005' AND severity < 2 AND organization_id = '" + org + "' ORDER BY severity, id LIMIT 100": "test_results_before_execution_id_severity_id",
		"SELECT id FROM test_results WHERE organization_id = '" + org + "' AND outcome IN ('failed', 'errored', 'timed_out') ORDER BY id DESC LIMIT 100":                              "test_results_before_organization_id_id",
	} {
		plan := explain(t, pool, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan on test_results_before") {
			t.Errorf("%s\ndoes not use %s:\n%s", query, index, plan)
		}
		if !strings.Contains(plan, "never executed") {
			t.Errorf("%s\nasks for every row whether the control plane is asking:\n%s", query, plan)
		}
	}
}

func explain(t *testing.T, pool *sql.DB, query string) string {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), "EXPLAIN ANALYZE "+query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return strings.Join(lines, "\n")
}
