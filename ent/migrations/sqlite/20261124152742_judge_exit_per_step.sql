-- +goose Up
-- modify "files" table
ALTER TABLE `files` ADD COLUMN `exit_reason` text NOT NULL DEFAULT ('');
-- modify "steps" table
ALTER TABLE `steps` ADD COLUMN `allowed` bool NOT NULL DEFAULT (false);
ALTER TABLE `steps` ADD COLUMN `reports_bad` integer NOT NULL DEFAULT (0);
ALTER TABLE `steps` ADD COLUMN `exit_result_id` uuid NULL;

-- +goose Down
-- reverse: modify "steps" table
ALTER TABLE `steps` DROP COLUMN `exit_result_id`;
ALTER TABLE `steps` DROP COLUMN `reports_bad`;
ALTER TABLE `steps` DROP COLUMN `allowed`;
-- reverse: modify "files" table
ALTER TABLE `files` DROP COLUMN `exit_reason`;
