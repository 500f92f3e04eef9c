package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	entsql "entgo.io/ent/dialect/sql"
	entschema "entgo.io/ent/dialect/sql/schema"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/file"
	"github.com/seatrial/seatrial/ent/db/migrate"
	"github.com/seatrial/seatrial/ent/db/organization"
	"github.com/seatrial/seatrial/ent/db/receiver"
	"github.com/seatrial/seatrial/ent/db/setting"
)

// estateBatch is how many rows of an organization a transaction deletes.
const estateBatch = 1000

const ownerColumn = "organization_id"

// estate returns the tables that have rows of organizations, those that refer to others before them, and the references that have to be
// forgotten first, because they go round in a circle.
func estate() (tables []*entschema.Table, circular []reference) {
	left := slices.DeleteFunc(slices.Clone(migrate.Tables), func(t *entschema.Table) bool { return !t.HasColumn(ownerColumn) })
	for _, weak := range []bool{false, true} {
		for progress := true; progress; {
			progress = false
			for _, t := range left {
				if referred(t, left, weak) {
					continue
				}
				tables, progress = append(tables, t), true
				left = slices.DeleteFunc(left, func(other *entschema.Table) bool { return other == t })
				break
			}
		}
	}
	tables = append(tables, left...) // of which the database says why not
	for i, t := range tables {
		for _, k := range t.ForeignKeys {
			if at := slices.Index(tables, k.RefTable); at >= 0 && at <= i && k.Columns[0].Nullable {
				circular = append(circular, reference{t.Name, k.Columns[0].Name})
			}
		}
	}
	return tables, circular
}

type reference struct{ table, column string }

// referred reports whether another table that is left refers to t; with weak, references that can be forgotten do not count.
func referred(t *entschema.Table, left []*entschema.Table, weak bool) bool {
	return slices.ContainsFunc(left, func(other *entschema.Table) bool {
		return other != t && slices.ContainsFunc(other.ForeignKeys, func(k *entschema.ForeignKey) bool {
			return k.RefTable == t && (!weak || !k.Columns[0].Nullable)
		})
	})
}

// ExportOrganization calls take with each row of an organization as JSON, table by table. What opens something is left out: hashes of
// passwords and tokens, and the private keys of signatures.
func (s *Store) ExportOrganization(ctx context.Context, of tenant.ID, take func(table string, row json.RawMessage) error) error {
	ctx = tenant.System(ctx)
	tables, _ := estate()
	slices.Reverse(tables) // what is referred to comes first
	for _, t := range tables {
		if err := s.exportTable(ctx, t, of, take); err != nil {
			return fmt.Errorf("export %s: %w", t.Name, database.Fault(err))
		}
	}
	return nil
}

