-- +goose Up
-- create "deployments" table
CREATE TABLE `deployments` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `key` text NOT NULL,
  `repository` text NOT NULL,
  `environment` text NOT NULL,
  `target` text NOT NULL,
  `commit` text NOT NULL,
  `callback` text NOT NULL,
  `installation` integer NOT NULL,
  `actor` text NOT NULL DEFAULT (''),
  `state` text NOT NULL DEFAULT ('waiting'),
  `said` text NOT NULL DEFAULT (''),
  `reports` integer NOT NULL DEFAULT (0),
  `attempts` integer NOT NULL DEFAULT (0),
  `error` text NOT NULL DEFAULT (''),
  `next_at` datetime NULL,
  `leased_until` datetime NULL,
  `answered_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `receiver_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `deployments_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `deployments_receivers_receiver` FOREIGN KEY (`receiver_id`) REFERENCES `receivers` (`id`) ON DELETE NO ACTION
);
-- create index "deployment_organization_id_receiver_id_key" to table: "deployments"
CREATE UNIQUE INDEX `deployment_organization_id_receiver_id_key` ON `deployments` (`organization_id`, `receiver_id`, `key`);
-- create index "deployment_next_at" to table: "deployments"
CREATE INDEX `deployment_next_at` ON `deployments` (`next_at`);
-- create index "deployment_leased_until" to table: "deployments"
CREATE INDEX `deployment_leased_until` ON `deployments` (`leased_until`);
-- create index "deployment_organization_id_commit" to table: "deployments"
CREATE INDEX `deployment_organization_id_commit` ON `deployments` (`organization_id`, `commit`);
-- create index "deployment_organization_id_id" to table: "deployments"
CREATE INDEX `deployment_organization_id_id` ON `deployments` (`organization_id`, `id`);
-- create index "deployment_created_at" to table: "deployments"
CREATE INDEX `deployment_created_at` ON `deployments` (`created_at`);

-- +goose Down
-- reverse: create index "deployment_created_at" to table: "deployments"
DROP INDEX `deployment_created_at`;
-- reverse: create index "deployment_organization_id_id" to table: "deployments"
DROP INDEX `deployment_organization_id_id`;
-- reverse: create index "deployment_organization_id_commit" to table: "deployments"
DROP INDEX `deployment_organization_id_commit`;
-- reverse: create index "deployment_leased_until" to table: "deployments"
DROP INDEX `deployment_leased_until`;
-- reverse: create index "deployment_next_at" to table: "deployments"
DROP INDEX `deployment_next_at`;
-- reverse: create index "deployment_organization_id_receiver_id_key" to table: "deployments"
DROP INDEX `deployment_organization_id_receiver_id_key`;
-- reverse: create "deployments" table
DROP TABLE `deployments`;
