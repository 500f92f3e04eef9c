-- +goose Up
-- modify "executions" table
ALTER TABLE "executions" ADD COLUMN "fail_fast" boolean NOT NULL DEFAULT false, ADD COLUMN "max_parallel" bigint NOT NULL DEFAULT 0;
-- drop index "run_organization_id_execution_id_environment_id" from table: "runs"
DROP INDEX "run_organization_id_execution_id_environment_id";
-- modify "runs" table
ALTER TABLE "runs" ADD COLUMN "ordinal" bigint NOT NULL DEFAULT 0, ADD COLUMN "name" character varying NOT NULL DEFAULT '', ADD COLUMN "matrix" jsonb NULL, ADD COLUMN "shard" bigint NOT NULL DEFAULT 0, ADD COLUMN "shards" bigint NOT NULL DEFAULT 0;
-- create index "run_organization_id_execution_id_ordinal" to table: "runs"
CREATE UNIQUE INDEX "run_organization_id_execution_id_ordinal" ON "runs" ("organization_id", "execution_id", "ordinal");

-- +goose Down
-- reverse: create index "run_organization_id_execution_id_ordinal" to table: "runs"
DROP INDEX "run_organization_id_execution_id_ordinal";
-- reverse: modify "runs" table
ALTER TABLE "runs" DROP COLUMN "shards", DROP COLUMN "shard", DROP COLUMN "matrix", DROP COLUMN "name", DROP COLUMN "ordinal";
-- reverse: drop index "run_organization_id_execution_id_environment_id" from table: "runs"
CREATE UNIQUE INDEX "run_organization_id_execution_id_environment_id" ON "runs" ("organization_id", "execution_id", "environment_id");
-- reverse: modify "executions" table
ALTER TABLE "executions" DROP COLUMN "max_parallel", DROP COLUMN "fail_fast";
