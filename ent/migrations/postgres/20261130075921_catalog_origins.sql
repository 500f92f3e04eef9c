-- +goose Up
-- modify "clusters" table
ALTER TABLE "clusters" ADD COLUMN "catalog_team_id" uuid NULL, ADD COLUMN "catalog_kinds" character varying NOT NULL DEFAULT 'tests';
-- modify "environments" table
ALTER TABLE "environments" ADD COLUMN "removed_at" timestamptz NULL;
-- modify "readiness_policies" table
ALTER TABLE "readiness_policies" ADD COLUMN "removed_at" timestamptz NULL;
-- modify "templates" table
ALTER TABLE "templates" ADD COLUMN "removed_at" timestamptz NULL;
-- modify "workflows" table
ALTER TABLE "workflows" ADD COLUMN "removed_at" timestamptz NULL;
-- create "claims" table
CREATE TABLE "claims" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "kind" character varying NOT NULL,
  "name" character varying NOT NULL,
  "origin" character varying NOT NULL,
  "cluster_id" uuid NULL,
  "namespace" character varying NOT NULL DEFAULT '',
  "repository_id" uuid NULL,
  "place" character varying NOT NULL DEFAULT '',
  "path" character varying NOT NULL DEFAULT '',
  "line" bigint NOT NULL DEFAULT 0,
  "uid" character varying NOT NULL DEFAULT '',
  "generation" bigint NOT NULL DEFAULT 0,
  "digest" character varying NOT NULL DEFAULT '',
  "source" text NOT NULL DEFAULT '',
  "adopt" boolean NOT NULL DEFAULT false,
  "owns" boolean NOT NULL DEFAULT false,
  "reason" character varying NOT NULL DEFAULT '',
  "message" text NOT NULL DEFAULT '',
  "revision" bigint NOT NULL DEFAULT 0,
  "execution_id" uuid NULL,
  "organization_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "claims_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "claim_organization_id_cluster_id" to table: "claims"
CREATE INDEX "claim_organization_id_cluster_id" ON "claims" ("organization_id", "cluster_id");
-- create index "claim_organization_id_kind_name" to table: "claims"
CREATE UNIQUE INDEX "claim_organization_id_kind_name" ON "claims" ("organization_id", "kind", "name") WHERE owns;
-- create index "claim_organization_id_kind_name_origin" to table: "claims"
CREATE UNIQUE INDEX "claim_organization_id_kind_name_origin" ON "claims" ("organization_id", "kind", "name", "origin");
-- create index "claim_organization_id_repository_id" to table: "claims"
CREATE INDEX "claim_organization_id_repository_id" ON "claims" ("organization_id", "repository_id");
-- create "repositories" table
CREATE TABLE "repositories" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "name" character varying NOT NULL,
  "url" character varying NOT NULL,
  "branch" character varying NOT NULL DEFAULT '',
  "path" character varying NOT NULL DEFAULT '',
  "kinds" character varying NOT NULL DEFAULT 'tests',
  "credential" boolean NOT NULL DEFAULT false,
  "interval" bigint NOT NULL DEFAULT 300,
  "commit" character varying NOT NULL DEFAULT '',
  "documents" bigint NOT NULL DEFAULT 0,
  "failure" text NOT NULL DEFAULT '',
  "problems" jsonb NULL,
  "synced_at" timestamptz NULL,
  "due_at" timestamptz NULL,
  "leased_until" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "team_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "repositories_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "repositories_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "repository_due_at" to table: "repositories"
CREATE INDEX "repository_due_at" ON "repositories" ("due_at");
-- create index "repository_organization_id_name" to table: "repositories"
CREATE UNIQUE INDEX "repository_organization_id_name" ON "repositories" ("organization_id", "name");

-- +goose Down
-- reverse: create index "repository_organization_id_name" to table: "repositories"
DROP INDEX "repository_organization_id_name";
-- reverse: create index "repository_due_at" to table: "repositories"
DROP INDEX "repository_due_at";
-- reverse: create "repositories" table
DROP TABLE "repositories";
-- reverse: create index "claim_organization_id_repository_id" to table: "claims"
DROP INDEX "claim_organization_id_repository_id";
-- reverse: create index "claim_organization_id_kind_name_origin" to table: "claims"
DROP INDEX "claim_organization_id_kind_name_origin";
-- reverse: create index "claim_organization_id_kind_name" to table: "claims"
DROP INDEX "claim_organization_id_kind_name";
-- reverse: create index "claim_organization_id_cluster_id" to table: "claims"
DROP INDEX "claim_organization_id_cluster_id";
-- reverse: create "claims" table
DROP TABLE "claims";
-- reverse: modify "workflows" table
ALTER TABLE "workflows" DROP COLUMN "removed_at";
-- reverse: modify "templates" table
ALTER TABLE "templates" DROP COLUMN "removed_at";
-- reverse: modify "readiness_policies" table
ALTER TABLE "readiness_policies" DROP COLUMN "removed_at";
-- reverse: modify "environments" table
ALTER TABLE "environments" DROP COLUMN "removed_at";
-- reverse: modify "clusters" table
ALTER TABLE "clusters" DROP COLUMN "catalog_kinds", DROP COLUMN "catalog_team_id";
