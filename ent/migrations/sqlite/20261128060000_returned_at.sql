-- +goose Up
-- add column "returned_at" to table: "clusters"
ALTER TABLE `clusters` ADD COLUMN `returned_at` datetime NULL;

-- +goose Down
-- reverse: add column "returned_at" to table: "clusters"
ALTER TABLE `clusters` DROP COLUMN `returned_at`;
