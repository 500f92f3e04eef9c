-- +goose Up
-- modify "agent_commands" table
ALTER TABLE "agent_commands" ADD COLUMN "turn" bigint NOT NULL DEFAULT 0;
-- modify "executions" table
ALTER TABLE "executions" ADD COLUMN "templates" jsonb NULL, ADD COLUMN "priority" bigint NOT NULL DEFAULT 50;
-- modify "runs" table
ALTER TABLE "runs" ADD COLUMN "retries" bigint NOT NULL DEFAULT 0, ADD COLUMN "concurrency_group" character varying NOT NULL DEFAULT '', ADD COLUMN "concurrency_limit" bigint NOT NULL DEFAULT 0, ADD COLUMN "on_conflict" character varying NOT NULL DEFAULT '', ADD COLUMN "admitted_at" timestamptz NULL;
-- create index "run_organization_id_concurrency_group_status" to table: "runs"
CREATE INDEX "run_organization_id_concurrency_group_status" ON "runs" ("organization_id", "concurrency_group", "status");
-- create index "run_status_concurrency_group" to table: "runs"
CREATE INDEX "run_status_concurrency_group" ON "runs" ("status", "concurrency_group");
-- create "concurrency_groups" table
CREATE TABLE "concurrency_groups" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "name" character varying NOT NULL,
  "organization_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "concurrency_groups_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "concurrencygroup_organization_id_name" to table: "concurrency_groups"
CREATE UNIQUE INDEX "concurrencygroup_organization_id_name" ON "concurrency_groups" ("organization_id", "name");
-- create "templates" table
CREATE TABLE "templates" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "name" character varying NOT NULL,
  "labels" jsonb NULL,
  "description" character varying NOT NULL DEFAULT '',
  "revision" bigint NOT NULL DEFAULT 1,
  "organization_id" uuid NOT NULL,
  "team_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "templates_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "templates_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "template_organization_id_name" to table: "templates"
CREATE UNIQUE INDEX "template_organization_id_name" ON "templates" ("organization_id", "name");
-- create "template_revisions" table
CREATE TABLE "template_revisions" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "number" bigint NOT NULL,
  "digest" character varying NOT NULL,
  "source" text NOT NULL,
  "organization_id" uuid NOT NULL,
  "template_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "template_revisions_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "template_revisions_templates_template" FOREIGN KEY ("template_id") REFERENCES "templates" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "templaterevision_organization_id_template_id_number" to table: "template_revisions"
CREATE UNIQUE INDEX "templaterevision_organization_id_template_id_number" ON "template_revisions" ("organization_id", "template_id", "number");
-- create "template_uses" table
CREATE TABLE "template_uses" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "template" character varying NOT NULL,
  "user_kind" character varying NOT NULL,
  "user_name" character varying NOT NULL,
  "organization_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "template_uses_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "templateuse_organization_id_template" to table: "template_uses"
CREATE INDEX "templateuse_organization_id_template" ON "template_uses" ("organization_id", "template");
-- create index "templateuse_organization_id_user_kind_user_name_template" to table: "template_uses"
CREATE UNIQUE INDEX "templateuse_organization_id_user_kind_user_name_template" ON "template_uses" ("organization_id", "user_kind", "user_name", "template");

-- +goose Down
-- reverse: create index "templateuse_organization_id_user_kind_user_name_template" to table: "template_uses"
DROP INDEX "templateuse_organization_id_user_kind_user_name_template";
-- reverse: create index "templateuse_organization_id_template" to table: "template_uses"
DROP INDEX "templateuse_organization_id_template";
-- reverse: create "template_uses" table
DROP TABLE "template_uses";
-- reverse: create index "templaterevision_organization_id_template_id_number" to table: "template_revisions"
DROP INDEX "templaterevision_organization_id_template_id_number";
-- reverse: create "template_revisions" table
DROP TABLE "template_revisions";
-- reverse: create index "template_organization_id_name" to table: "templates"
DROP INDEX "template_organization_id_name";
-- reverse: create "templates" table
DROP TABLE "templates";
-- reverse: create index "concurrencygroup_organization_id_name" to table: "concurrency_groups"
DROP INDEX "concurrencygroup_organization_id_name";
-- reverse: create "concurrency_groups" table
DROP TABLE "concurrency_groups";
-- reverse: create index "run_status_concurrency_group" to table: "runs"
DROP INDEX "run_status_concurrency_group";
-- reverse: create index "run_organization_id_concurrency_group_status" to table: "runs"
DROP INDEX "run_organization_id_concurrency_group_status";
-- reverse: modify "runs" table
ALTER TABLE "runs" DROP COLUMN "admitted_at", DROP COLUMN "on_conflict", DROP COLUMN "concurrency_limit", DROP COLUMN "concurrency_group", DROP COLUMN "retries";
-- reverse: modify "executions" table
ALTER TABLE "executions" DROP COLUMN "priority", DROP COLUMN "templates";
-- reverse: modify "agent_commands" table
ALTER TABLE "agent_commands" DROP COLUMN "turn";
