-- +goose Up
-- add columns to table: "webhooks"
ALTER TABLE `webhooks` ADD COLUMN `revision` integer NOT NULL DEFAULT (1);
ALTER TABLE `webhooks` ADD COLUMN `digest` text NOT NULL DEFAULT ('');
ALTER TABLE `webhooks` ADD COLUMN `source` text NOT NULL DEFAULT ('');
ALTER TABLE `webhooks` ADD COLUMN `suspended` bool NOT NULL DEFAULT (false);
ALTER TABLE `webhooks` ADD COLUMN `removed_at` datetime NULL;

-- +goose Down
-- reverse: add columns to table: "webhooks"
ALTER TABLE `webhooks` DROP COLUMN `removed_at`;
ALTER TABLE `webhooks` DROP COLUMN `suspended`;
ALTER TABLE `webhooks` DROP COLUMN `source`;
ALTER TABLE `webhooks` DROP COLUMN `digest`;
ALTER TABLE `webhooks` DROP COLUMN `revision`;
