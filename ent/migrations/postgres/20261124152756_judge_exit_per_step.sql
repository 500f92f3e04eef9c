-- +goose Up
-- modify "files" table
ALTER TABLE "files" ADD COLUMN "exit_reason" text NOT NULL DEFAULT '';
-- modify "steps" table
ALTER TABLE "steps" ADD COLUMN "allowed" boolean NOT NULL DEFAULT false, ADD COLUMN "reports_bad" bigint NOT NULL DEFAULT 0, ADD COLUMN "exit_result_id" uuid NULL;

-- +goose Down
-- reverse: modify "steps" table
ALTER TABLE "steps" DROP COLUMN "exit_result_id", DROP COLUMN "reports_bad", DROP COLUMN "allowed";
-- reverse: modify "files" table
ALTER TABLE "files" DROP COLUMN "exit_reason";
