-- +goose Up
-- add column "examine_id" to table: "clusters"
ALTER TABLE `clusters` ADD COLUMN `examine_id` uuid NULL;
-- add column "examine_asked_at" to table: "clusters"
ALTER TABLE `clusters` ADD COLUMN `examine_asked_at` datetime NULL;
-- add column "examined_id" to table: "clusters"
ALTER TABLE `clusters` ADD COLUMN `examined_id` uuid NULL;
-- add column "examined_at" to table: "clusters"
ALTER TABLE `clusters` ADD COLUMN `examined_at` datetime NULL;
-- add column "examined" to table: "clusters"
ALTER TABLE `clusters` ADD COLUMN `examined` blob NULL;

-- +goose Down
-- reverse: add column "examined" to table: "clusters"
ALTER TABLE `clusters` DROP COLUMN `examined`;
-- reverse: add column "examined_at" to table: "clusters"
ALTER TABLE `clusters` DROP COLUMN `examined_at`;
-- reverse: add column "examined_id" to table: "clusters"
ALTER TABLE `clusters` DROP COLUMN `examined_id`;
-- reverse: add column "examine_asked_at" to table: "clusters"
ALTER TABLE `clusters` DROP COLUMN `examine_asked_at`;
-- reverse: add column "examine_id" to table: "clusters"
ALTER TABLE `clusters` DROP COLUMN `examine_id`;
