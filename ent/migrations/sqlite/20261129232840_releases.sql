-- +goose Up
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- add column "subject_start" to table: "attempts"
ALTER TABLE `attempts` ADD COLUMN `subject_start` json NULL;
-- add column "subject_end" to table: "attempts"
ALTER TABLE `attempts` ADD COLUMN `subject_end` json NULL;
-- create "new_executions" table
CREATE TABLE `new_executions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `status` text NOT NULL,
  `reason` text NOT NULL DEFAULT (''),
  `message` text NOT NULL DEFAULT (''),
  `started_at` datetime NULL,
  `finished_at` datetime NULL,
  `workflow` text NOT NULL,
  `revision_number` integer NOT NULL,
  `digest` text NOT NULL,
  `params` json NULL,
  `templates` json NULL,
  `trigger` text NOT NULL,
  `actor` text NOT NULL,
  `commit` text NOT NULL DEFAULT (''),
  `idempotency_key` text NULL,
  `fail_fast` bool NOT NULL DEFAULT (false),
  `max_parallel` integer NOT NULL DEFAULT (0),
  `priority` integer NOT NULL DEFAULT (50),
  `parent_id` uuid NULL,
  `root_id` uuid NULL,
  `parent` json NULL,
  `calls` bool NOT NULL DEFAULT (false),
  `tests_passed` integer NOT NULL DEFAULT (0),
  `tests_failed` integer NOT NULL DEFAULT (0),
  `tests_errored` integer NOT NULL DEFAULT (0),
  `tests_skipped` integer NOT NULL DEFAULT (0),
  `organization_id` uuid NOT NULL,
  `revision_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `executions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `executions_workflow_revisions_revision` FOREIGN KEY (`revision_id`) REFERENCES `workflow_revisions` (`id`) ON DELETE NO ACTION
);
-- copy rows from old table "executions" to new temporary table "new_executions"
INSERT INTO `new_executions` (`id`, `created_at`, `updated_at`, `status`, `reason`, `message`, `started_at`, `finished_at`, `workflow`, `revision_number`, `digest`, `params`, `templates`, `trigger`, `actor`, `idempotency_key`, `fail_fast`, `max_parallel`, `priority`, `parent_id`, `root_id`, `parent`, `calls`, `tests_passed`, `tests_failed`, `tests_errored`, `tests_skipped`, `organization_id`, `revision_id`) SELECT `id`, `created_at`, `updated_at`, `status`, `reason`, `message`, `started_at`, `finished_at`, `workflow`, `revision_number`, `digest`, `params`, `templates`, `trigger`, `actor`, `idempotency_key`, `fail_fast`, `max_parallel`, `priority`, `parent_id`, `root_id`, `parent`, `calls`, `tests_passed`, `tests_failed`, `tests_errored`, `tests_skipped`, `organization_id`, `revision_id` FROM `executions`;
-- drop "executions" table after copying rows
DROP TABLE `executions`;
-- rename temporary table "new_executions" to "executions"
ALTER TABLE `new_executions` RENAME TO `executions`;
-- create index "execution_organization_id_idempotency_key" to table: "executions"
CREATE UNIQUE INDEX `execution_organization_id_idempotency_key` ON `executions` (`organization_id`, `idempotency_key`);
-- create index "execution_organization_id_id" to table: "executions"
CREATE INDEX `execution_organization_id_id` ON `executions` (`organization_id`, `id`);
-- create index "execution_organization_id_workflow_id" to table: "executions"
CREATE INDEX `execution_organization_id_workflow_id` ON `executions` (`organization_id`, `workflow`, `id`);
-- create index "execution_root_id" to table: "executions"
CREATE INDEX `execution_root_id` ON `executions` (`root_id`);
-- create "new_test_results" table
CREATE TABLE `new_test_results` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `environment_name` text NOT NULL,
  `step_index` integer NOT NULL,
  `severity` integer NOT NULL,
  `suite` text NOT NULL,
  `name` text NOT NULL,
  `source` text NOT NULL,
  `test_key` text NOT NULL DEFAULT (''),
  `variant` text NOT NULL DEFAULT (''),
  `fingerprint` text NOT NULL DEFAULT (''),
  `earlier` json NULL,
  `flags` integer NOT NULL DEFAULT (0),
  `outcome` text NOT NULL,
  `duration` integer NOT NULL,
  `message` text NOT NULL,
  `detail` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `execution_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  `file_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `test_results_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `test_results_executions_execution` FOREIGN KEY (`execution_id`) REFERENCES `executions` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `test_results_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `test_results_files_file` FOREIGN KEY (`file_id`) REFERENCES `files` (`id`) ON DELETE NO ACTION
);
-- copy rows from old table "test_results" to new temporary table "new_test_results"
INSERT INTO `new_test_results` (`id`, `created_at`, `updated_at`, `environment_name`, `step_index`, `severity`, `suite`, `name`, `source`, `outcome`, `duration`, `message`, `detail`, `organization_id`, `execution_id`, `attempt_id`, `file_id`) SELECT `id`, `created_at`, `updated_at`, `environment_name`, `step_index`, `severity`, `suite`, `name`, `source`, `outcome`, `duration`, `message`, `detail`, `organization_id`, `execution_id`, `attempt_id`, `file_id` FROM `test_results`;
-- drop "test_results" table after copying rows
DROP TABLE `test_results`;
-- rename temporary table "new_test_results" to "test_results"
ALTER TABLE `new_test_results` RENAME TO `test_results`;
-- create index "testresult_execution_id_severity_id" to table: "test_results"
CREATE INDEX `testresult_execution_id_severity_id` ON `test_results` (`execution_id`, `severity`, `id`);
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
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;

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
-- reverse: create index "testresult_execution_id_severity_id" to table: "test_results"
DROP INDEX `testresult_execution_id_severity_id`;
-- reverse: create "new_test_results" table
DROP TABLE `new_test_results`;
-- reverse: create index "execution_root_id" to table: "executions"
DROP INDEX `execution_root_id`;
-- reverse: create index "execution_organization_id_workflow_id" to table: "executions"
DROP INDEX `execution_organization_id_workflow_id`;
-- reverse: create index "execution_organization_id_id" to table: "executions"
DROP INDEX `execution_organization_id_id`;
-- reverse: create index "execution_organization_id_idempotency_key" to table: "executions"
DROP INDEX `execution_organization_id_idempotency_key`;
-- reverse: create "new_executions" table
DROP TABLE `new_executions`;
-- reverse: add column "subject_end" to table: "attempts"
ALTER TABLE `attempts` DROP COLUMN `subject_end`;
-- reverse: add column "subject_start" to table: "attempts"
ALTER TABLE `attempts` DROP COLUMN `subject_start`;
