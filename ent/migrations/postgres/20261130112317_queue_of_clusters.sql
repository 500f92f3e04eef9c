-- +goose Up
-- drop index "agentcommand_cluster_id_state" from table: "agent_commands"
DROP INDEX "agentcommand_cluster_id_state";
-- create index "agentcommand_cluster_id_state_turn" to table: "agent_commands"
CREATE INDEX "agentcommand_cluster_id_state_turn" ON "agent_commands" ("cluster_id", "state", "turn");
-- modify "clusters" table
ALTER TABLE "clusters" ADD COLUMN "max_runs" bigint NOT NULL DEFAULT 0, ADD COLUMN "drained_at" timestamptz NULL, ADD COLUMN "drained_reason" text NOT NULL DEFAULT '', ADD COLUMN "drained_by" character varying NOT NULL DEFAULT '';
-- modify "runs" table
ALTER TABLE "runs" ADD COLUMN "workflow" character varying NOT NULL DEFAULT '', ADD COLUMN "priority" bigint NOT NULL DEFAULT 50, ADD COLUMN "turn" bigint NOT NULL DEFAULT 0;
-- create index "run_cluster_id_status" to table: "runs"
CREATE INDEX "run_cluster_id_status" ON "runs" ("cluster_id", "status");
-- create index "run_organization_id_cluster_id_workflow_priority_turn" to table: "runs"
CREATE INDEX "run_organization_id_cluster_id_workflow_priority_turn" ON "runs" ("organization_id", "cluster_id", "workflow", "priority", "turn") WHERE ((status)::text = 'queued'::text);

-- +goose Down
-- reverse: create index "run_organization_id_cluster_id_workflow_priority_turn" to table: "runs"
DROP INDEX "run_organization_id_cluster_id_workflow_priority_turn";
-- reverse: create index "run_cluster_id_status" to table: "runs"
DROP INDEX "run_cluster_id_status";
-- reverse: modify "runs" table
ALTER TABLE "runs" DROP COLUMN "turn", DROP COLUMN "priority", DROP COLUMN "workflow";
-- reverse: modify "clusters" table
ALTER TABLE "clusters" DROP COLUMN "drained_by", DROP COLUMN "drained_reason", DROP COLUMN "drained_at", DROP COLUMN "max_runs";
-- reverse: create index "agentcommand_cluster_id_state_turn" to table: "agent_commands"
DROP INDEX "agentcommand_cluster_id_state_turn";
-- reverse: drop index "agentcommand_cluster_id_state" from table: "agent_commands"
CREATE INDEX "agentcommand_cluster_id_state" ON "agent_commands" ("cluster_id", "state");
