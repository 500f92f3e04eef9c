package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/migrations"
)

// openPostgres migrates as the owner of the tables and connects.
func openPostgres(ctx context.Context, dsn, system string) (_ *Database, err error) {
	driver := &scoped{}
	if driver.tenants, err = pool(dsn, "database"); err != nil {
		return nil, err
	}
	driver.system = driver.tenants
	if system != "" {
		if driver.system, err = pool(system, "database-system"); err != nil {
			return nil, errors.Join(err, driver.tenants.Close())
		}
	}
	out := &Database{dialect: migrations.Postgres, client: db.NewClient(db.Driver(driver))}
	if err := out.ready(ctx, driver, cmp.Or(system, dsn)); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

func pool(dsn, flag string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the database address").WithField(flag)
	}
	out := stdlib.OpenDB(*config)
	out.SetMaxOpenConns(maxConns)
	out.SetMaxIdleConns(idleConns)
	out.SetConnMaxLifetime(connLife)
	return out, nil
}

// ready brings the schema to this version, lets the role of the organizations use it, and finds out whether the policies apply to that.
func (d *Database) ready(ctx context.Context, driver *scoped, owner string) error {
	if err := migrate(ctx, owner); err != nil {
		return err
	}
	var role string
	var exempt bool
	if err := driver.tenants.QueryRowContext(ctx, "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&role, &exempt); err != nil {
		return unreachable(err)
	}
	if exempt {
		d.unguarded = role
	}
	if driver.system != driver.tenants {
		if err := grant(ctx, driver.system, role); err != nil {
			return err
		}
	}
	if err := driver.tenants.QueryRowContext(ctx, "SELECT has_database_privilege(current_database(), 'TEMPORARY')").Scan(&d.temporary); err != nil {
		return unreachable(err)
	}
	return nil
}

// migrate runs on connections of its own: a migration may change rows of all organizations.
func migrate(ctx context.Context, dsn string) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the database address").WithField("database")
	}
	all := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET seatrial.system = 'on'")
		return err //nolint:wrapcheck // the driver says that it is about connecting
	}))
	return errors.Join(prepare(ctx, all, migrations.Postgres), all.Close())
}

// grant lets a role read and change rows. It owns nothing, so the policies hold for it whatever it sets.
func grant(ctx context.Context, owner *sql.DB, role string) error {
	name := pgx.Identifier{role}.Sanitize()
	_, err := owner.ExecContext(ctx, fmt.Sprintf(`DO $$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('seatrial grants', 0));
  EXECUTE format('GRANT USAGE ON SCHEMA %%I TO %[1]s', current_schema());
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %%I TO %[1]s', current_schema());
  EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %%I TO %[1]s', current_schema());
  REVOKE ALL ON goose_db_version FROM %[1]s;
END $$`, name))
	if err != nil {
		return Fault(fmt.Errorf("grant the tables to %s: %w", name, err))
	}
	return nil
}
