-- +goose Up
-- modify "webhooks" table
ALTER TABLE "webhooks" ADD COLUMN "revision" bigint NOT NULL DEFAULT 1, ADD COLUMN "digest" character varying NOT NULL DEFAULT '', ADD COLUMN "source" text NOT NULL DEFAULT '', ADD COLUMN "suspended" boolean NOT NULL DEFAULT false, ADD COLUMN "removed_at" timestamptz NULL;

-- +goose Down
-- reverse: modify "webhooks" table
ALTER TABLE "webhooks" DROP COLUMN "removed_at", DROP COLUMN "suspended", DROP COLUMN "source", DROP COLUMN "digest", DROP COLUMN "revision";
