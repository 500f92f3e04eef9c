-- +goose Up
-- create "api_tokens" table
CREATE TABLE `api_tokens` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `hash` blob NOT NULL,
  `scopes` json NOT NULL,
  `expires_at` datetime NOT NULL,
  `last_used_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `api_tokens_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `api_tokens_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "apitoken_organization_id_hash" to table: "api_tokens"
CREATE UNIQUE INDEX `apitoken_organization_id_hash` ON `api_tokens` (`organization_id`, `hash`);
-- create index "apitoken_hash" to table: "api_tokens"
CREATE INDEX `apitoken_hash` ON `api_tokens` (`hash`);
-- create "agent_commands" table
CREATE TABLE `agent_commands` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `kind` text NOT NULL,
  `state` text NOT NULL DEFAULT ('queued'),
  `reason` text NOT NULL DEFAULT (''),
  `answer` text NOT NULL DEFAULT (''),
  `sent_epoch` integer NOT NULL DEFAULT (0),
  `sent_at` datetime NULL,
  `expires_at` datetime NULL,
  `tries` integer NOT NULL DEFAULT (0),
  `organization_id` uuid NOT NULL,
  `cluster_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `agent_commands_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `agent_commands_clusters_cluster` FOREIGN KEY (`cluster_id`) REFERENCES `clusters` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `agent_commands_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION
);
-- create index "agentcommand_organization_id_attempt_id_kind" to table: "agent_commands"
CREATE UNIQUE INDEX `agentcommand_organization_id_attempt_id_kind` ON `agent_commands` (`organization_id`, `attempt_id`, `kind`);
-- create index "agentcommand_cluster_id_state" to table: "agent_commands"
CREATE INDEX `agentcommand_cluster_id_state` ON `agent_commands` (`cluster_id`, `state`);
-- create "attempts" table
CREATE TABLE `attempts` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `status` text NOT NULL,
  `reason` text NOT NULL DEFAULT (''),
  `message` text NOT NULL DEFAULT (''),
  `started_at` datetime NULL,
  `finished_at` datetime NULL,
  `number` integer NOT NULL,
  `node` text NOT NULL DEFAULT (''),
  `pod` text NOT NULL DEFAULT (''),
  `assigned_at` datetime NULL,
  `delivered` bool NOT NULL DEFAULT (false),
  `notes` json NULL,
  `spec` blob NOT NULL,
  `spec_digest` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `execution_id` uuid NOT NULL,
  `run_id` uuid NOT NULL,
  `cluster_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `attempts_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `attempts_executions_execution` FOREIGN KEY (`execution_id`) REFERENCES `executions` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `attempts_runs_run` FOREIGN KEY (`run_id`) REFERENCES `runs` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `attempts_clusters_cluster` FOREIGN KEY (`cluster_id`) REFERENCES `clusters` (`id`) ON DELETE NO ACTION
);
-- create index "attempt_organization_id_run_id_number" to table: "attempts"
CREATE UNIQUE INDEX `attempt_organization_id_run_id_number` ON `attempts` (`organization_id`, `run_id`, `number`);
-- create index "attempt_execution_id" to table: "attempts"
CREATE INDEX `attempt_execution_id` ON `attempts` (`execution_id`);
-- create index "attempt_cluster_id_status" to table: "attempts"
CREATE INDEX `attempt_cluster_id_status` ON `attempts` (`cluster_id`, `status`);
-- create "bootstrap_tokens" table
CREATE TABLE `bootstrap_tokens` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `hash` blob NOT NULL,
  `expires_at` datetime NOT NULL,
  `used_at` datetime NULL,
  `used_key` blob NULL,
  `organization_id` uuid NOT NULL,
  `cluster_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `bootstrap_tokens_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `bootstrap_tokens_clusters_cluster` FOREIGN KEY (`cluster_id`) REFERENCES `clusters` (`id`) ON DELETE NO ACTION
);
-- create index "bootstraptoken_organization_id_hash" to table: "bootstrap_tokens"
CREATE UNIQUE INDEX `bootstraptoken_organization_id_hash` ON `bootstrap_tokens` (`organization_id`, `hash`);
-- create index "bootstraptoken_hash" to table: "bootstrap_tokens"
CREATE INDEX `bootstraptoken_hash` ON `bootstrap_tokens` (`hash`);
-- create "clusters" table
CREATE TABLE `clusters` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `uid` text NOT NULL DEFAULT (''),
  `public_key` blob NULL,
  `enrolled_at` datetime NULL,
  `revoked` bool NOT NULL DEFAULT (false),
  `nonce_mark` integer NOT NULL DEFAULT (0),
  `session_epoch` integer NOT NULL DEFAULT (0),
  `gateway` text NOT NULL DEFAULT (''),
  `connected` bool NOT NULL DEFAULT (false),
  `connected_at` datetime NULL,
  `last_seen_at` datetime NULL,
  `agent_version` text NOT NULL DEFAULT (''),
  `kubernetes_version` text NOT NULL DEFAULT (''),
  `runner_delivery` text NOT NULL DEFAULT (''),
  `namespaces` json NULL,
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `clusters_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "cluster_organization_id_name" to table: "clusters"
CREATE UNIQUE INDEX `cluster_organization_id_name` ON `clusters` (`organization_id`, `name`);
-- create "environments" table
CREATE TABLE `environments` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `namespace` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `cluster_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `environments_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `environments_clusters_cluster` FOREIGN KEY (`cluster_id`) REFERENCES `clusters` (`id`) ON DELETE NO ACTION
);
-- create index "environment_organization_id_name" to table: "environments"
CREATE UNIQUE INDEX `environment_organization_id_name` ON `environments` (`organization_id`, `name`);
-- create index "environment_cluster_id" to table: "environments"
CREATE INDEX `environment_cluster_id` ON `environments` (`cluster_id`);
-- create "executions" table
CREATE TABLE `executions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `status` text NOT NULL,
  `reason` text NOT NULL DEFAULT (''),
  `message` text NOT NULL DEFAULT (''),
  `started_at` datetime NULL,
  `finished_at` datetime NULL,
  `workflow` text NOT NULL,
  `revision_number` integer NOT NULL,
  `digest` text NOT NULL,
  `params` json NULL,
  `trigger` text NOT NULL,
  `actor` text NOT NULL,
  `idempotency_key` text NULL,
  `tests_passed` integer NOT NULL DEFAULT (0),
  `tests_failed` integer NOT NULL DEFAULT (0),
  `tests_errored` integer NOT NULL DEFAULT (0),
  `tests_skipped` integer NOT NULL DEFAULT (0),
  `organization_id` uuid NOT NULL,
  `revision_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `executions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `executions_workflow_revisions_revision` FOREIGN KEY (`revision_id`) REFERENCES `workflow_revisions` (`id`) ON DELETE NO ACTION
);
-- create index "execution_organization_id_idempotency_key" to table: "executions"
CREATE UNIQUE INDEX `execution_organization_id_idempotency_key` ON `executions` (`organization_id`, `idempotency_key`);
-- create index "execution_organization_id_id" to table: "executions"
CREATE INDEX `execution_organization_id_id` ON `executions` (`organization_id`, `id`);
-- create index "execution_organization_id_workflow_id" to table: "executions"
CREATE INDEX `execution_organization_id_workflow_id` ON `executions` (`organization_id`, `workflow`, `id`);
-- create "files" table
CREATE TABLE `files` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `environment_name` text NOT NULL,
  `step_index` integer NOT NULL,
  `kind` text NOT NULL,
  `path` text NOT NULL,
  `size` integer NOT NULL,
  `sha256` text NOT NULL,
  `content_type` text NOT NULL,
  `format` text NOT NULL,
  `grade` text NOT NULL,
  `grade_reason` text NOT NULL,
  `blob` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `execution_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `files_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `files_executions_execution` FOREIGN KEY (`execution_id`) REFERENCES `executions` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `files_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION
);
-- create index "file_organization_id_attempt_id_kind_path_sha256" to table: "files"
CREATE UNIQUE INDEX `file_organization_id_attempt_id_kind_path_sha256` ON `files` (`organization_id`, `attempt_id`, `kind`, `path`, `sha256`);
-- create index "file_execution_id" to table: "files"
CREATE INDEX `file_execution_id` ON `files` (`execution_id`);
-- create "log_chunks" table
CREATE TABLE `log_chunks` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `start` integer NOT NULL,
  `end` integer NOT NULL,
  `raw_len` integer NOT NULL,
  `lines` integer NOT NULL,
  `first_line` integer NOT NULL,
  `first_time` datetime NULL,
  `last_time` datetime NULL,
  `crc` integer NOT NULL,
  `gap` integer NOT NULL DEFAULT (0),
  `via_kube_api` bool NOT NULL DEFAULT (false),
  `data` blob NULL,
  `organization_id` uuid NOT NULL,
  `stream_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `log_chunks_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `log_chunks_log_streams_stream` FOREIGN KEY (`stream_id`) REFERENCES `log_streams` (`id`) ON DELETE NO ACTION
);
-- create index "logchunk_organization_id_stream_id_start" to table: "log_chunks"
CREATE UNIQUE INDEX `logchunk_organization_id_stream_id_start` ON `log_chunks` (`organization_id`, `stream_id`, `start`);
-- create index "logchunk_stream_id_end" to table: "log_chunks"
CREATE INDEX `logchunk_stream_id_end` ON `log_chunks` (`stream_id`, `end`);
-- create "log_streams" table
CREATE TABLE `log_streams` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `step_index` integer NOT NULL,
  `committed` integer NOT NULL DEFAULT (0),
  `lines` integer NOT NULL DEFAULT (0),
  `gap_bytes` integer NOT NULL DEFAULT (0),
  `total_bytes` integer NULL,
  `total_lines` integer NULL,
  `total_gap_bytes` integer NULL,
  `total_crc` integer NULL,
  `complete` bool NOT NULL DEFAULT (false),
  `via_kube_api` bool NOT NULL DEFAULT (false),
  `organization_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `log_streams_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `log_streams_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION
);
-- create index "logstream_organization_id_attempt_id_name" to table: "log_streams"
CREATE UNIQUE INDEX `logstream_organization_id_attempt_id_name` ON `log_streams` (`organization_id`, `attempt_id`, `name`);
-- create index "logstream_attempt_id" to table: "log_streams"
CREATE INDEX `logstream_attempt_id` ON `log_streams` (`attempt_id`);
-- create "members" table
CREATE TABLE `members` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `email` text NOT NULL,
  `password_hash` text NOT NULL,
  `role` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `members_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `members_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "member_organization_id_email" to table: "members"
