#!/bin/sh
# PostgreSQL for tests: a new, empty cluster at each start, reachable over TCP by user postgres with the password in
# POSTGRES_PASSWORD. Nothing it holds is meant to last, so it does not wait for the disk.
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
data=/tmp/data
install -d -o postgres -g postgres "$data" /var/run/postgresql
printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
chown postgres /tmp/password
setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/initdb" --pgdata="$data" --auth=scram-sha-256 --pwfile=/tmp/password --encoding=UTF8 --locale=C >/dev/null
rm /tmp/password
echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
exec setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$data" -c listen_addresses='*' -c fsync=off -c max_connections=200
