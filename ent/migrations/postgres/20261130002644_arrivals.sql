-- +goose Up
-- modify "api_tokens" table
ALTER TABLE "api_tokens" ADD COLUMN "maker" character varying NOT NULL DEFAULT '';
-- modify "releases" table
ALTER TABLE "releases" ADD COLUMN "arrivals" bigint NOT NULL DEFAULT 0, ADD COLUMN "judged" bigint NOT NULL DEFAULT 0;

-- +goose Down
-- reverse: modify "releases" table
ALTER TABLE "releases" DROP COLUMN "judged", DROP COLUMN "arrivals";
-- reverse: modify "api_tokens" table
ALTER TABLE "api_tokens" DROP COLUMN "maker";
