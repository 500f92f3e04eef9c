-- +goose Up
-- modify "executions" table
ALTER TABLE `executions` ADD COLUMN `fail_fast` bool NOT NULL DEFAULT (false);
ALTER TABLE `executions` ADD COLUMN `max_parallel` integer NOT NULL DEFAULT (0);
-- drop index "run_organization_id_execution_id_environment_id" from table: "runs"
DROP INDEX `run_organization_id_execution_id_environment_id`;
-- modify "runs" table
ALTER TABLE `runs` ADD COLUMN `ordinal` integer NOT NULL DEFAULT (0);
ALTER TABLE `runs` ADD COLUMN `name` text NOT NULL DEFAULT ('');
ALTER TABLE `runs` ADD COLUMN `matrix` json NULL;
ALTER TABLE `runs` ADD COLUMN `shard` integer NOT NULL DEFAULT (0);
ALTER TABLE `runs` ADD COLUMN `shards` integer NOT NULL DEFAULT (0);
-- create index "run_organization_id_execution_id_ordinal" to table: "runs"
CREATE UNIQUE INDEX `run_organization_id_execution_id_ordinal` ON `runs` (`organization_id`, `execution_id`, `ordinal`);

-- +goose Down
-- reverse: create index "run_organization_id_execution_id_ordinal" to table: "runs"
DROP INDEX `run_organization_id_execution_id_ordinal`;
-- reverse: modify "runs" table
ALTER TABLE `runs` DROP COLUMN `shards`;
ALTER TABLE `runs` DROP COLUMN `shard`;
ALTER TABLE `runs` DROP COLUMN `matrix`;
ALTER TABLE `runs` DROP COLUMN `name`;
ALTER TABLE `runs` DROP COLUMN `ordinal`;
-- reverse: drop index "run_organization_id_execution_id_environment_id" from table: "runs"
CREATE UNIQUE INDEX `run_organization_id_execution_id_environment_id` ON `runs` (`organization_id`, `execution_id`, `environment_id`);
-- reverse: modify "executions" table
ALTER TABLE `executions` DROP COLUMN `max_parallel`;
ALTER TABLE `executions` DROP COLUMN `fail_fast`;
