-- +goose Up
-- add column "verdict" to table: "agent_commands"
ALTER TABLE `agent_commands` ADD COLUMN `verdict` text NOT NULL DEFAULT ('');
-- add column "parent_id" to table: "executions"
ALTER TABLE `executions` ADD COLUMN `parent_id` uuid NULL;
-- add column "root_id" to table: "executions"
ALTER TABLE `executions` ADD COLUMN `root_id` uuid NULL;
-- add column "parent" to table: "executions"
ALTER TABLE `executions` ADD COLUMN `parent` json NULL;
-- add column "calls" to table: "executions"
ALTER TABLE `executions` ADD COLUMN `calls` bool NOT NULL DEFAULT (false);
-- create index "execution_root_id" to table: "executions"
CREATE INDEX `execution_root_id` ON `executions` (`root_id`);
-- add column "execute" to table: "steps"
ALTER TABLE `steps` ADD COLUMN `execute` json NULL;
-- create "calls" table
CREATE TABLE `calls` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `step_index` integer NOT NULL,
  `ordinal` integer NOT NULL,
  `workflow` text NOT NULL,
  `params` json NULL,
  `child_id` uuid NULL,
  `status` text NOT NULL,
  `message` text NOT NULL DEFAULT (''),
  `state` text NOT NULL DEFAULT ('open'),
  `leased_until` datetime NULL,
  `organization_id` uuid NOT NULL,
  `execution_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `calls_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `calls_executions_execution` FOREIGN KEY (`execution_id`) REFERENCES `executions` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `calls_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION
);
-- create index "call_organization_id_attempt_id_step_index_ordinal" to table: "calls"
CREATE UNIQUE INDEX `call_organization_id_attempt_id_step_index_ordinal` ON `calls` (`organization_id`, `attempt_id`, `step_index`, `ordinal`);
-- create index "call_execution_id" to table: "calls"
CREATE INDEX `call_execution_id` ON `calls` (`execution_id`);
-- create index "call_child_id" to table: "calls"
CREATE INDEX `call_child_id` ON `calls` (`child_id`);
-- create index "call_state" to table: "calls"
CREATE INDEX `call_state` ON `calls` (`state`);

-- +goose Down
-- what the older schema has no room for
DELETE FROM `agent_commands` WHERE `verdict` <> '';
-- reverse: create index "call_state" to table: "calls"
DROP INDEX `call_state`;
-- reverse: create index "call_child_id" to table: "calls"
DROP INDEX `call_child_id`;
-- reverse: create index "call_execution_id" to table: "calls"
DROP INDEX `call_execution_id`;
-- reverse: create index "call_organization_id_attempt_id_step_index_ordinal" to table: "calls"
DROP INDEX `call_organization_id_attempt_id_step_index_ordinal`;
-- reverse: create "calls" table
DROP TABLE `calls`;
-- reverse: add column "execute" to table: "steps"
ALTER TABLE `steps` DROP COLUMN `execute`;
-- reverse: create index "execution_root_id" to table: "executions"
DROP INDEX `execution_root_id`;
-- reverse: add column "calls" to table: "executions"
ALTER TABLE `executions` DROP COLUMN `calls`;
-- reverse: add column "parent" to table: "executions"
ALTER TABLE `executions` DROP COLUMN `parent`;
-- reverse: add column "root_id" to table: "executions"
ALTER TABLE `executions` DROP COLUMN `root_id`;
-- reverse: add column "parent_id" to table: "executions"
ALTER TABLE `executions` DROP COLUMN `parent_id`;
-- reverse: add column "verdict" to table: "agent_commands"
ALTER TABLE `agent_commands` DROP COLUMN `verdict`;
