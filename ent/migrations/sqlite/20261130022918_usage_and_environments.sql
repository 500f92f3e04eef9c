-- +goose Up
-- modify "environments" table
ALTER TABLE `environments` ADD COLUMN `labels` json NULL;
ALTER TABLE `environments` ADD COLUMN `description` text NOT NULL DEFAULT ('');
ALTER TABLE `environments` ADD COLUMN `tier` text NOT NULL DEFAULT ('');
ALTER TABLE `environments` ADD COLUMN `digest` text NOT NULL DEFAULT ('');
ALTER TABLE `environments` ADD COLUMN `source` text NOT NULL DEFAULT ('');
-- modify "files" table
ALTER TABLE `files` ADD COLUMN `encoding` text NOT NULL DEFAULT ('');
ALTER TABLE `files` ADD COLUMN `stored_size` integer NOT NULL DEFAULT (0);
ALTER TABLE `files` ADD COLUMN `stored_sha256` text NOT NULL DEFAULT ('');
-- modify "releases" table
ALTER TABLE `releases` ADD COLUMN `targets` json NULL;
-- modify "steps" table
ALTER TABLE `steps` ADD COLUMN `usage` json NULL;

-- +goose Down
-- reverse: modify "steps" table
ALTER TABLE `steps` DROP COLUMN `usage`;
-- reverse: modify "releases" table
ALTER TABLE `releases` DROP COLUMN `targets`;
-- reverse: modify "files" table
ALTER TABLE `files` DROP COLUMN `stored_sha256`;
ALTER TABLE `files` DROP COLUMN `stored_size`;
ALTER TABLE `files` DROP COLUMN `encoding`;
-- reverse: modify "environments" table
ALTER TABLE `environments` DROP COLUMN `source`;
ALTER TABLE `environments` DROP COLUMN `digest`;
ALTER TABLE `environments` DROP COLUMN `tier`;
ALTER TABLE `environments` DROP COLUMN `description`;
ALTER TABLE `environments` DROP COLUMN `labels`;
