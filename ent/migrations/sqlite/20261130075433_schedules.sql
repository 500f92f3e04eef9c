-- +goose Up
-- create "firings" table
CREATE TABLE `firings` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `due` datetime NOT NULL,
  `planned` datetime NOT NULL,
  `actor` text NOT NULL DEFAULT (''),
  `state` text NOT NULL,
  `reason` text NOT NULL DEFAULT (''),
  `starts` blob NULL,
  `fired_at` datetime NULL,
  `leased_until` datetime NULL,
  `organization_id` uuid NOT NULL,
  `schedule_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `firings_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `firings_schedules_schedule` FOREIGN KEY (`schedule_id`) REFERENCES `schedules` (`id`) ON DELETE NO ACTION
);
-- create index "firing_organization_id_schedule_id_due" to table: "firings"
CREATE UNIQUE INDEX `firing_organization_id_schedule_id_due` ON `firings` (`organization_id`, `schedule_id`, `due`);
-- create index "firing_state_leased_until" to table: "firings"
CREATE INDEX `firing_state_leased_until` ON `firings` (`state`, `leased_until`);
-- create index "firing_created_at" to table: "firings"
CREATE INDEX `firing_created_at` ON `firings` (`created_at`);
-- create "schedules" table
CREATE TABLE `schedules` (
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
  `suspended_by` text NOT NULL DEFAULT (''),
  `suspended_at` datetime NULL,
  `removed_at` datetime NULL,
  `next_due` datetime NULL,
  `next_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `schedules_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `schedules_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "schedule_organization_id_name" to table: "schedules"
CREATE UNIQUE INDEX `schedule_organization_id_name` ON `schedules` (`organization_id`, `name`);
-- create index "schedule_next_at" to table: "schedules"
CREATE INDEX `schedule_next_at` ON `schedules` (`next_at`);
-- create index "schedule_organization_id_workflow" to table: "schedules"
CREATE INDEX `schedule_organization_id_workflow` ON `schedules` (`organization_id`, `workflow`);

-- +goose Down
-- reverse: create index "schedule_organization_id_workflow" to table: "schedules"
DROP INDEX `schedule_organization_id_workflow`;
-- reverse: create index "schedule_next_at" to table: "schedules"
DROP INDEX `schedule_next_at`;
-- reverse: create index "schedule_organization_id_name" to table: "schedules"
DROP INDEX `schedule_organization_id_name`;
-- reverse: create "schedules" table
DROP TABLE `schedules`;
-- reverse: create index "firing_created_at" to table: "firings"
DROP INDEX `firing_created_at`;
-- reverse: create index "firing_state_leased_until" to table: "firings"
DROP INDEX `firing_state_leased_until`;
-- reverse: create index "firing_organization_id_schedule_id_due" to table: "firings"
DROP INDEX `firing_organization_id_schedule_id_due`;
-- reverse: create "firings" table
DROP TABLE `firings`;
