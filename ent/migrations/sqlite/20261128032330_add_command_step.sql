-- +goose Up
-- drop index "agentcommand_organization_id_attempt_id_kind" from table: "agent_commands"
DROP INDEX `agentcommand_organization_id_attempt_id_kind`;
-- add column "step" to table: "agent_commands"
ALTER TABLE `agent_commands` ADD COLUMN `step` integer NOT NULL DEFAULT -1;
-- create index "agentcommand_organization_id_attempt_id_kind_step" to table: "agent_commands"
CREATE UNIQUE INDEX `agentcommand_organization_id_attempt_id_kind_step` ON `agent_commands` (`organization_id`, `attempt_id`, `kind`, `step`);

-- +goose Down
-- what the older schema has no room for
DELETE FROM `agent_commands` WHERE `kind` = 'resume';
-- reverse: create index "agentcommand_organization_id_attempt_id_kind_step" to table: "agent_commands"
DROP INDEX `agentcommand_organization_id_attempt_id_kind_step`;
-- reverse: add column "step" to table: "agent_commands"
ALTER TABLE `agent_commands` DROP COLUMN `step`;
-- reverse: drop index "agentcommand_organization_id_attempt_id_kind" from table: "agent_commands"
CREATE UNIQUE INDEX `agentcommand_organization_id_attempt_id_kind` ON `agent_commands` (`organization_id`, `attempt_id`, `kind`);
