-- +goose Up
-- modify "clusters" table
ALTER TABLE "clusters" ADD COLUMN "examine_id" uuid NULL, ADD COLUMN "examine_asked_at" timestamptz NULL, ADD COLUMN "examined_id" uuid NULL, ADD COLUMN "examined_at" timestamptz NULL, ADD COLUMN "examined" bytea NULL;

-- +goose Down
-- reverse: modify "clusters" table
ALTER TABLE "clusters" DROP COLUMN "examined", DROP COLUMN "examined_at", DROP COLUMN "examined_id", DROP COLUMN "examine_asked_at", DROP COLUMN "examine_id";
