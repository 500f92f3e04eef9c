-- +goose Up
-- create index "testresult_organization_id_id" to table: "test_results"
CREATE INDEX "testresult_organization_id_id" ON "test_results" ("organization_id", "id") WHERE outcome IN ('failed', 'errored', 'timed_out') OR earlier IS NOT NULL;
-- create index "testresult_test_key_id" to table: "test_results"
CREATE INDEX "testresult_test_key_id" ON "test_results" ("test_key", "id");
-- create "quarantines" table
CREATE TABLE "quarantines" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "test_key" character varying NOT NULL,
  "test_name" text NOT NULL,
  "owner" character varying NOT NULL,
  "reason" text NOT NULL,
  "ticket" character varying NOT NULL DEFAULT '',
  "actor" character varying NOT NULL,
  "until" timestamptz NOT NULL,
  "ended_by" character varying NOT NULL DEFAULT '',
  "ended_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "quarantines_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "quarantine_organization_id_test_key_id" to table: "quarantines"
CREATE INDEX "quarantine_organization_id_test_key_id" ON "quarantines" ("organization_id", "test_key", "id");

-- +goose Down
-- reverse: create index "quarantine_organization_id_test_key_id" to table: "quarantines"
DROP INDEX "quarantine_organization_id_test_key_id";
-- reverse: create "quarantines" table
DROP TABLE "quarantines";
-- reverse: create index "testresult_test_key_id" to table: "test_results"
DROP INDEX "testresult_test_key_id";
-- reverse: create index "testresult_organization_id_id" to table: "test_results"
DROP INDEX "testresult_organization_id_id";
