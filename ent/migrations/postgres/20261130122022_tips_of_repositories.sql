-- +goose Up
-- modify "repositories" table
ALTER TABLE "repositories" ADD COLUMN "tips" bytea NULL;

-- +goose Down
-- reverse: modify "repositories" table
ALTER TABLE "repositories" DROP COLUMN "tips";
