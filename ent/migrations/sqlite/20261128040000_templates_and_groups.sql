-- +goose Up
-- add column "turn" to table: "agent_commands"
ALTER TABLE `agent_commands` ADD COLUMN `turn` integer NOT NULL DEFAULT (0);
-- add column "templates" to table: "executions"
ALTER TABLE `executions` ADD COLUMN `templates` json NULL;
-- add column "priority" to table: "executions"
ALTER TABLE `executions` ADD COLUMN `priority` integer NOT NULL DEFAULT (50);
-- add column "retries" to table: "runs"
ALTER TABLE `runs` ADD COLUMN `retries` integer NOT NULL DEFAULT (0);
-- add column "concurrency_group" to table: "runs"
ALTER TABLE `runs` ADD COLUMN `concurrency_group` text NOT NULL DEFAULT ('');
-- add column "concurrency_limit" to table: "runs"
ALTER TABLE `runs` ADD COLUMN `concurrency_limit` integer NOT NULL DEFAULT (0);
-- add column "on_conflict" to table: "runs"
ALTER TABLE `runs` ADD COLUMN `on_conflict` text NOT NULL DEFAULT ('');
-- add column "admitted_at" to table: "runs"
ALTER TABLE `runs` ADD COLUMN `admitted_at` datetime NULL;
-- create index "run_organization_id_concurrency_group_status" to table: "runs"
CREATE INDEX `run_organization_id_concurrency_group_status` ON `runs` (`organization_id`, `concurrency_group`, `status`);
-- create index "run_status_concurrency_group" to table: "runs"
CREATE INDEX `run_status_concurrency_group` ON `runs` (`status`, `concurrency_group`);
-- create "concurrency_groups" table
CREATE TABLE `concurrency_groups` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `concurrency_groups_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "concurrencygroup_organization_id_name" to table: "concurrency_groups"
CREATE UNIQUE INDEX `concurrencygroup_organization_id_name` ON `concurrency_groups` (`organization_id`, `name`);
-- create "templates" table
CREATE TABLE `templates` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `labels` json NULL,
  `description` text NOT NULL DEFAULT (''),
  `revision` integer NOT NULL DEFAULT (1),
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `templates_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `templates_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "template_organization_id_name" to table: "templates"
CREATE UNIQUE INDEX `template_organization_id_name` ON `templates` (`organization_id`, `name`);
-- create "template_revisions" table
CREATE TABLE `template_revisions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `number` integer NOT NULL,
  `digest` text NOT NULL,
  `source` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `template_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `template_revisions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `template_revisions_templates_template` FOREIGN KEY (`template_id`) REFERENCES `templates` (`id`) ON DELETE NO ACTION
);
-- create index "templaterevision_organization_id_template_id_number" to table: "template_revisions"
CREATE UNIQUE INDEX `templaterevision_organization_id_template_id_number` ON `template_revisions` (`organization_id`, `template_id`, `number`);
-- create "template_uses" table
CREATE TABLE `template_uses` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `template` text NOT NULL,
  `user_kind` text NOT NULL,
  `user_name` text NOT NULL,
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `template_uses_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "templateuse_organization_id_user_kind_user_name_template" to table: "template_uses"
CREATE UNIQUE INDEX `templateuse_organization_id_user_kind_user_name_template` ON `template_uses` (`organization_id`, `user_kind`, `user_name`, `template`);
-- create index "templateuse_organization_id_template" to table: "template_uses"
CREATE INDEX `templateuse_organization_id_template` ON `template_uses` (`organization_id`, `template`);

-- +goose Down
-- reverse: create index "templateuse_organization_id_template" to table: "template_uses"
DROP INDEX `templateuse_organization_id_template`;
-- reverse: create index "templateuse_organization_id_user_kind_user_name_template" to table: "template_uses"
DROP INDEX `templateuse_organization_id_user_kind_user_name_template`;
-- reverse: create "template_uses" table
DROP TABLE `template_uses`;
-- reverse: create index "templaterevision_organization_id_template_id_number" to table: "template_revisions"
DROP INDEX `templaterevision_organization_id_template_id_number`;
-- reverse: create "template_revisions" table
DROP TABLE `template_revisions`;
-- reverse: create index "template_organization_id_name" to table: "templates"
DROP INDEX `template_organization_id_name`;
-- reverse: create "templates" table
DROP TABLE `templates`;
-- reverse: create index "concurrencygroup_organization_id_name" to table: "concurrency_groups"
DROP INDEX `concurrencygroup_organization_id_name`;
-- reverse: create "concurrency_groups" table
DROP TABLE `concurrency_groups`;
-- reverse: create index "run_status_concurrency_group" to table: "runs"
DROP INDEX `run_status_concurrency_group`;
-- reverse: create index "run_organization_id_concurrency_group_status" to table: "runs"
DROP INDEX `run_organization_id_concurrency_group_status`;
-- reverse: add column "admitted_at" to table: "runs"
ALTER TABLE `runs` DROP COLUMN `admitted_at`;
-- reverse: add column "on_conflict" to table: "runs"
ALTER TABLE `runs` DROP COLUMN `on_conflict`;
-- reverse: add column "concurrency_limit" to table: "runs"
ALTER TABLE `runs` DROP COLUMN `concurrency_limit`;
-- reverse: add column "concurrency_group" to table: "runs"
ALTER TABLE `runs` DROP COLUMN `concurrency_group`;
-- reverse: add column "retries" to table: "runs"
ALTER TABLE `runs` DROP COLUMN `retries`;
-- reverse: add column "priority" to table: "executions"
ALTER TABLE `executions` DROP COLUMN `priority`;
-- reverse: add column "templates" to table: "executions"
ALTER TABLE `executions` DROP COLUMN `templates`;
-- reverse: add column "turn" to table: "agent_commands"
ALTER TABLE `agent_commands` DROP COLUMN `turn`;
