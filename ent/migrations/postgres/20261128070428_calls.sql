-- +goose Up
-- modify "agent_commands" table
ALTER TABLE "agent_commands" ADD COLUMN "verdict" character varying NOT NULL DEFAULT '';
-- modify "steps" table
ALTER TABLE "steps" ADD COLUMN "execute" jsonb NULL;
-- modify "executions" table
ALTER TABLE "executions" ADD COLUMN "parent_id" uuid NULL, ADD COLUMN "root_id" uuid NULL, ADD COLUMN "parent" jsonb NULL, ADD COLUMN "calls" boolean NOT NULL DEFAULT false;
-- create index "execution_root_id" to table: "executions"
CREATE INDEX "execution_root_id" ON "executions" ("root_id");
-- create "calls" table
CREATE TABLE "calls" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "step_index" bigint NOT NULL,
  "ordinal" bigint NOT NULL,
  "workflow" character varying NOT NULL,
  "params" jsonb NULL,
  "child_id" uuid NULL,
  "status" character varying NOT NULL,
  "message" text NOT NULL DEFAULT '',
  "state" character varying NOT NULL DEFAULT 'open',
  "leased_until" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "execution_id" uuid NOT NULL,
  "attempt_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "calls_attempts_attempt" FOREIGN KEY ("attempt_id") REFERENCES "attempts" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "calls_executions_execution" FOREIGN KEY ("execution_id") REFERENCES "executions" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "calls_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "call_child_id" to table: "calls"
CREATE INDEX "call_child_id" ON "calls" ("child_id");
-- create index "call_execution_id" to table: "calls"
CREATE INDEX "call_execution_id" ON "calls" ("execution_id");
-- create index "call_organization_id_attempt_id_step_index_ordinal" to table: "calls"
CREATE UNIQUE INDEX "call_organization_id_attempt_id_step_index_ordinal" ON "calls" ("organization_id", "attempt_id", "step_index", "ordinal");
-- create index "call_state" to table: "calls"
CREATE INDEX "call_state" ON "calls" ("state");

-- +goose Down
-- what the older schema has no room for
DELETE FROM "agent_commands" WHERE "verdict" <> '';
-- reverse: create index "call_state" to table: "calls"
DROP INDEX "call_state";
-- reverse: create index "call_organization_id_attempt_id_step_index_ordinal" to table: "calls"
DROP INDEX "call_organization_id_attempt_id_step_index_ordinal";
-- reverse: create index "call_execution_id" to table: "calls"
DROP INDEX "call_execution_id";
-- reverse: create index "call_child_id" to table: "calls"
DROP INDEX "call_child_id";
-- reverse: create "calls" table
DROP TABLE "calls";
-- reverse: create index "execution_root_id" to table: "executions"
DROP INDEX "execution_root_id";
-- reverse: modify "executions" table
ALTER TABLE "executions" DROP COLUMN "calls", DROP COLUMN "parent", DROP COLUMN "root_id", DROP COLUMN "parent_id";
-- reverse: modify "steps" table
ALTER TABLE "steps" DROP COLUMN "execute";
-- reverse: modify "agent_commands" table
ALTER TABLE "agent_commands" DROP COLUMN "verdict";
