-- +goose Up
-- create "events" table
CREATE TABLE `events` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `kind` text NOT NULL,
  `source` text NOT NULL,
  `type` text NOT NULL,
  `subject` text NOT NULL,
  `key` text NOT NULL,
  `data` blob NOT NULL,
  `state` text NOT NULL,
  `reason` text NOT NULL DEFAULT (''),
  `passed` blob NULL,
  `leased_until` datetime NULL,
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `events_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "event_organization_id_key" to table: "events"
CREATE UNIQUE INDEX `event_organization_id_key` ON `events` (`organization_id`, `key`);
-- create index "event_state_leased_until" to table: "events"
CREATE INDEX `event_state_leased_until` ON `events` (`state`, `leased_until`);
-- create index "event_created_at" to table: "events"
CREATE INDEX `event_created_at` ON `events` (`created_at`);
-- create "reactions" table
CREATE TABLE `reactions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `state` text NOT NULL,
  `due` datetime NOT NULL,
  `about` text NOT NULL DEFAULT (''),
  `reason` text NOT NULL DEFAULT (''),
  `params` blob NULL,
  `starts` blob NULL,
  `fired_at` datetime NULL,
  `leased_until` datetime NULL,
  `organization_id` uuid NOT NULL,
  `event_id` uuid NOT NULL,
  `trigger_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `reactions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `reactions_events_event` FOREIGN KEY (`event_id`) REFERENCES `events` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `reactions_triggers_trigger` FOREIGN KEY (`trigger_id`) REFERENCES `triggers` (`id`) ON DELETE NO ACTION
);
-- create index "reaction_organization_id_event_id_trigger_id" to table: "reactions"
CREATE UNIQUE INDEX `reaction_organization_id_event_id_trigger_id` ON `reactions` (`organization_id`, `event_id`, `trigger_id`);
-- create index "reaction_state_due" to table: "reactions"
CREATE INDEX `reaction_state_due` ON `reactions` (`state`, `due`);
-- create index "reaction_trigger_id" to table: "reactions"
CREATE INDEX `reaction_trigger_id` ON `reactions` (`trigger_id`);
-- create "receivers" table
CREATE TABLE `receivers` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `kind` text NOT NULL,
  `removed_at` datetime NULL,
  `heard_at` datetime NULL,
  `refused_at` datetime NULL,
  `refused` text NOT NULL DEFAULT (''),
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `receivers_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `receivers_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "receiver_organization_id_name" to table: "receivers"
CREATE UNIQUE INDEX `receiver_organization_id_name` ON `receivers` (`organization_id`, `name`);
-- create "triggers" table
CREATE TABLE `triggers` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `workflow` text NOT NULL DEFAULT (''),
  `labels` json NULL,
  `revision` integer NOT NULL DEFAULT (1),
  `digest` text NOT NULL,
  `source` text NOT NULL DEFAULT (''),
  `spec` blob NOT NULL,
  `kind` text NOT NULL,
  `subject` text NOT NULL,
  `suspended_by` text NOT NULL DEFAULT (''),
  `suspended_at` datetime NULL,
  `removed_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `triggers_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `triggers_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "trigger_organization_id_name" to table: "triggers"
CREATE UNIQUE INDEX `trigger_organization_id_name` ON `triggers` (`organization_id`, `name`);
-- create index "trigger_organization_id_kind_subject" to table: "triggers"
CREATE INDEX `trigger_organization_id_kind_subject` ON `triggers` (`organization_id`, `kind`, `subject`);
-- create index "trigger_organization_id_workflow" to table: "triggers"
CREATE INDEX `trigger_organization_id_workflow` ON `triggers` (`organization_id`, `workflow`);

-- +goose Down
-- reverse: create index "trigger_organization_id_workflow" to table: "triggers"
DROP INDEX `trigger_organization_id_workflow`;
-- reverse: create index "trigger_organization_id_kind_subject" to table: "triggers"
DROP INDEX `trigger_organization_id_kind_subject`;
-- reverse: create index "trigger_organization_id_name" to table: "triggers"
DROP INDEX `trigger_organization_id_name`;
-- reverse: create "triggers" table
DROP TABLE `triggers`;
-- reverse: create index "receiver_organization_id_name" to table: "receivers"
DROP INDEX `receiver_organization_id_name`;
-- reverse: create "receivers" table
DROP TABLE `receivers`;
-- reverse: create index "reaction_trigger_id" to table: "reactions"
DROP INDEX `reaction_trigger_id`;
-- reverse: create index "reaction_state_due" to table: "reactions"
DROP INDEX `reaction_state_due`;
-- reverse: create index "reaction_organization_id_event_id_trigger_id" to table: "reactions"
DROP INDEX `reaction_organization_id_event_id_trigger_id`;
-- reverse: create "reactions" table
DROP TABLE `reactions`;
-- reverse: create index "event_created_at" to table: "events"
DROP INDEX `event_created_at`;
-- reverse: create index "event_state_leased_until" to table: "events"
DROP INDEX `event_state_leased_until`;
-- reverse: create index "event_organization_id_key" to table: "events"
DROP INDEX `event_organization_id_key`;
-- reverse: create "events" table
DROP TABLE `events`;
