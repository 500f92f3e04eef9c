-- +goose Up
-- modify "clusters" table
ALTER TABLE "clusters" ADD COLUMN "returned_at" timestamptz NULL;

-- +goose Down
-- reverse: modify "clusters" table
ALTER TABLE "clusters" DROP COLUMN "returned_at";
