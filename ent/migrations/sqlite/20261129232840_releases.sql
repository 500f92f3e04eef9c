-- +goose Up
-- add column "subject_start" to table: "attempts"
ALTER TABLE `attempts` ADD COLUMN `subject_start` json NULL;
-- add column "subject_end" to table: "attempts"
ALTER TABLE `attempts` ADD COLUMN `subject_end` json NULL;
-- add column "commit" to table: "executions"
ALTER TABLE `executions` ADD COLUMN `commit` text NOT NULL DEFAULT ('');
-- add columns to table: "test_results"
ALTER TABLE `test_results` ADD COLUMN `test_key` text NOT NULL DEFAULT ('');
ALTER TABLE `test_results` ADD COLUMN `variant` text NOT NULL DEFAULT ('');
ALTER TABLE `test_results` ADD COLUMN `fingerprint` text NOT NULL DEFAULT ('');
ALTER TABLE `test_results` ADD COLUMN `earlier` json NULL;
ALTER TABLE `test_results` ADD COLUMN `flags` integer NOT NULL DEFAULT (0);
-- create "readiness_policies" table
CREATE TABLE `readiness_policies` (
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
  CONSTRAINT `readiness_policies_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `readiness_policies_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "readinesspolicy_organization_id_name" to table: "readiness_policies"
CREATE UNIQUE INDEX `readinesspolicy_organization_id_name` ON `readiness_policies` (`organization_id`, `name`);
-- create "readiness_policy_revisions" table
CREATE TABLE `readiness_policy_revisions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `number` integer NOT NULL,
  `digest` text NOT NULL,
  `source` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `policy_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `readiness_policy_revisions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `readiness_policy_revisions_readiness_policies_policy` FOREIGN KEY (`policy_id`) REFERENCES `readiness_policies` (`id`) ON DELETE NO ACTION
);
-- create index "readinesspolicyrevision_organization_id_policy_id_number" to table: "readiness_policy_revisions"
CREATE UNIQUE INDEX `readinesspolicyrevision_organization_id_policy_id_number` ON `readiness_policy_revisions` (`organization_id`, `policy_id`, `number`);
-- create "releases" table
CREATE TABLE `releases` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `application` text NOT NULL,
  `version` text NOT NULL,
  `commit` text NOT NULL DEFAULT (''),
  `images` json NULL,
  `actor` text NOT NULL,
  `policy` json NOT NULL,
  `policy_name` text NOT NULL,
  `policy_revision` integer NOT NULL,
  `policy_digest` text NOT NULL,
  `cells` json NOT NULL,
  `state` text NOT NULL DEFAULT ('INCOMPLETE'),
  `changes` integer NOT NULL DEFAULT (0),
  `verdict` json NULL,
  `decided_at` datetime NULL,
  `stale_at` datetime NULL,
  `cause` text NOT NULL DEFAULT (''),
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `releases_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `releases_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "release_organization_id_application_version" to table: "releases"
CREATE UNIQUE INDEX `release_organization_id_application_version` ON `releases` (`organization_id`, `application`, `version`);
-- create index "release_organization_id_id" to table: "releases"
CREATE INDEX `release_organization_id_id` ON `releases` (`organization_id`, `id`);
-- create index "release_stale_at" to table: "releases"
CREATE INDEX `release_stale_at` ON `releases` (`stale_at`);
-- create "release_changes" table
CREATE TABLE `release_changes` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `number` integer NOT NULL,
  `before` text NOT NULL,
  `after` text NOT NULL,
  `cause` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `release_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `release_changes_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `release_changes_releases_release` FOREIGN KEY (`release_id`) REFERENCES `releases` (`id`) ON DELETE NO ACTION
);
-- create index "releasechange_organization_id_release_id_number" to table: "release_changes"
CREATE UNIQUE INDEX `releasechange_organization_id_release_id_number` ON `release_changes` (`organization_id`, `release_id`, `number`);
-- create "release_executions" table
CREATE TABLE `release_executions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `reason` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `release_id` uuid NOT NULL,
  `execution_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `release_executions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `release_executions_releases_release` FOREIGN KEY (`release_id`) REFERENCES `releases` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `release_executions_executions_execution` FOREIGN KEY (`execution_id`) REFERENCES `executions` (`id`) ON DELETE NO ACTION
);
-- create index "releaseexecution_organization_id_release_id_execution_id" to table: "release_executions"
CREATE UNIQUE INDEX `releaseexecution_organization_id_release_id_execution_id` ON `release_executions` (`organization_id`, `release_id`, `execution_id`);
-- create index "releaseexecution_execution_id" to table: "release_executions"
CREATE INDEX `releaseexecution_execution_id` ON `release_executions` (`execution_id`);
-- create "waivers" table
CREATE TABLE `waivers` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `rule` text NOT NULL,
  `environment` text NOT NULL DEFAULT (''),
  `suite` text NOT NULL DEFAULT (''),
  `test` text NOT NULL DEFAULT (''),
  `test_name` text NOT NULL DEFAULT (''),
  `variant` text NOT NULL DEFAULT (''),
  `fingerprint` text NOT NULL DEFAULT (''),
  `reason` text NOT NULL,
  `requester` text NOT NULL,
  `expires_at` datetime NOT NULL,
  `approvals` json NULL,
  `revoked_by` text NOT NULL DEFAULT (''),
  `revoked_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `release_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `waivers_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `waivers_releases_release` FOREIGN KEY (`release_id`) REFERENCES `releases` (`id`) ON DELETE NO ACTION
);
-- create index "waiver_release_id" to table: "waivers"
CREATE INDEX `waiver_release_id` ON `waivers` (`release_id`);

-- +goose Down
-- reverse: create index "waiver_release_id" to table: "waivers"
DROP INDEX `waiver_release_id`;
-- reverse: create "waivers" table
DROP TABLE `waivers`;
-- reverse: create index "releaseexecution_execution_id" to table: "release_executions"
DROP INDEX `releaseexecution_execution_id`;
-- reverse: create index "releaseexecution_organization_id_release_id_execution_id" to table: "release_executions"
DROP INDEX `releaseexecution_organization_id_release_id_execution_id`;
-- reverse: create "release_executions" table
DROP TABLE `release_executions`;
-- reverse: create index "releasechange_organization_id_release_id_number" to table: "release_changes"
DROP INDEX `releasechange_organization_id_release_id_number`;
-- reverse: create "release_changes" table
DROP TABLE `release_changes`;
-- reverse: create index "release_stale_at" to table: "releases"
DROP INDEX `release_stale_at`;
-- reverse: create index "release_organization_id_id" to table: "releases"
DROP INDEX `release_organization_id_id`;
-- reverse: create index "release_organization_id_application_version" to table: "releases"
DROP INDEX `release_organization_id_application_version`;
-- reverse: create "releases" table
DROP TABLE `releases`;
-- reverse: create index "readinesspolicyrevision_organization_id_policy_id_number" to table: "readiness_policy_revisions"
DROP INDEX `readinesspolicyrevision_organization_id_policy_id_number`;
-- reverse: create "readiness_policy_revisions" table
DROP TABLE `readiness_policy_revisions`;
-- reverse: create index "readinesspolicy_organization_id_name" to table: "readiness_policies"
DROP INDEX `readinesspolicy_organization_id_name`;
-- reverse: create "readiness_policies" table
DROP TABLE `readiness_policies`;
ALTER TABLE `test_results` DROP COLUMN `flags`;
ALTER TABLE `test_results` DROP COLUMN `earlier`;
ALTER TABLE `test_results` DROP COLUMN `fingerprint`;
ALTER TABLE `test_results` DROP COLUMN `variant`;
ALTER TABLE `test_results` DROP COLUMN `test_key`;
ALTER TABLE `executions` DROP COLUMN `commit`;
-- reverse: add column "subject_end" to table: "attempts"
ALTER TABLE `attempts` DROP COLUMN `subject_end`;
-- reverse: add column "subject_start" to table: "attempts"
ALTER TABLE `attempts` DROP COLUMN `subject_start`;
