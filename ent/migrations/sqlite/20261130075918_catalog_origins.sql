-- +goose Up
-- Columns are added one by one: rebuilding a table would drop what refers to it.
ALTER TABLE `clusters` ADD COLUMN `catalog_team_id` uuid NULL;
ALTER TABLE `clusters` ADD COLUMN `catalog_kinds` text NOT NULL DEFAULT ('tests');
-- add column "removed_at" to table: "environments"
ALTER TABLE `environments` ADD COLUMN `removed_at` datetime NULL;
-- add column "removed_at" to table: "workflows"
ALTER TABLE `workflows` ADD COLUMN `removed_at` datetime NULL;
-- add column "removed_at" to table: "templates"
ALTER TABLE `templates` ADD COLUMN `removed_at` datetime NULL;
-- add column "removed_at" to table: "readiness_policies"
ALTER TABLE `readiness_policies` ADD COLUMN `removed_at` datetime NULL;
-- create "claims" table
CREATE TABLE `claims` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `kind` text NOT NULL,
  `name` text NOT NULL,
  `origin` text NOT NULL,
  `cluster_id` uuid NULL,
  `namespace` text NOT NULL DEFAULT (''),
  `repository_id` uuid NULL,
  `place` text NOT NULL DEFAULT (''),
  `path` text NOT NULL DEFAULT (''),
  `line` integer NOT NULL DEFAULT (0),
  `uid` text NOT NULL DEFAULT (''),
  `generation` integer NOT NULL DEFAULT (0),
  `digest` text NOT NULL DEFAULT (''),
  `source` text NOT NULL DEFAULT (''),
  `adopt` bool NOT NULL DEFAULT (false),
  `owns` bool NOT NULL DEFAULT (false),
  `reason` text NOT NULL DEFAULT (''),
  `message` text NOT NULL DEFAULT (''),
  `revision` integer NOT NULL DEFAULT (0),
  `execution_id` uuid NULL,
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `claims_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "claim_organization_id_kind_name_origin" to table: "claims"
CREATE UNIQUE INDEX `claim_organization_id_kind_name_origin` ON `claims` (`organization_id`, `kind`, `name`, `origin`);
-- create index "claim_organization_id_kind_name" to table: "claims"
CREATE UNIQUE INDEX `claim_organization_id_kind_name` ON `claims` (`organization_id`, `kind`, `name`) WHERE owns;
-- create index "claim_organization_id_cluster_id" to table: "claims"
CREATE INDEX `claim_organization_id_cluster_id` ON `claims` (`organization_id`, `cluster_id`);
-- create index "claim_organization_id_repository_id" to table: "claims"
CREATE INDEX `claim_organization_id_repository_id` ON `claims` (`organization_id`, `repository_id`);
-- create "repositories" table
CREATE TABLE `repositories` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `url` text NOT NULL,
  `branch` text NOT NULL DEFAULT (''),
  `path` text NOT NULL DEFAULT (''),
  `kinds` text NOT NULL DEFAULT ('tests'),
  `credential` bool NOT NULL DEFAULT (false),
  `interval` integer NOT NULL DEFAULT (300),
  `commit` text NOT NULL DEFAULT (''),
  `documents` integer NOT NULL DEFAULT (0),
  `failure` text NOT NULL DEFAULT (''),
  `problems` json NULL,
  `synced_at` datetime NULL,
  `due_at` datetime NULL,
  `leased_until` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `repositories_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `repositories_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "repository_organization_id_name" to table: "repositories"
CREATE UNIQUE INDEX `repository_organization_id_name` ON `repositories` (`organization_id`, `name`);
-- create index "repository_due_at" to table: "repositories"
CREATE INDEX `repository_due_at` ON `repositories` (`due_at`);

-- +goose Down
-- reverse: create index "repository_due_at" to table: "repositories"
DROP INDEX `repository_due_at`;
-- reverse: create index "repository_organization_id_name" to table: "repositories"
DROP INDEX `repository_organization_id_name`;
-- reverse: create "repositories" table
DROP TABLE `repositories`;
-- reverse: create index "claim_organization_id_repository_id" to table: "claims"
DROP INDEX `claim_organization_id_repository_id`;
-- reverse: create index "claim_organization_id_cluster_id" to table: "claims"
DROP INDEX `claim_organization_id_cluster_id`;
-- reverse: create index "claim_organization_id_kind_name" to table: "claims"
DROP INDEX `claim_organization_id_kind_name`;
-- reverse: create index "claim_organization_id_kind_name_origin" to table: "claims"
DROP INDEX `claim_organization_id_kind_name_origin`;
-- reverse: create "claims" table
DROP TABLE `claims`;
-- reverse: add column "removed_at" to table: "readiness_policies"
ALTER TABLE `readiness_policies` DROP COLUMN `removed_at`;
-- reverse: add column "removed_at" to table: "templates"
ALTER TABLE `templates` DROP COLUMN `removed_at`;
-- reverse: add column "removed_at" to table: "workflows"
ALTER TABLE `workflows` DROP COLUMN `removed_at`;
-- reverse: add column "removed_at" to table: "environments"
ALTER TABLE `environments` DROP COLUMN `removed_at`;
-- reverse: add columns to table: "clusters"
ALTER TABLE `clusters` DROP COLUMN `catalog_kinds`;
ALTER TABLE `clusters` DROP COLUMN `catalog_team_id`;
