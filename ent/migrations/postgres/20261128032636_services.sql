-- +goose Up
-- create "services" table
CREATE TABLE "services" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "ordinal" bigint NOT NULL,
  "name" character varying NOT NULL,
  "status" character varying NOT NULL,
  "message" text NOT NULL DEFAULT '',
  "exit_code" bigint NULL,
  "restarts" bigint NOT NULL DEFAULT 0,
  "started_at" timestamptz NULL,
  "finished_at" timestamptz NULL,
  "log_withheld" boolean NOT NULL DEFAULT false,
  "organization_id" uuid NOT NULL,
  "attempt_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "services_attempts_attempt" FOREIGN KEY ("attempt_id") REFERENCES "attempts" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "services_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "service_attempt_id" to table: "services"
CREATE INDEX "service_attempt_id" ON "services" ("attempt_id");
-- create index "service_organization_id_attempt_id_name" to table: "services"
CREATE UNIQUE INDEX "service_organization_id_attempt_id_name" ON "services" ("organization_id", "attempt_id", "name");

-- +goose Down
-- reverse: create index "service_organization_id_attempt_id_name" to table: "services"
DROP INDEX "service_organization_id_attempt_id_name";
-- reverse: create index "service_attempt_id" to table: "services"
DROP INDEX "service_attempt_id";
-- reverse: create "services" table
DROP TABLE "services";