CREATE UNIQUE INDEX `member_organization_id_email` ON `members` (`organization_id`, `email`);
-- create index "member_email" to table: "members"
CREATE INDEX `member_email` ON `members` (`email`);
-- create "member_sessions" table
CREATE TABLE `member_sessions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `expires_at` datetime NOT NULL,
  `ended_at` datetime NULL,
  `organization_id` uuid NOT NULL,
  `member_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `member_sessions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `member_sessions_members_member` FOREIGN KEY (`member_id`) REFERENCES `members` (`id`) ON DELETE NO ACTION
);
-- create "organizations" table
CREATE TABLE `organizations` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `name` text NOT NULL,
  PRIMARY KEY (`id`)
);
-- create index "organizations_name_key" to table: "organizations"
CREATE UNIQUE INDEX `organizations_name_key` ON `organizations` (`name`);
-- create "runs" table
CREATE TABLE `runs` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `status` text NOT NULL,
  `reason` text NOT NULL DEFAULT (''),
  `message` text NOT NULL DEFAULT (''),
  `started_at` datetime NULL,
  `finished_at` datetime NULL,
  `environment_name` text NOT NULL,
  `cluster_name` text NOT NULL,
  `namespace` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `execution_id` uuid NOT NULL,
  `environment_id` uuid NOT NULL,
  `cluster_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `runs_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `runs_executions_execution` FOREIGN KEY (`execution_id`) REFERENCES `executions` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `runs_environments_environment` FOREIGN KEY (`environment_id`) REFERENCES `environments` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `runs_clusters_cluster` FOREIGN KEY (`cluster_id`) REFERENCES `clusters` (`id`) ON DELETE NO ACTION
);
-- create index "run_organization_id_execution_id_environment_id" to table: "runs"
CREATE UNIQUE INDEX `run_organization_id_execution_id_environment_id` ON `runs` (`organization_id`, `execution_id`, `environment_id`);
-- create index "run_execution_id" to table: "runs"
CREATE INDEX `run_execution_id` ON `runs` (`execution_id`);
-- create "settings" table
CREATE TABLE `settings` (
  `id` text NOT NULL,
  `created_at` datetime NOT NULL,
  `value` blob NOT NULL,
  PRIMARY KEY (`id`)
);
-- create "steps" table
CREATE TABLE `steps` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `status` text NOT NULL,
  `reason` text NOT NULL DEFAULT (''),
  `message` text NOT NULL DEFAULT (''),
  `started_at` datetime NULL,
  `finished_at` datetime NULL,
  `index` integer NOT NULL,
  `name` text NOT NULL,
  `exit_code` integer NULL,
  `organization_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `steps_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `steps_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION
);
-- create index "step_organization_id_attempt_id_index" to table: "steps"
CREATE UNIQUE INDEX `step_organization_id_attempt_id_index` ON `steps` (`organization_id`, `attempt_id`, `index`);
-- create index "step_attempt_id" to table: "steps"
CREATE INDEX `step_attempt_id` ON `steps` (`attempt_id`);
-- create "teams" table
CREATE TABLE `teams` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `organization_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `teams_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION
);
-- create index "team_organization_id_name" to table: "teams"
CREATE UNIQUE INDEX `team_organization_id_name` ON `teams` (`organization_id`, `name`);
-- create "test_results" table
CREATE TABLE `test_results` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `environment_name` text NOT NULL,
  `step_index` integer NOT NULL,
  `severity` integer NOT NULL,
  `suite` text NOT NULL,
  `name` text NOT NULL,
  `source` text NOT NULL,
  `outcome` text NOT NULL,
  `duration` integer NOT NULL,
  `message` text NOT NULL,
  `detail` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `execution_id` uuid NOT NULL,
  `attempt_id` uuid NOT NULL,
  `file_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `test_results_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `test_results_executions_execution` FOREIGN KEY (`execution_id`) REFERENCES `executions` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `test_results_attempts_attempt` FOREIGN KEY (`attempt_id`) REFERENCES `attempts` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `test_results_files_file` FOREIGN KEY (`file_id`) REFERENCES `files` (`id`) ON DELETE NO ACTION
);
-- create index "testresult_execution_id_severity_id" to table: "test_results"
CREATE INDEX `testresult_execution_id_severity_id` ON `test_results` (`execution_id`, `severity`, `id`);
-- create "workflows" table
CREATE TABLE `workflows` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `name` text NOT NULL,
  `labels` json NULL,
  `description` text NOT NULL DEFAULT (''),
  `revision` integer NOT NULL DEFAULT (1),
  `organization_id` uuid NOT NULL,
  `team_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `workflows_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `workflows_teams_team` FOREIGN KEY (`team_id`) REFERENCES `teams` (`id`) ON DELETE NO ACTION
);
-- create index "workflow_organization_id_name" to table: "workflows"
CREATE UNIQUE INDEX `workflow_organization_id_name` ON `workflows` (`organization_id`, `name`);
-- create "workflow_revisions" table
CREATE TABLE `workflow_revisions` (
  `id` uuid NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `number` integer NOT NULL,
  `digest` text NOT NULL,
  `source` text NOT NULL,
  `organization_id` uuid NOT NULL,
  `workflow_id` uuid NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `workflow_revisions_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE NO ACTION,
  CONSTRAINT `workflow_revisions_workflows_workflow` FOREIGN KEY (`workflow_id`) REFERENCES `workflows` (`id`) ON DELETE NO ACTION
);
-- create index "workflowrevision_organization_id_workflow_id_number" to table: "workflow_revisions"
CREATE UNIQUE INDEX `workflowrevision_organization_id_workflow_id_number` ON `workflow_revisions` (`organization_id`, `workflow_id`, `number`);

-- +goose Down
-- reverse: create index "workflowrevision_organization_id_workflow_id_number" to table: "workflow_revisions"
DROP INDEX `workflowrevision_organization_id_workflow_id_number`;
-- reverse: create "workflow_revisions" table
DROP TABLE `workflow_revisions`;
-- reverse: create index "workflow_organization_id_name" to table: "workflows"
DROP INDEX `workflow_organization_id_name`;
-- reverse: create "workflows" table
DROP TABLE `workflows`;
-- reverse: create index "testresult_execution_id_severity_id" to table: "test_results"
DROP INDEX `testresult_execution_id_severity_id`;
-- reverse: create "test_results" table
DROP TABLE `test_results`;
-- reverse: create index "team_organization_id_name" to table: "teams"
DROP INDEX `team_organization_id_name`;
-- reverse: create "teams" table
DROP TABLE `teams`;
-- reverse: create index "step_attempt_id" to table: "steps"
DROP INDEX `step_attempt_id`;
-- reverse: create index "step_organization_id_attempt_id_index" to table: "steps"
DROP INDEX `step_organization_id_attempt_id_index`;
-- reverse: create "steps" table
DROP TABLE `steps`;
-- reverse: create "settings" table
DROP TABLE `settings`;
-- reverse: create index "run_execution_id" to table: "runs"
DROP INDEX `run_execution_id`;
-- reverse: create index "run_organization_id_execution_id_environment_id" to table: "runs"
DROP INDEX `run_organization_id_execution_id_environment_id`;
-- reverse: create "runs" table
DROP TABLE `runs`;
-- reverse: create index "organizations_name_key" to table: "organizations"
DROP INDEX `organizations_name_key`;
-- reverse: create "organizations" table
DROP TABLE `organizations`;
-- reverse: create "member_sessions" table
DROP TABLE `member_sessions`;
-- reverse: create index "member_email" to table: "members"
DROP INDEX `member_email`;
-- reverse: create index "member_organization_id_email" to table: "members"
DROP INDEX `member_organization_id_email`;
-- reverse: create "members" table
DROP TABLE `members`;
-- reverse: create index "logstream_attempt_id" to table: "log_streams"
DROP INDEX `logstream_attempt_id`;
-- reverse: create index "logstream_organization_id_attempt_id_name" to table: "log_streams"
DROP INDEX `logstream_organization_id_attempt_id_name`;
-- reverse: create "log_streams" table
DROP TABLE `log_streams`;
-- reverse: create index "logchunk_stream_id_end" to table: "log_chunks"
DROP INDEX `logchunk_stream_id_end`;
-- reverse: create index "logchunk_organization_id_stream_id_start" to table: "log_chunks"
DROP INDEX `logchunk_organization_id_stream_id_start`;
-- reverse: create "log_chunks" table
DROP TABLE `log_chunks`;
-- reverse: create index "file_execution_id" to table: "files"
DROP INDEX `file_execution_id`;
-- reverse: create index "file_organization_id_attempt_id_kind_path_sha256" to table: "files"
DROP INDEX `file_organization_id_attempt_id_kind_path_sha256`;
-- reverse: create "files" table
DROP TABLE `files`;
-- reverse: create index "execution_organization_id_workflow_id" to table: "executions"
DROP INDEX `execution_organization_id_workflow_id`;
-- reverse: create index "execution_organization_id_id" to table: "executions"
DROP INDEX `execution_organization_id_id`;
-- reverse: create index "execution_organization_id_idempotency_key" to table: "executions"
DROP INDEX `execution_organization_id_idempotency_key`;
-- reverse: create "executions" table
DROP TABLE `executions`;
-- reverse: create index "environment_cluster_id" to table: "environments"
DROP INDEX `environment_cluster_id`;
-- reverse: create index "environment_organization_id_name" to table: "environments"
DROP INDEX `environment_organization_id_name`;
-- reverse: create "environments" table
DROP TABLE `environments`;
-- reverse: create index "cluster_organization_id_name" to table: "clusters"
DROP INDEX `cluster_organization_id_name`;
-- reverse: create "clusters" table
DROP TABLE `clusters`;
-- reverse: create index "bootstraptoken_hash" to table: "bootstrap_tokens"
DROP INDEX `bootstraptoken_hash`;
-- reverse: create index "bootstraptoken_organization_id_hash" to table: "bootstrap_tokens"
DROP INDEX `bootstraptoken_organization_id_hash`;
-- reverse: create "bootstrap_tokens" table
DROP TABLE `bootstrap_tokens`;
-- reverse: create index "attempt_cluster_id_status" to table: "attempts"
DROP INDEX `attempt_cluster_id_status`;
-- reverse: create index "attempt_execution_id" to table: "attempts"
DROP INDEX `attempt_execution_id`;
-- reverse: create index "attempt_organization_id_run_id_number" to table: "attempts"
DROP INDEX `attempt_organization_id_run_id_number`;
-- reverse: create "attempts" table
DROP TABLE `attempts`;
-- reverse: create index "agentcommand_cluster_id_state" to table: "agent_commands"
DROP INDEX `agentcommand_cluster_id_state`;
-- reverse: create index "agentcommand_organization_id_attempt_id_kind" to table: "agent_commands"
DROP INDEX `agentcommand_organization_id_attempt_id_kind`;
-- reverse: create "agent_commands" table
DROP TABLE `agent_commands`;
-- reverse: create index "apitoken_hash" to table: "api_tokens"
DROP INDEX `apitoken_hash`;
-- reverse: create index "apitoken_organization_id_hash" to table: "api_tokens"
DROP INDEX `apitoken_organization_id_hash`;
-- reverse: create "api_tokens" table
DROP TABLE `api_tokens`;
