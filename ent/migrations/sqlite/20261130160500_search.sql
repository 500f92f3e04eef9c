-- +goose Up
-- create index "execution_organization_id_commit_id" to table: "executions"
CREATE INDEX `execution_organization_id_commit_id` ON `executions` (`organization_id`, `commit`, `id`) WHERE "commit" <> '';
-- add column "blockers" to table: "release_changes"
ALTER TABLE `release_changes` ADD COLUMN `blockers` json NULL;
-- create index "releasechange_organization_id_id" to table: "release_changes"
CREATE INDEX `releasechange_organization_id_id` ON `release_changes` (`organization_id`, `id`);
-- add column "grown" to table: "strip_blocks"
ALTER TABLE `strip_blocks` ADD COLUMN `grown` integer NOT NULL DEFAULT 1;
-- add column "listed" to table: "strip_blocks"
ALTER TABLE `strip_blocks` ADD COLUMN `listed` integer NOT NULL DEFAULT 0;
-- create index "stripblock_unlisted" to table: "strip_blocks"
CREATE INDEX `stripblock_unlisted` ON `strip_blocks` (`id`) WHERE grown <> listed;
-- create "search_entries" table
CREATE TABLE `search_entries` (
  `id` integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  `organization_id` uuid NOT NULL,
  `kind` text NOT NULL,
  `ref` text NOT NULL,
  `workflow` text NOT NULL DEFAULT (''),
  `title` text NOT NULL,
  `words` text NOT NULL DEFAULT (''),
  `version` integer NOT NULL DEFAULT (0),
  `listed` bool NOT NULL DEFAULT (false),
  `subject_id` uuid NULL
);
-- create index "searchentry_organization_id_kind_ref_workflow" to table: "search_entries"
CREATE UNIQUE INDEX `searchentry_organization_id_kind_ref_workflow` ON `search_entries` (`organization_id`, `kind`, `ref`, `workflow`);
-- create index "searchentry_subject_id" to table: "search_entries"
CREATE INDEX `searchentry_subject_id` ON `search_entries` (`subject_id`) WHERE subject_id IS NOT NULL;
-- create index "searchentry_unlisted" to table: "search_entries"
CREATE INDEX `searchentry_unlisted` ON `search_entries` (`id`) WHERE NOT listed;
-- create "search_words" table
CREATE TABLE `search_words` (
  `id` integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  `organization_id` uuid NOT NULL,
  `kind` text NOT NULL,
  `word` blob NOT NULL,
  `entry_id` integer NOT NULL
);
-- create index "searchword_organization_id_kind_word_entry_id" to table: "search_words"
CREATE UNIQUE INDEX `searchword_organization_id_kind_word_entry_id` ON `search_words` (`organization_id`, `kind`, `word`, `entry_id`);
-- create index "searchword_entry_id_word" to table: "search_words"
CREATE INDEX `searchword_entry_id_word` ON `search_words` (`entry_id`, `word`);

-- +goose Down
-- reverse: create index "searchword_entry_id_word" to table: "search_words"
DROP INDEX `searchword_entry_id_word`;
-- reverse: create index "searchword_organization_id_kind_word_entry_id" to table: "search_words"
DROP INDEX `searchword_organization_id_kind_word_entry_id`;
-- reverse: create "search_words" table
DROP TABLE `search_words`;
-- reverse: create index "searchentry_unlisted" to table: "search_entries"
DROP INDEX `searchentry_unlisted`;
-- reverse: create index "searchentry_organization_id_kind_ref_workflow" to table: "search_entries"
DROP INDEX `searchentry_organization_id_kind_ref_workflow`;
-- reverse: create "search_entries" table
DROP TABLE `search_entries`;
-- reverse: create index "stripblock_unlisted" to table: "strip_blocks"
DROP INDEX `stripblock_unlisted`;
-- reverse: add column "listed" to table: "strip_blocks"
ALTER TABLE `strip_blocks` DROP COLUMN `listed`;
-- reverse: add column "grown" to table: "strip_blocks"
ALTER TABLE `strip_blocks` DROP COLUMN `grown`;
-- reverse: create index "releasechange_organization_id_id" to table: "release_changes"
DROP INDEX `releasechange_organization_id_id`;
-- reverse: add column "blockers" to table: "release_changes"
ALTER TABLE `release_changes` DROP COLUMN `blockers`;
-- reverse: create index "execution_organization_id_commit_id" to table: "executions"
DROP INDEX `execution_organization_id_commit_id`;
