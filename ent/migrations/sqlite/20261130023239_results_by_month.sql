-- +goose Up
-- Results refer to nothing by foreign keys any more: each was looked up for every row. Nothing refers to them, so the table can be made
-- anew.
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
  PRIMARY KEY (`id`)
);
-- copy rows from old table "test_results" to new temporary table "new_test_results"
INSERT INTO `new_test_results` (`id`, `created_at`, `updated_at`, `environment_name`, `step_index`, `severity`, `suite`, `name`, `source`, `test_key`, `variant`, `fingerprint`, `earlier`, `flags`, `outcome`, `duration`, `message`, `detail`, `organization_id`, `execution_id`, `attempt_id`, `file_id`) SELECT `id`, `created_at`, `updated_at`, `environment_name`, `step_index`, `severity`, `suite`, `name`, `source`, `test_key`, `variant`, `fingerprint`, `earlier`, `flags`, `outcome`, `duration`, `message`, `detail`, `organization_id`, `execution_id`, `attempt_id`, `file_id` FROM `test_results`;
-- drop "test_results" table after copying rows
DROP TABLE `test_results`;
-- rename temporary table "new_test_results" to "test_results"
ALTER TABLE `new_test_results` RENAME TO `test_results`;
-- create index "testresult_execution_id_severity_id" to table: "test_results"
CREATE INDEX `testresult_execution_id_severity_id` ON `test_results` (`execution_id`, `severity`, `id`);
-- create index "testresult_test_key_id" to table: "test_results"
CREATE INDEX `testresult_test_key_id` ON `test_results` (`test_key`, `id`);
-- create index "testresult_organization_id_id" to table: "test_results"
CREATE INDEX `testresult_organization_id_id` ON `test_results` (`organization_id`, `id`) WHERE outcome IN ('failed', 'errored', 'timed_out') OR earlier IS NOT NULL;
-- create "test_strips" table
CREATE TABLE `test_strips` (
  `id` integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  `organization_id` uuid NOT NULL,
  `test_key` text NOT NULL,
  `environment_name` text NOT NULL,
  `workflow` text NOT NULL,
  `outcomes` text NOT NULL,
  `last_execution_id` uuid NOT NULL,
  `last_at` datetime NOT NULL,
  `unreliable_at` datetime NULL
);
-- create index "teststrip_organization_id_test_key_environment_name" to table: "test_strips"
CREATE UNIQUE INDEX `teststrip_organization_id_test_key_environment_name` ON `test_strips` (`organization_id`, `test_key`, `environment_name`);
-- create index "teststrip_organization_id_workflow_environment_name" to table: "test_strips"
CREATE INDEX `teststrip_organization_id_workflow_environment_name` ON `test_strips` (`organization_id`, `workflow`, `environment_name`);
-- create index "teststrip_organization_id_unreliable_at" to table: "test_strips"
CREATE INDEX `teststrip_organization_id_unreliable_at` ON `test_strips` (`organization_id`, `unreliable_at`) WHERE unreliable_at IS NOT NULL;
-- The strips of the tests that are known already.
INSERT INTO `test_strips` (`organization_id`, `test_key`, `environment_name`, `workflow`, `outcomes`, `last_execution_id`, `last_at`, `unreliable_at`)
SELECT organization_id, test_key, environment_name, max(workflow), group_concat(letter, '' ORDER BY id DESC), max(CASE n WHEN 1 THEN execution_id END),
  max(created_at), max(created_at) FILTER (WHERE letter NOT IN ('p', 's', 'b', 'i', 'c'))
FROM (SELECT r.id, r.organization_id, r.test_key, r.environment_name, r.execution_id, r.created_at, e.workflow,
    CASE WHEN r.earlier IS NULL THEN CASE r.outcome WHEN 'passed' THEN 'p' WHEN 'failed' THEN 'f' WHEN 'errored' THEN 'e' WHEN 'timed_out' THEN 't' WHEN 'skipped' THEN 's' WHEN 'blocked' THEN 'b' WHEN 'infra_error' THEN 'i' ELSE 'c' END ELSE upper(CASE r.outcome WHEN 'passed' THEN 'p' WHEN 'failed' THEN 'f' WHEN 'errored' THEN 'e' WHEN 'timed_out' THEN 't' WHEN 'skipped' THEN 's' WHEN 'blocked' THEN 'b' WHEN 'infra_error' THEN 'i' ELSE 'c' END) END AS letter,
    row_number() OVER (PARTITION BY r.test_key, r.environment_name ORDER BY r.id DESC) AS n
  FROM `test_results` AS r JOIN `executions` AS e ON e.id = r.execution_id WHERE r.test_key <> '' AND r.severity < 100) AS latest
WHERE n <= 64 GROUP BY organization_id, test_key, environment_name ON CONFLICT DO NOTHING;

-- +goose Down
DROP TABLE `test_strips`;
