-- +goose Up
-- modify "environments" table
ALTER TABLE "environments" ADD COLUMN "labels" jsonb NULL, ADD COLUMN "description" text NOT NULL DEFAULT '', ADD COLUMN "tier" character varying NOT NULL DEFAULT '', ADD COLUMN "digest" character varying NOT NULL DEFAULT '', ADD COLUMN "source" text NOT NULL DEFAULT '';
-- modify "files" table
ALTER TABLE "files" ADD COLUMN "encoding" character varying NOT NULL DEFAULT '', ADD COLUMN "stored_size" bigint NOT NULL DEFAULT 0, ADD COLUMN "stored_sha256" character varying NOT NULL DEFAULT '';
-- modify "releases" table
ALTER TABLE "releases" ADD COLUMN "targets" jsonb NULL;
-- modify "steps" table
ALTER TABLE "steps" ADD COLUMN "usage" jsonb NULL;

-- +goose Down
-- reverse: modify "steps" table
ALTER TABLE "steps" DROP COLUMN "usage";
-- reverse: modify "releases" table
ALTER TABLE "releases" DROP COLUMN "targets";
-- reverse: modify "files" table
ALTER TABLE "files" DROP COLUMN "stored_sha256", DROP COLUMN "stored_size", DROP COLUMN "encoding";
-- reverse: modify "environments" table
ALTER TABLE "environments" DROP COLUMN "source", DROP COLUMN "digest", DROP COLUMN "tier", DROP COLUMN "description", DROP COLUMN "labels";
