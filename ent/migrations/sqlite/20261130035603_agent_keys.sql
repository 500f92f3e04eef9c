-- +goose Up
-- add columns to table: "clusters"
ALTER TABLE `clusters` ADD COLUMN `key_since` datetime NULL;
ALTER TABLE `clusters` ADD COLUMN `next_key` blob NULL;
ALTER TABLE `clusters` ADD COLUMN `rotation_asked` bool NOT NULL DEFAULT (false);
ALTER TABLE `clusters` ADD COLUMN `revoked_at` datetime NULL;
ALTER TABLE `clusters` ADD COLUMN `revoked_reason` text NOT NULL DEFAULT ('');
ALTER TABLE `clusters` ADD COLUMN `rules` json NULL;

-- +goose Down
ALTER TABLE `clusters` DROP COLUMN `rules`;
ALTER TABLE `clusters` DROP COLUMN `revoked_reason`;
ALTER TABLE `clusters` DROP COLUMN `revoked_at`;
ALTER TABLE `clusters` DROP COLUMN `rotation_asked`;
ALTER TABLE `clusters` DROP COLUMN `next_key`;
ALTER TABLE `clusters` DROP COLUMN `key_since`;
