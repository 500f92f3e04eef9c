-- +goose Up
-- add column "maker" to table: "api_tokens"
ALTER TABLE `api_tokens` ADD COLUMN `maker` text NOT NULL DEFAULT ('');
-- add columns to table: "releases"
ALTER TABLE `releases` ADD COLUMN `arrivals` integer NOT NULL DEFAULT (0);
ALTER TABLE `releases` ADD COLUMN `judged` integer NOT NULL DEFAULT (0);

-- +goose Down
ALTER TABLE `releases` DROP COLUMN `judged`;
ALTER TABLE `releases` DROP COLUMN `arrivals`;
ALTER TABLE `api_tokens` DROP COLUMN `maker`;
