-- +goose Up
-- create "strip_blocks" table
CREATE TABLE `strip_blocks` (
  `id` integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  `organization_id` uuid NOT NULL,
  `workflow` text NOT NULL,
  `environment_name` text NOT NULL,
  `prefix` text NOT NULL,
  `body` text NOT NULL,
  `oldest_at` datetime NOT NULL
);
-- create index "stripblock_organization_id_workflow_environment_name_prefix" to table: "strip_blocks"
CREATE UNIQUE INDEX `stripblock_organization_id_workflow_environment_name_prefix` ON `strip_blocks` (`organization_id`, `workflow`, `environment_name`, `prefix`);
-- create index "stripblock_oldest_at" to table: "strip_blocks"
CREATE INDEX `stripblock_oldest_at` ON `strip_blocks` (`oldest_at`);
-- create "unreliable_tests" table
CREATE TABLE `unreliable_tests` (
  `id` integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  `organization_id` uuid NOT NULL,
  `test_key` text NOT NULL,
  `environment_name` text NOT NULL,
  `workflow` text NOT NULL,
  `outcomes` integer NOT NULL,
  `last_at` datetime NOT NULL
);
-- create index "unreliabletest_organization_id_test_key_environment_name" to table: "unreliable_tests"
CREATE UNIQUE INDEX `unreliabletest_organization_id_test_key_environment_name` ON `unreliable_tests` (`organization_id`, `test_key`, `environment_name`);
-- create index "unreliabletest_organization_id_last_at" to table: "unreliable_tests"
CREATE INDEX `unreliabletest_organization_id_last_at` ON `unreliable_tests` (`organization_id`, `last_at`);
-- What is known of each test moves into the block of its workflow, environment and first letter.
INSERT INTO `strip_blocks` (`organization_id`, `workflow`, `environment_name`, `prefix`, `body`, `oldest_at`)
SELECT organization_id, workflow, environment_name, substr(test_key, 1, 1),
  group_concat(test_key || ' ' || printf('%x', CAST(strftime('%s', last_at) AS integer)) || ' ' || printf('%x', CAST(coalesce(strftime('%s', unreliable_at), '0') AS integer)) || ' ' || outcomes || char(10), '' ORDER BY test_key),
  min(last_at)
FROM `test_strips` WHERE outcomes <> '' GROUP BY organization_id, workflow, environment_name, substr(test_key, 1, 1);
INSERT INTO `unreliable_tests` (`organization_id`, `test_key`, `environment_name`, `workflow`, `outcomes`, `last_at`)
SELECT organization_id, test_key, environment_name, workflow, length(replace(replace(replace(replace(replace(outcomes, 'p', ''), 's', ''), 'b', ''), 'i', ''), 'c', '')), unreliable_at FROM `test_strips` WHERE unreliable_at IS NOT NULL AND outcomes <> '';
DROP TABLE `test_strips`;

-- +goose Down
-- reverse: create index "unreliabletest_organization_id_last_at" to table: "unreliable_tests"
DROP INDEX `unreliabletest_organization_id_last_at`;
-- reverse: create index "unreliabletest_organization_id_test_key_environment_name" to table: "unreliable_tests"
DROP INDEX `unreliabletest_organization_id_test_key_environment_name`;
-- reverse: create "unreliable_tests" table
DROP TABLE `unreliable_tests`;
-- reverse: create index "stripblock_oldest_at" to table: "strip_blocks"
DROP INDEX `stripblock_oldest_at`;
-- reverse: create index "stripblock_organization_id_workflow_environment_name_prefix" to table: "strip_blocks"
DROP INDEX `stripblock_organization_id_workflow_environment_name_prefix`;
-- reverse: create "strip_blocks" table
DROP TABLE `strip_blocks`;
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
