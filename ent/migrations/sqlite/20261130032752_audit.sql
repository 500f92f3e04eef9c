-- +goose Up
-- add column "state" to table: "organizations"
ALTER TABLE `organizations` ADD COLUMN `state` text NOT NULL DEFAULT 'active';
-- create "audit_entries" table
CREATE TABLE `audit_entries` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `organization_id` uuid NOT NULL,
  `number` integer NOT NULL,
  `actor_kind` text NOT NULL,
  `actor_id` uuid NOT NULL,
  `actor_name` text NOT NULL,
  `actor_person` text NOT NULL DEFAULT (''),
  `credential_id` uuid NOT NULL,
  `action` text NOT NULL,
  `object_kind` text NOT NULL DEFAULT (''),
  `object_id` text NOT NULL DEFAULT (''),
  `object_name` text NOT NULL DEFAULT (''),
  `address` text NOT NULL DEFAULT (''),
  `outcome` text NOT NULL,
  `details` json NULL,
  `previous` blob NOT NULL,
  `hash` blob NOT NULL,
  PRIMARY KEY (`id`)
);
-- create index "auditentry_organization_id_number" to table: "audit_entries"
CREATE UNIQUE INDEX `auditentry_organization_id_number` ON `audit_entries` (`organization_id`, `number`);
-- create index "auditentry_organization_id_action_number" to table: "audit_entries"
CREATE INDEX `auditentry_organization_id_action_number` ON `audit_entries` (`organization_id`, `action`, `number`);
-- create index "auditentry_organization_id_actor_name_number" to table: "audit_entries"
CREATE INDEX `auditentry_organization_id_actor_name_number` ON `audit_entries` (`organization_id`, `actor_name`, `number`);
-- create "audit_heads" table
CREATE TABLE `audit_heads` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `organization_id` uuid NOT NULL,
  `number` integer NOT NULL DEFAULT (0),
  `hash` blob NOT NULL,
  PRIMARY KEY (`id`)
);
-- create index "audithead_organization_id" to table: "audit_heads"
CREATE UNIQUE INDEX `audithead_organization_id` ON `audit_heads` (`organization_id`);
-- Entries are never changed, and go only with their organization.
-- +goose StatementBegin
CREATE TRIGGER `audit_entries_stay` BEFORE UPDATE ON `audit_entries` BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER `audit_entries_remain` BEFORE DELETE ON `audit_entries`
WHEN NOT EXISTS (SELECT 1 FROM `organizations` WHERE `id` = OLD.`organization_id` AND `state` = 'deleting') BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd

-- +goose Down
-- reverse: create index "audithead_organization_id" to table: "audit_heads"
DROP INDEX `audithead_organization_id`;
-- reverse: create "audit_heads" table
DROP TABLE `audit_heads`;
-- reverse: create index "auditentry_organization_id_actor_name_number" to table: "audit_entries"
DROP INDEX `auditentry_organization_id_actor_name_number`;
-- reverse: create index "auditentry_organization_id_action_number" to table: "audit_entries"
DROP INDEX `auditentry_organization_id_action_number`;
-- reverse: create index "auditentry_organization_id_number" to table: "audit_entries"
DROP INDEX `auditentry_organization_id_number`;
-- reverse: create "audit_entries" table
DROP TABLE `audit_entries`;
-- reverse: add column "state" to table: "organizations"
ALTER TABLE `organizations` DROP COLUMN `state`;
