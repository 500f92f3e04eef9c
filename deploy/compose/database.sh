#!/bin/bash
# Runs once, in the image of PostgreSQL: makes the database and the role that owns it. A superuser would see through row level security.
set -euo pipefail
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set password="$SEATRIAL_PASSWORD" <<'SQL'
CREATE ROLE seatrial LOGIN PASSWORD :'password';
CREATE DATABASE seatrial OWNER seatrial;
SQL
