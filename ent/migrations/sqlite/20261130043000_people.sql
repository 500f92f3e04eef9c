-- +goose Up
-- Columns are added one by one: rebuilding a table would drop what refers to it.
ALTER TABLE `api_tokens` ADD COLUMN `hint` text NOT NULL DEFAULT ('');
ALTER TABLE `api_tokens` ADD COLUMN `workflows` json NULL;
ALTER TABLE `api_tokens` ADD COLUMN `environments` json NULL;
ALTER TABLE `api_tokens` ADD COLUMN `revoked_at` datetime NULL;
ALTER TABLE `api_tokens` ADD COLUMN `revoker` text NOT NULL DEFAULT ('');
ALTER TABLE `api_tokens` ADD COLUMN `member_id` uuid NULL CONSTRAINT `api_tokens_members_member` REFERENCES `members` (`id`) ON DELETE CASCADE;
ALTER TABLE `environments` ADD COLUMN `team_id` uuid NULL CONSTRAINT `environments_teams_team` REFERENCES `teams` (`id`) ON DELETE SET NULL;
ALTER TABLE `members` ADD COLUMN `name` text NOT NULL DEFAULT ('');
ALTER TABLE `members` ADD COLUMN `totp_secret` text NOT NULL DEFAULT ('');
ALTER TABLE `members` ADD COLUMN `totp_since` datetime NULL;
ALTER TABLE `members` ADD COLUMN `totp_used` integer NOT NULL DEFAULT (0);
ALTER TABLE `members` ADD COLUMN `recovery_hashes` json NULL;
ALTER TABLE `member_sessions` ADD COLUMN `seen_at` datetime NULL;
ALTER TABLE `member_sessions` ADD COLUMN `remote` text NOT NULL DEFAULT ('');
ALTER TABLE `member_sessions` ADD COLUMN `browser` text NOT NULL DEFAULT ('');
-- create index "membersession_member_id" to table: "member_sessions"
CREATE INDEX `membersession_member_id` ON `member_sessions` (`member_id`);
ALTER TABLE `organizations` ADD COLUMN `quota_runs` integer NOT NULL DEFAULT (0);
ALTER TABLE `organizations` ADD COLUMN `quota_queued` integer NOT NULL DEFAULT (0);
ALTER TABLE `organizations` ADD COLUMN `quota_log_bytes` integer NOT NULL DEFAULT (0);
ALTER TABLE `organizations` ADD COLUMN `quota_clusters` integer NOT NULL DEFAULT (0);
ALTER TABLE `organizations` ADD COLUMN `quota_calls` integer NOT NULL DEFAULT (0);
ALTER TABLE `workflows` ADD COLUMN `restricted` bool NOT NULL DEFAULT (false);
-- create "invitations" table
CREATE TABLE `invitations` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `email` text NOT NULL,
  `role` text NOT NULL,
  `maker` text NOT NULL,
  `hash` blob NOT NULL,
  `expires_at` datetime NOT NULL,
  `accepted_at` datetime NULL,
  `withdrawn_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `invitations_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `invitations_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "invitation_organization_id_hash" to table: "invitations"
CREATE UNIQUE INDEX `invitation_organization_id_hash` ON `invitations` (`organization_id`, `hash`);
-- create index "invitation_hash" to table: "invitations"
CREATE INDEX `invitation_hash` ON `invitations` (`hash`);
-- create "team_members" table
CREATE TABLE `team_members` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  `member_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `team_members_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `team_members_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `team_members_members_member` FOREIGN KEY (`member_id`) REFERENCES `members` (`id`) ON DELETE NO ACTION
);
-- create index "teammember_organization_id_member_id_team_id" to table: "team_members"
CREATE UNIQUE INDEX `teammember_organization_id_member_id_team_id` ON `team_members` (`organization_id`, `member_id`, `team_id`);
-- create index "teammember_team_id" to table: "team_members"
CREATE INDEX `teammember_team_id` ON `team_members` (`team_id`);
-- Everybody is in the team that the own tokens belong to.
INSERT INTO `team_members` (`id`, `created_at`, `updated_at`, `organization_id`, `team_id`, `member_id`)
SELECT `id`, `created_at`, `updated_at`, `organization_id`, `team_id`, `id` FROM `members`;
-- Environments go to the first team of their organization.
UPDATE `environments` SET `team_id` = (SELECT `id` FROM `teams` WHERE `teams`.`organization_id` = `environments`.`organization_id` ORDER BY `id` LIMIT 1);

-- +goose Down
DROP TABLE `team_members`;
DROP TABLE `invitations`;
DROP INDEX `membersession_member_id`;
ALTER TABLE `workflows` DROP COLUMN `restricted`;
ALTER TABLE `organizations` DROP COLUMN `quota_calls`;
ALTER TABLE `organizations` DROP COLUMN `quota_clusters`;
ALTER TABLE `organizations` DROP COLUMN `quota_log_bytes`;
ALTER TABLE `organizations` DROP COLUMN `quota_queued`;
ALTER TABLE `organizations` DROP COLUMN `quota_runs`;
ALTER TABLE `member_sessions` DROP COLUMN `browser`;
ALTER TABLE `member_sessions` DROP COLUMN `remote`;
ALTER TABLE `member_sessions` DROP COLUMN `seen_at`;
ALTER TABLE `members` DROP COLUMN `recovery_hashes`;
ALTER TABLE `members` DROP COLUMN `totp_used`;
ALTER TABLE `members` DROP COLUMN `totp_since`;
ALTER TABLE `members` DROP COLUMN `totp_secret`;
ALTER TABLE `members` DROP COLUMN `name`;
ALTER TABLE `environments` DROP COLUMN `team_id`;
ALTER TABLE `api_tokens` DROP COLUMN `member_id`;
ALTER TABLE `api_tokens` DROP COLUMN `revoker`;
ALTER TABLE `api_tokens` DROP COLUMN `revoked_at`;
ALTER TABLE `api_tokens` DROP COLUMN `environments`;
ALTER TABLE `api_tokens` DROP COLUMN `workflows`;
ALTER TABLE `api_tokens` DROP COLUMN `hint`;
