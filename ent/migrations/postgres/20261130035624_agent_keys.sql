-- +goose Up
-- modify "clusters" table
ALTER TABLE "clusters" ADD COLUMN "key_since" timestamptz NULL, ADD COLUMN "next_key" bytea NULL, ADD COLUMN "rotation_asked" boolean NOT NULL DEFAULT false, ADD COLUMN "revoked_at" timestamptz NULL, ADD COLUMN "revoked_reason" text NOT NULL DEFAULT '', ADD COLUMN "rules" jsonb NULL;

-- +goose Down
-- reverse: modify "clusters" table
ALTER TABLE "clusters" DROP COLUMN "rules", DROP COLUMN "revoked_reason", DROP COLUMN "revoked_at", DROP COLUMN "rotation_asked", DROP COLUMN "next_key", DROP COLUMN "key_since";
