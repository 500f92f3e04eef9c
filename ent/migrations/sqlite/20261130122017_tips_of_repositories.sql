-- +goose Up
-- add column "tips" to table: "repositories"
ALTER TABLE `repositories` ADD COLUMN `tips` blob NULL;

-- +goose Down
-- reverse: add column "tips" to table: "repositories"
ALTER TABLE `repositories` DROP COLUMN `tips`;
