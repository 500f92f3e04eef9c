-- +goose Up
-- drop index "agentcommand_cluster_id_state" from table: "agent_commands"
DROP INDEX `agentcommand_cluster_id_state`;
-- create index "agentcommand_cluster_id_state_turn" to table: "agent_commands"
CREATE INDEX `agentcommand_cluster_id_state_turn` ON `agent_commands` (`cluster_id`, `state`, `turn`);
-- modify "clusters" table
ALTER TABLE `clusters` ADD COLUMN `max_runs` integer NOT NULL DEFAULT (0);
ALTER TABLE `clusters` ADD COLUMN `drained_at` datetime NULL;
ALTER TABLE `clusters` ADD COLUMN `drained_reason` text NOT NULL DEFAULT ('');
ALTER TABLE `clusters` ADD COLUMN `drained_by` text NOT NULL DEFAULT ('');
-- modify "runs" table
ALTER TABLE `runs` ADD COLUMN `workflow` text NOT NULL DEFAULT ('');
ALTER TABLE `runs` ADD COLUMN `priority` integer NOT NULL DEFAULT (50);
ALTER TABLE `runs` ADD COLUMN `turn` integer NOT NULL DEFAULT (0);
-- create index "run_cluster_id_status" to table: "runs"
CREATE INDEX `run_cluster_id_status` ON `runs` (`cluster_id`, `status`);
-- create index "run_organization_id_cluster_id_workflow_priority_turn" to table: "runs"
CREATE INDEX `run_organization_id_cluster_id_workflow_priority_turn` ON `runs` (`organization_id`, `cluster_id`, `workflow`, `priority`, `turn`) WHERE status = 'queued';

-- +goose Down
-- reverse: create index "run_organization_id_cluster_id_workflow_priority_turn" to table: "runs"
DROP INDEX `run_organization_id_cluster_id_workflow_priority_turn`;
-- reverse: create index "run_cluster_id_status" to table: "runs"
DROP INDEX `run_cluster_id_status`;
-- reverse: modify "runs" table
ALTER TABLE `runs` DROP COLUMN `turn`;
ALTER TABLE `runs` DROP COLUMN `priority`;
ALTER TABLE `runs` DROP COLUMN `workflow`;
-- reverse: modify "clusters" table
ALTER TABLE `clusters` DROP COLUMN `drained_by`;
ALTER TABLE `clusters` DROP COLUMN `drained_reason`;
ALTER TABLE `clusters` DROP COLUMN `drained_at`;
ALTER TABLE `clusters` DROP COLUMN `max_runs`;
-- reverse: create index "agentcommand_cluster_id_state_turn" to table: "agent_commands"
DROP INDEX `agentcommand_cluster_id_state_turn`;
-- reverse: drop index "agentcommand_cluster_id_state" from table: "agent_commands"
CREATE INDEX `agentcommand_cluster_id_state` ON `agent_commands` (`cluster_id`, `state`);
