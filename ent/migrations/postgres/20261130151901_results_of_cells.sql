-- +goose Up
-- Runs of before there was a queue did not know their workflow.
UPDATE "runs" SET "workflow" = (SELECT "workflow" FROM "executions" WHERE "executions"."id" = "runs"."execution_id") WHERE "workflow" = '';
-- create index "execution_organization_id_status_id" to table: "executions"
CREATE INDEX "execution_organization_id_status_id" ON "executions" ("organization_id", "status", "id");
-- create index "run_organization_id_workflow_environment_name_id" to table: "runs"
CREATE INDEX "run_organization_id_workflow_environment_name_id" ON "runs" ("organization_id", "workflow", "environment_name", "id") WHERE status IN ('passed', 'failed', 'errored', 'timed_out');

-- +goose Down
-- reverse: create index "run_organization_id_workflow_environment_name_id" to table: "runs"
DROP INDEX "run_organization_id_workflow_environment_name_id";
-- reverse: create index "execution_organization_id_status_id" to table: "executions"
DROP INDEX "execution_organization_id_status_id";
