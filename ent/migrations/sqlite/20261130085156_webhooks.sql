-- +goose Up
-- create "deliveries" table
CREATE TABLE `deliveries` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `event` text NOT NULL,
  `about` text NOT NULL DEFAULT (''),
  `path` text NOT NULL DEFAULT (''),
  `body` blob NOT NULL,
  `state` text NOT NULL DEFAULT ('pending'),
  `attempts` integer NOT NULL DEFAULT (0),
  `begun_at` datetime NOT NULL,
  `next_at` datetime NULL,
  `leased_until` datetime NULL,
  `tried_at` datetime NULL,
  `code` integer NOT NULL DEFAULT (0),
  `took` integer NOT NULL DEFAULT (0),
  `answer` blob NULL,
  `error` text NOT NULL DEFAULT (''),
  `organization_id` uuid NOT NULL,
  `webhook_id` uuid NOT NULL,
  `notice_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `deliveries_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `deliveries_webhooks_webhook` FOREIGN KEY (`webhook_id`) REFERENCES `webhooks` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `deliveries_notices_notice` FOREIGN KEY (`notice_id`) REFERENCES `notices` (`id`) ON DELETE NO ACTION
);
-- create index "delivery_organization_id_webhook_id_notice_id" to table: "deliveries"
CREATE UNIQUE INDEX `delivery_organization_id_webhook_id_notice_id` ON `deliveries` (`organization_id`, `webhook_id`, `notice_id`);
-- create index "delivery_next_at" to table: "deliveries"
CREATE INDEX `delivery_next_at` ON `deliveries` (`next_at`);
-- create index "delivery_webhook_id_leased_until" to table: "deliveries"
CREATE INDEX `delivery_webhook_id_leased_until` ON `deliveries` (`webhook_id`, `leased_until`);
-- create index "delivery_created_at" to table: "deliveries"
CREATE INDEX `delivery_created_at` ON `deliveries` (`created_at`);
-- create index "delivery_notice_id" to table: "deliveries"
CREATE INDEX `delivery_notice_id` ON `deliveries` (`notice_id`);
-- create "notices" table
CREATE TABLE `notices` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `kind` text NOT NULL,
  `subject_id` uuid NOT NULL,
  `data` json NULL,
  `due_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `notices_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "notice_due_at" to table: "notices"
CREATE INDEX `notice_due_at` ON `notices` (`due_at`);
-- create index "notice_created_at" to table: "notices"
CREATE INDEX `notice_created_at` ON `notices` (`created_at`);
-- create "webhooks" table
CREATE TABLE `webhooks` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `format` text NOT NULL,
  `address` text NOT NULL,
  `sealed` blob NULL,
  `events` json NULL,
  `workflows` json NULL,
  `labels` json NULL,
  `environments` json NULL,
  `template` text NOT NULL DEFAULT (''),
  `paused_by` text NOT NULL DEFAULT (''),
  `paused_because` text NOT NULL DEFAULT (''),
  `paused_at` datetime NULL,
  `rotated_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `webhooks_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `webhooks_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "webhook_organization_id_name" to table: "webhooks"
CREATE UNIQUE INDEX `webhook_organization_id_name` ON `webhooks` (`organization_id`, `name`);

-- +goose Down
-- reverse: create index "webhook_organization_id_name" to table: "webhooks"
DROP INDEX `webhook_organization_id_name`;
-- reverse: create "webhooks" table
DROP TABLE `webhooks`;
-- reverse: create index "notice_created_at" to table: "notices"
DROP INDEX `notice_created_at`;
-- reverse: create index "notice_due_at" to table: "notices"
DROP INDEX `notice_due_at`;
-- reverse: create "notices" table
DROP TABLE `notices`;
-- reverse: create index "delivery_notice_id" to table: "deliveries"
DROP INDEX `delivery_notice_id`;
-- reverse: create index "delivery_created_at" to table: "deliveries"
DROP INDEX `delivery_created_at`;
-- reverse: create index "delivery_webhook_id_leased_until" to table: "deliveries"
DROP INDEX `delivery_webhook_id_leased_until`;
-- reverse: create index "delivery_next_at" to table: "deliveries"
DROP INDEX `delivery_next_at`;
-- reverse: create index "delivery_organization_id_webhook_id_notice_id" to table: "deliveries"
DROP INDEX `delivery_organization_id_webhook_id_notice_id`;
-- reverse: create "deliveries" table
DROP TABLE `deliveries`;
