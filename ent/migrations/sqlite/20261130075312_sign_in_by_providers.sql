-- +goose Up
-- create "identity_providers" table
CREATE TABLE `identity_providers` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `issuer` text NOT NULL,
  `client_id` text NOT NULL,
  `client_secret` blob NULL,
  `domains` json NULL,
  `scopes` json NULL,
  `groups_claim` text NOT NULL DEFAULT (''),
  `teams` json NULL,
  `roles` json NULL,
  `default_role` text NOT NULL DEFAULT (''),
  `default_team` text NOT NULL DEFAULT (''),
  `trust_email` bool NOT NULL DEFAULT (false),
  `owners` bool NOT NULL DEFAULT (false),
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `identity_providers_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "identityprovider_organization_id_name" to table: "identity_providers"
CREATE UNIQUE INDEX `identityprovider_organization_id_name` ON `identity_providers` (`organization_id`, `name`);
-- create "member_identities" table
CREATE TABLE `member_identities` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `issuer` text NOT NULL,
  `subject` text NOT NULL,
  `base_role` text NOT NULL DEFAULT (''),
  `mapped` bool NOT NULL DEFAULT (false),
  `seen_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `provider_id` uuid NOT NULL,
  `member_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `member_identities_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `member_identities_identity_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `identity_providers` (`id`) ON DELETE CASCADE,
  CONSTRAINT `member_identities_members_member` FOREIGN KEY (`member_id`) REFERENCES `members` (`id`) ON DELETE CASCADE
);
-- create index "memberidentity_organization_id_provider_id_issuer_subject" to table: "member_identities"
CREATE UNIQUE INDEX `memberidentity_organization_id_provider_id_issuer_subject` ON `member_identities` (`organization_id`, `provider_id`, `issuer`, `subject`);
-- create index "memberidentity_member_id" to table: "member_identities"
CREATE INDEX `memberidentity_member_id` ON `member_identities` (`member_id`);
-- create "trust_rules" table
CREATE TABLE `trust_rules` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `issuer` text NOT NULL,
  `audience` text NOT NULL,
  `claims` json NOT NULL,
  `scopes` json NOT NULL,
  `workflows` json NULL,
  `environments` json NULL,
  `lifetime` integer NOT NULL,
  `maker` text NOT NULL DEFAULT (''),
  `used_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `trust_rules_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `trust_rules_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "trustrule_organization_id_name" to table: "trust_rules"
CREATE UNIQUE INDEX `trustrule_organization_id_name` ON `trust_rules` (`organization_id`, `name`);
-- create index "trustrule_issuer" to table: "trust_rules"
CREATE INDEX `trustrule_issuer` ON `trust_rules` (`issuer`);
-- modify "organizations" table
ALTER TABLE `organizations` ADD COLUMN `sso_required` bool NOT NULL DEFAULT (false);
ALTER TABLE `organizations` ADD COLUMN `sso_break_glass` bool NOT NULL DEFAULT (true);
ALTER TABLE `organizations` ADD COLUMN `visibility` text NOT NULL DEFAULT ('all');
-- modify "api_tokens" table
ALTER TABLE `api_tokens` ADD COLUMN `rule_id` uuid NULL CONSTRAINT `api_tokens_trust_rules_rule` REFERENCES `trust_rules` (`id`) ON DELETE CASCADE;

-- +goose Down
-- reverse: modify "api_tokens" table
ALTER TABLE `api_tokens` DROP COLUMN `rule_id`;
-- reverse: modify "organizations" table
ALTER TABLE `organizations` DROP COLUMN `visibility`;
ALTER TABLE `organizations` DROP COLUMN `sso_break_glass`;
ALTER TABLE `organizations` DROP COLUMN `sso_required`;
-- reverse: create index "trustrule_issuer" to table: "trust_rules"
DROP INDEX `trustrule_issuer`;
-- reverse: create index "trustrule_organization_id_name" to table: "trust_rules"
DROP INDEX `trustrule_organization_id_name`;
-- reverse: create "trust_rules" table
DROP TABLE `trust_rules`;
-- reverse: create index "memberidentity_member_id" to table: "member_identities"
DROP INDEX `memberidentity_member_id`;
-- reverse: create index "memberidentity_organization_id_provider_id_issuer_subject" to table: "member_identities"
DROP INDEX `memberidentity_organization_id_provider_id_issuer_subject`;
-- reverse: create "member_identities" table
DROP TABLE `member_identities`;
-- reverse: create index "identityprovider_organization_id_name" to table: "identity_providers"
DROP INDEX `identityprovider_organization_id_name`;
-- reverse: create "identity_providers" table
DROP TABLE `identity_providers`;
