-- +goose Up
-- create "notices" table
CREATE TABLE "notices" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "kind" character varying NOT NULL,
  "subject_id" uuid NOT NULL,
  "data" jsonb NULL,
  "due_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "notices_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "notice_created_at" to table: "notices"
CREATE INDEX "notice_created_at" ON "notices" ("created_at");
-- create index "notice_due_at" to table: "notices"
CREATE INDEX "notice_due_at" ON "notices" ("due_at");
-- create "webhooks" table
CREATE TABLE "webhooks" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "name" character varying NOT NULL,
  "format" character varying NOT NULL,
  "address" character varying NOT NULL,
  "sealed" bytea NULL,
  "events" jsonb NULL,
  "workflows" jsonb NULL,
  "labels" jsonb NULL,
  "environments" jsonb NULL,
  "template" text NOT NULL DEFAULT '',
  "paused_by" character varying NOT NULL DEFAULT '',
  "paused_because" text NOT NULL DEFAULT '',
  "paused_at" timestamptz NULL,
  "rotated_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "team_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "webhooks_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "webhooks_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "webhook_organization_id_name" to table: "webhooks"
CREATE UNIQUE INDEX "webhook_organization_id_name" ON "webhooks" ("organization_id", "name");
-- create "deliveries" table
CREATE TABLE "deliveries" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "event" character varying NOT NULL,
  "about" character varying NOT NULL DEFAULT '',
  "path" character varying NOT NULL DEFAULT '',
  "body" bytea NOT NULL,
  "state" character varying NOT NULL DEFAULT 'pending',
  "attempts" bigint NOT NULL DEFAULT 0,
  "begun_at" timestamptz NOT NULL,
  "next_at" timestamptz NULL,
  "leased_until" timestamptz NULL,
  "tried_at" timestamptz NULL,
  "code" bigint NOT NULL DEFAULT 0,
  "took" bigint NOT NULL DEFAULT 0,
  "answer" bytea NULL,
  "error" text NOT NULL DEFAULT '',
  "organization_id" uuid NOT NULL,
  "webhook_id" uuid NOT NULL,
  "notice_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "deliveries_notices_notice" FOREIGN KEY ("notice_id") REFERENCES "notices" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "deliveries_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "deliveries_webhooks_webhook" FOREIGN KEY ("webhook_id") REFERENCES "webhooks" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "delivery_created_at" to table: "deliveries"
CREATE INDEX "delivery_created_at" ON "deliveries" ("created_at");
-- create index "delivery_next_at" to table: "deliveries"
CREATE INDEX "delivery_next_at" ON "deliveries" ("next_at");
-- create index "delivery_notice_id" to table: "deliveries"
CREATE INDEX "delivery_notice_id" ON "deliveries" ("notice_id");
-- create index "delivery_organization_id_webhook_id_notice_id" to table: "deliveries"
CREATE UNIQUE INDEX "delivery_organization_id_webhook_id_notice_id" ON "deliveries" ("organization_id", "webhook_id", "notice_id");
-- create index "delivery_webhook_id_leased_until" to table: "deliveries"
CREATE INDEX "delivery_webhook_id_leased_until" ON "deliveries" ("webhook_id", "leased_until");

-- +goose Down
-- reverse: create index "delivery_webhook_id_leased_until" to table: "deliveries"
DROP INDEX "delivery_webhook_id_leased_until";
-- reverse: create index "delivery_organization_id_webhook_id_notice_id" to table: "deliveries"
DROP INDEX "delivery_organization_id_webhook_id_notice_id";
-- reverse: create index "delivery_notice_id" to table: "deliveries"
DROP INDEX "delivery_notice_id";
-- reverse: create index "delivery_next_at" to table: "deliveries"
DROP INDEX "delivery_next_at";
-- reverse: create index "delivery_created_at" to table: "deliveries"
DROP INDEX "delivery_created_at";
-- reverse: create "deliveries" table
DROP TABLE "deliveries";
-- reverse: create index "webhook_organization_id_name" to table: "webhooks"
DROP INDEX "webhook_organization_id_name";
-- reverse: create "webhooks" table
DROP TABLE "webhooks";
-- reverse: create index "notice_due_at" to table: "notices"
DROP INDEX "notice_due_at";
-- reverse: create index "notice_created_at" to table: "notices"
DROP INDEX "notice_created_at";
-- reverse: create "notices" table
DROP TABLE "notices";
