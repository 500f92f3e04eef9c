-- +goose Up
-- create "snapshots" table
CREATE TABLE "snapshots" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "state" character varying NOT NULL,
  "maker" character varying NOT NULL,
  "hash" bytea NOT NULL,
  "content" bytea NOT NULL,
  "expires_at" timestamptz NOT NULL,
  "revoked_by" character varying NOT NULL DEFAULT '',
  "revoked_at" timestamptz NULL,
  "opened_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "release_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "snapshots_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "snapshots_releases_release" FOREIGN KEY ("release_id") REFERENCES "releases" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "snapshot_hash" to table: "snapshots"
CREATE INDEX "snapshot_hash" ON "snapshots" ("hash");
-- create index "snapshot_organization_id_hash" to table: "snapshots"
CREATE UNIQUE INDEX "snapshot_organization_id_hash" ON "snapshots" ("organization_id", "hash");
-- create index "snapshot_release_id" to table: "snapshots"
CREATE INDEX "snapshot_release_id" ON "snapshots" ("release_id");

-- +goose Down
-- reverse: create index "snapshot_release_id" to table: "snapshots"
DROP INDEX "snapshot_release_id";
-- reverse: create index "snapshot_organization_id_hash" to table: "snapshots"
DROP INDEX "snapshot_organization_id_hash";
-- reverse: create index "snapshot_hash" to table: "snapshots"
DROP INDEX "snapshot_hash";
-- reverse: create "snapshots" table
DROP TABLE "snapshots";
