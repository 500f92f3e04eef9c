-- +goose Up
-- create "schedules" table
CREATE TABLE "schedules" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "name" character varying NOT NULL,
  "workflow" character varying NOT NULL DEFAULT '',
  "labels" jsonb NULL,
  "revision" bigint NOT NULL DEFAULT 1,
  "digest" character varying NOT NULL,
  "source" text NOT NULL DEFAULT '',
  "spec" bytea NOT NULL,
  "suspended_by" character varying NOT NULL DEFAULT '',
  "suspended_at" timestamptz NULL,
  "removed_at" timestamptz NULL,
  "next_due" timestamptz NULL,
  "next_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "team_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "schedules_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "schedules_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "schedule_next_at" to table: "schedules"
CREATE INDEX "schedule_next_at" ON "schedules" ("next_at");
-- create index "schedule_organization_id_name" to table: "schedules"
CREATE UNIQUE INDEX "schedule_organization_id_name" ON "schedules" ("organization_id", "name");
-- create index "schedule_organization_id_workflow" to table: "schedules"
CREATE INDEX "schedule_organization_id_workflow" ON "schedules" ("organization_id", "workflow");
-- create "firings" table
CREATE TABLE "firings" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "due" timestamptz NOT NULL,
  "planned" timestamptz NOT NULL,
  "actor" character varying NOT NULL DEFAULT '',
  "state" character varying NOT NULL,
  "reason" text NOT NULL DEFAULT '',
  "starts" bytea NULL,
  "fired_at" timestamptz NULL,
  "leased_until" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "schedule_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "firings_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "firings_schedules_schedule" FOREIGN KEY ("schedule_id") REFERENCES "schedules" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "firing_created_at" to table: "firings"
CREATE INDEX "firing_created_at" ON "firings" ("created_at");
-- create index "firing_organization_id_schedule_id_due" to table: "firings"
CREATE UNIQUE INDEX "firing_organization_id_schedule_id_due" ON "firings" ("organization_id", "schedule_id", "due");
-- create index "firing_state_leased_until" to table: "firings"
CREATE INDEX "firing_state_leased_until" ON "firings" ("state", "leased_until");

-- +goose Down
-- reverse: create index "firing_state_leased_until" to table: "firings"
DROP INDEX "firing_state_leased_until";
-- reverse: create index "firing_organization_id_schedule_id_due" to table: "firings"
DROP INDEX "firing_organization_id_schedule_id_due";
-- reverse: create index "firing_created_at" to table: "firings"
DROP INDEX "firing_created_at";
-- reverse: create "firings" table
DROP TABLE "firings";
-- reverse: create index "schedule_organization_id_workflow" to table: "schedules"
DROP INDEX "schedule_organization_id_workflow";
-- reverse: create index "schedule_organization_id_name" to table: "schedules"
DROP INDEX "schedule_organization_id_name";
-- reverse: create index "schedule_next_at" to table: "schedules"
DROP INDEX "schedule_next_at";
-- reverse: create "schedules" table
DROP TABLE "schedules";
