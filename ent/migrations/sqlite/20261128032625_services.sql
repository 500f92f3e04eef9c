-- +goose Up
-- create "services" table
CREATE TABLE `services` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `ordinal` integer NOT NULL,
  `name` text NOT NULL,
  `status` text NOT NULL,
  `message` text NOT NULL DEFAULT (''),
  `exit_code` integer NULL,
  `restarts` integer NOT NULL DEFAULT (0),
  `started_at` datetime NULL,
  `finished_at` datetime NULL,
  `log_withheld` bool NOT NULL DEFAULT (false),
  `organization_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `services_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `services_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION
);
-- create index "service_organization_id_attempt_id_name" to table: "services"
CREATE UNIQUE INDEX `service_organization_id_attempt_id_name` ON `services` (`organization_id`, `attempt_id`, `name`);
-- create index "service_attempt_id" to table: "services"
CREATE INDEX `service_attempt_id` ON `services` (`attempt_id`);

-- +goose Down
-- reverse: create index "service_attempt_id" to table: "services"
DROP INDEX `service_attempt_id`;
-- reverse: create index "service_organization_id_attempt_id_name" to table: "services"
DROP INDEX `service_organization_id_attempt_id_name`;
-- reverse: create "services" table
DROP TABLE `services`;
