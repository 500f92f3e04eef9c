package snapshot

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/migrations"
)

// maxSaid is how much of what a tool says is shown.
const maxSaid = 2000

// seesAll lets a connection see the rows of all organizations, which the policies of the tables ask for.
const seesAll = "-c seatrial.system=on"

// postgres is a database of PostgreSQL, as the owner of its tables. It is copied by PostgreSQL's own tools, which are in its client package
// and at least as new as the server.
type postgres struct {
	dsn      string // for the driver
	address  string // for the tools, without a password
	password string
}

func postgresOf(dsn string) (Database, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the database address").WithField("database")
	}
	p := postgres{dsn: dsn}
	if u.User != nil { // a command line can be seen by everybody on the machine
		p.password, _ = u.User.Password()
		u.User = url.User(u.User.Username())
	}
	q, err := forTools(u.Query())
	if err != nil {
		return nil, err
	}
	q.Set("options", strings.TrimSpace(q.Get("options")+" "+seesAll))
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	p.address = u.String()
	return p, nil
}

// forTools makes of the parameters of an address for the driver those of one for PostgreSQL's tools, which refuse what they do not know. What
// the driver does not know it sets at the server, which the tools do by an option.
func forTools(q url.Values) (url.Values, error) {
	for _, ours := range []string{"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity", "min_read_buffer_size", "krbspn"} {
		q.Del(ours) // of the driver
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		switch {
		case slices.Contains(parameters(), name):
			continue
		case !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`).MatchString(name):
			return nil, fault.New(fault.Invalid, "%q in the database address is neither a parameter of a connection nor a setting of PostgreSQL", name).
				WithField("database").WithHint("Correct the address: what is after ? has the form name=value&name=value.")
		}
		escaped := strings.NewReplacer(`\`, `\\`, " ", `\ `).Replace(q.Get(name))
		q.Set("options", strings.TrimSpace(q.Get("options")+" -c "+name+"="+escaped))
		q.Del(name)
	}
	return q, nil
}

// parameters are those that the client library of PostgreSQL knows, as its documentation lists them.
func parameters() []string {
	return strings.Fields(`host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout client_encoding options
		application_name fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout replication
		gssencmode sslmode sslnegotiation requiressl sslcompression sslcert sslkey sslkeylogfile sslpassword sslcertmode sslrootcert sslcrl sslcrldir
		sslsni requirepeer ssl_min_protocol_version ssl_max_protocol_version min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation
		service servicefile target_session_attrs load_balance_hosts`)
}

// Kind names the database.
func (postgres) Kind() string { return "postgres" }

// Latest is the last migration that this program knows.
func (postgres) Latest() (int64, error) { return latest(migrations.Postgres) }

// Snapshot runs pg_dump, which reads as of one moment. Nobody waits for it but changes of the schema.
func (p postgres) Snapshot(ctx context.Context, file string) (version int64, err error) {
	db, err := sql.Open("pgx", p.dsn)
	if err != nil {
		return 0, fault.Wrap(fault.Invalid, err, "the database address").WithField("database")
	}
	version, err = schema(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, err
	}
	return version, p.run(ctx, "pg_dump", "--format=custom", "--compress=0", "--no-owner", "--no-privileges", "--no-comments", "--enable-row-security", "--file="+file, "--dbname="+p.address)
}

// Empty is fault.Conflict when the database has a table, but for those of extensions that every new database may have.
func (p postgres) Empty(ctx context.Context) error {
	db, err := sql.Open("pgx", p.dsn)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the database address").WithField("database")
	}
	defer db.Close() //nolint:errcheck // nothing was written
	var table string
	err = db.QueryRowContext(ctx, `SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') LIMIT 1`).Scan(&table)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "the database cannot be reached").WithField("database").
			WithHint("Make an empty database for the restore, owned by the role of its address, and check that the address is right.")
	}
	return fault.New(fault.Conflict, "the database has a table already: %s", table).WithField("database").
		WithHint("A backup is restored into an empty database only. Make a new one, owned by the role of its address.")
}

// Load runs pg_restore in one transaction.
func (p postgres) Load(ctx context.Context, file string) error {
	return p.run(ctx, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments", "--dbname="+p.address, file)
}

// run runs one of the tools.
func (p postgres) run(ctx context.Context, tool string, args ...string) error {
	path, err := exec.LookPath(tool)
	if err != nil {
		return fault.New(fault.Invalid, "there is no %s on this machine", tool).
			WithHint("Install the client package of PostgreSQL, at least as new as the server, and put it into PATH.")
	}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // G204: the operator's own tool and database
	cmd.Env = os.Environ()
	if p.password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+p.password)
	}
	var says bytes.Buffer
	cmd.Stderr = &says
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(says.String())
		if strings.Contains(text, "invalid URI query parameter") { // of a newer version than the tool
			return fault.New(fault.Invalid, "%s does not know a parameter of the database address: %s", tool, text[:min(len(text), maxSaid)]).WithField("database").
				WithHint("Leave the parameter out for this command, or install a newer client package of PostgreSQL.")
		}
		return database.Fault(fmt.Errorf("%s: %w: %s", tool, err, text[:min(len(text), maxSaid)]))
	}
	return nil
}