func (s *Store) exportTable(ctx context.Context, t *entschema.Table, of tenant.ID, take func(string, json.RawMessage) error) error {
	var names []string
	for _, c := range t.Columns {
		if !opens(t.Name, c.Name) {
			names = append(names, `"`+c.Name+`"`)
		}
	}
	query := fmt.Sprintf(`SELECT %s FROM "%s" WHERE "%s" = ? ORDER BY "%s"`, strings.Join(names, ", "), t.Name, ownerColumn, t.PrimaryKey[0].Name)
	if s.db.Locking() {
		query = "SELECT row_to_json(r)::text FROM (" + query + ") AS r"
	}
	var from interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	} = s.db.Read()
	if s.db.Locking() { // rows are seen in a transaction only, which says whose they are
		tx, err := s.db.Read().Tx(ctx)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		defer func() { _ = tx.Rollback() }() // nothing was changed
		from = tx
	}
	rows, err := from.QueryContext(ctx, s.numbered(query), of)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what matters
	for rows.Next() {
		row, err := rowJSON(rows, t, s.db.Locking())
		if err != nil {
			return err
		}
		if err := take(t.Name, row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// rowJSON returns a row as JSON, which PostgreSQL writes itself.
func rowJSON(rows *sql.Rows, t *entschema.Table, whole bool) (json.RawMessage, error) {
	if whole {
		var text string
		err := rows.Scan(&text)
		return json.RawMessage(text), err
	}
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for i, name := range names {
		out[name] = values[i]
		if c, ok := t.Column(name); ok && c.Type.String() == "json.RawMessage" {
			if text, ok := values[i].(string); ok {
				out[name] = json.RawMessage(text)
			}
		}
	}
	return json.Marshal(out)
}

// opens reports whether a column holds what opens something, or tells how.
func opens(table, column string) bool {
	switch {
	case strings.Contains(column, "password"), strings.Contains(column, "secret"), strings.Contains(column, "recovery"):
		return true
	}
	return column == "hash" && !strings.HasPrefix(table, "audit_")
}

// DeleteOrganization removes every row of an organization whose state is tenant.Deleting, a batch in each transaction, and at last the
// organization itself. Interrupted, it goes on where it was when it is called again. Removed is told of each batch.
func (s *Store) DeleteOrganization(ctx context.Context, of tenant.ID, removed func(table string, rows int64)) error {
	ctx = tenant.System(ctx)
	row, err := s.db.Read().Organization.Get(ctx, of)
	if err != nil {
		return missing(err, "organization", of)
	}
	if tenant.State(row.State) != tenant.Deleting {
		return fault.New(fault.Conflict, "the organization %s is not to be deleted", row.Name)
	}
	receivers, err := s.db.Read().Receiver.Query().Where(receiver.OrganizationID(of)).IDs(ctx)
	if err != nil {
		return database.Fault(err)
	}
	if err := s.forgetReceivers(ctx, receivers...); err != nil {
		return fmt.Errorf("forget what receivers keep secret: %w", err)
	}
	tables, circular := estate()
	for _, r := range circular {
		statement := fmt.Sprintf(`UPDATE "%[1]s" SET "%[2]s" = NULL WHERE id IN (SELECT id FROM "%[1]s" WHERE "%[3]s" = ? AND "%[2]s" IS NOT NULL LIMIT %[4]d)`, r.table, r.column, ownerColumn, estateBatch)
		if err := s.batches(ctx, statement, of, func(int64) {}); err != nil {
			return fmt.Errorf("forget %s of %s: %w", r.column, r.table, err)
		}
	}
	for _, t := range tables {
		statement := fmt.Sprintf(`DELETE FROM "%[1]s" WHERE id IN (SELECT id FROM "%[1]s" WHERE "%[2]s" = ? LIMIT %[3]d)`, t.Name, ownerColumn, estateBatch)
		if err := s.batches(ctx, statement, of, func(n int64) { removed(t.Name, n) }); err != nil {
			return fmt.Errorf("delete rows of %s: %w", t.Name, err)
		}
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Setting.Delete().Where(setting.Or(setting.ID(signingKey(of)), func(sel *entsql.Selector) {
			sel.Where(entsql.HasPrefix(sel.C(setting.FieldID), credentialsOf(of)))
		})).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.Organization.Delete().Where(organization.ID(of), organization.State(string(tenant.Deleting))).Exec(ctx)
		return err
	})
}

// batches runs a statement, each time in a transaction of its own, until it changes nothing.
func (s *Store) batches(ctx context.Context, statement string, of tenant.ID, done func(rows int64)) error {
	for {
		var n int64
		err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = s.exec(ctx, tx, statement, of)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
		done(n)
	}
}

// StoredFiles calls take with the key of each file that there is a record of, and how many bytes it is stored as.
func (s *Store) StoredFiles(ctx context.Context, take func(key string, bytes int64) error) error {
	ctx = tenant.System(ctx)
	for after := uuid.Nil; ; {
		rows, err := s.db.Read().File.Query().Where(file.IDGT(after)).Order(file.ByID()).Limit(estateBatch).
			Select(file.FieldBlob, file.FieldSize, file.FieldEncoding, file.FieldStoredSize).All(ctx)
		if err != nil {
			return database.Fault(err)
		}
		for _, row := range rows {
			after = row.ID
			size := row.Size
			if row.Encoding != "" {
				size = row.StoredSize
			}
			if err := take(row.Blob, size); err != nil {
				return err
			}
		}
		if len(rows) < estateBatch {
			return nil
		}
	}
}
