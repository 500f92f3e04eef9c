-- +goose Up
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_api_tokens" table
CREATE TABLE `new_api_tokens` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `hash` blob NOT NULL,
  `scopes` json NOT NULL,
  `maker` text NOT NULL DEFAULT (''),
  `expires_at` datetime NOT NULL,
  `last_used_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `api_tokens_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `api_tokens_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- copy rows from old table "api_tokens" to new temporary table "new_api_tokens"
INSERT INTO `new_api_tokens` (`id`, `created_at`, `updated_at`, `name`, `hash`, `scopes`, `expires_at`, `last_used_at`, `organization_id`, `team_id`) SELECT `id`, `created_at`, `updated_at`, `name`, `hash`, `scopes`, `expires_at`, `last_used_at`, `organization_id`, `team_id` FROM `api_tokens`;
-- drop "api_tokens" table after copying rows
DROP TABLE `api_tokens`;
-- rename temporary table "new_api_tokens" to "api_tokens"
ALTER TABLE `new_api_tokens` RENAME TO `api_tokens`;
-- create index "apitoken_organization_id_hash" to table: "api_tokens"
CREATE UNIQUE INDEX `apitoken_organization_id_hash` ON `api_tokens` (`organization_id`, `hash`);
-- create index "apitoken_hash" to table: "api_tokens"
CREATE INDEX `apitoken_hash` ON `api_tokens` (`hash`);
-- create "new_releases" table
CREATE TABLE `new_releases` (
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
  `arrivals` integer NOT NULL DEFAULT (0),
  `judged` integer NOT NULL DEFAULT (0),
  `stale_at` datetime NULL,
  `cause` text NOT NULL DEFAULT (''),
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `releases_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `releases_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- copy rows from old table "releases" to new temporary table "new_releases"
INSERT INTO `new_releases` (`id`, `created_at`, `updated_at`, `application`, `version`, `commit`, `images`, `actor`, `policy`, `policy_name`, `policy_revision`, `policy_digest`, `cells`, `state`, `changes`, `verdict`, `decided_at`, `stale_at`, `cause`, `organization_id`, `team_id`) SELECT `id`, `created_at`, `updated_at`, `application`, `version`, `commit`, `images`, `actor`, `policy`, `policy_name`, `policy_revision`, `policy_digest`, `cells`, `state`, `changes`, `verdict`, `decided_at`, `stale_at`, `cause`, `organization_id`, `team_id` FROM `releases`;
-- drop "releases" table after copying rows
DROP TABLE `releases`;
-- rename temporary table "new_releases" to "releases"
ALTER TABLE `new_releases` RENAME TO `releases`;
-- create index "release_organization_id_application_version" to table: "releases"
CREATE UNIQUE INDEX `release_organization_id_application_version` ON `releases` (`organization_id`, `application`, `version`);
-- create index "release_organization_id_id" to table: "releases"
CREATE INDEX `release_organization_id_id` ON `releases` (`organization_id`, `id`);
-- create index "release_stale_at" to table: "releases"
CREATE INDEX `release_stale_at` ON `releases` (`stale_at`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;

-- +goose Down
-- reverse: create index "release_stale_at" to table: "releases"
DROP INDEX `release_stale_at`;
-- reverse: create index "release_organization_id_id" to table: "releases"
DROP INDEX `release_organization_id_id`;
-- reverse: create index "release_organization_id_application_version" to table: "releases"
DROP INDEX `release_organization_id_application_version`;
-- reverse: create "new_releases" table
DROP TABLE `new_releases`;
-- reverse: create index "apitoken_hash" to table: "api_tokens"
DROP INDEX `apitoken_hash`;
-- reverse: create index "apitoken_organization_id_hash" to table: "api_tokens"
DROP INDEX `apitoken_organization_id_hash`;
-- reverse: create "new_api_tokens" table
DROP TABLE `new_api_tokens`;
