-- +goose Up
-- modify "member_sessions" table
ALTER TABLE "member_sessions" ADD COLUMN "seen_at" timestamptz NULL, ADD COLUMN "remote" character varying NOT NULL DEFAULT '', ADD COLUMN "browser" character varying NOT NULL DEFAULT '';
-- create index "membersession_member_id" to table: "member_sessions"
CREATE INDEX "membersession_member_id" ON "member_sessions" ("member_id");
-- modify "members" table
ALTER TABLE "members" ADD COLUMN "name" character varying NOT NULL DEFAULT '', ADD COLUMN "totp_secret" character varying NOT NULL DEFAULT '', ADD COLUMN "totp_since" timestamptz NULL, ADD COLUMN "totp_used" bigint NOT NULL DEFAULT 0, ADD COLUMN "recovery_hashes" jsonb NULL;
-- modify "workflows" table
ALTER TABLE "workflows" ADD COLUMN "restricted" boolean NOT NULL DEFAULT false;
-- modify "api_tokens" table
ALTER TABLE "api_tokens" ADD COLUMN "hint" character varying NOT NULL DEFAULT '', ADD COLUMN "workflows" jsonb NULL, ADD COLUMN "environments" jsonb NULL, ADD COLUMN "revoked_at" timestamptz NULL, ADD COLUMN "revoker" character varying NOT NULL DEFAULT '', ADD COLUMN "member_id" uuid NULL, ADD
CONSTRAINT "api_tokens_members_member" FOREIGN KEY ("member_id") REFERENCES "members" ("id") ON UPDATE NO ACTION ON DELETE CASCADE;
-- modify "environments" table
ALTER TABLE "environments" ADD COLUMN "team_id" uuid NULL, ADD
CONSTRAINT "environments_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE SET NULL;
-- modify "organizations" table
ALTER TABLE "organizations" ADD COLUMN "quota_runs" bigint NOT NULL DEFAULT 0, ADD COLUMN "quota_queued" bigint NOT NULL DEFAULT 0, ADD COLUMN "quota_log_bytes" bigint NOT NULL DEFAULT 0, ADD COLUMN "quota_clusters" bigint NOT NULL DEFAULT 0, ADD COLUMN "quota_calls" bigint NOT NULL DEFAULT 0;
-- create "invitations" table
CREATE TABLE "invitations" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "email" character varying NOT NULL,
  "role" character varying NOT NULL,
  "maker" character varying NOT NULL,
  "hash" bytea NOT NULL,
  "expires_at" timestamptz NOT NULL,
  "accepted_at" timestamptz NULL,
  "withdrawn_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "team_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "invitations_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "invitations_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "invitation_hash" to table: "invitations"
CREATE INDEX "invitation_hash" ON "invitations" ("hash");
-- create index "invitation_organization_id_hash" to table: "invitations"
CREATE UNIQUE INDEX "invitation_organization_id_hash" ON "invitations" ("organization_id", "hash");
-- create "team_members" table
CREATE TABLE "team_members" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "organization_id" uuid NOT NULL,
  "team_id" uuid NOT NULL,
  "member_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "team_members_members_member" FOREIGN KEY ("member_id") REFERENCES "members" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "team_members_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "team_members_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "teammember_organization_id_member_id_team_id" to table: "team_members"
CREATE UNIQUE INDEX "teammember_organization_id_member_id_team_id" ON "team_members" ("organization_id", "member_id", "team_id");
-- create index "teammember_team_id" to table: "team_members"
CREATE INDEX "teammember_team_id" ON "team_members" ("team_id");
-- Everybody is in the team that the own tokens belong to.
INSERT INTO "team_members" ("id", "created_at", "updated_at", "organization_id", "team_id", "member_id")
SELECT "id", "created_at", "updated_at", "organization_id", "team_id", "id" FROM "members";
-- Environments go to the first team of their organization.
UPDATE "environments" SET "team_id" = (SELECT "id" FROM "teams" WHERE "teams"."organization_id" = "environments"."organization_id" ORDER BY "id" LIMIT 1);

-- +goose Down
-- reverse: create index "teammember_team_id" to table: "team_members"
DROP INDEX "teammember_team_id";
-- reverse: create index "teammember_organization_id_member_id_team_id" to table: "team_members"
DROP INDEX "teammember_organization_id_member_id_team_id";
-- reverse: create "team_members" table
DROP TABLE "team_members";
-- reverse: create index "invitation_organization_id_hash" to table: "invitations"
DROP INDEX "invitation_organization_id_hash";
-- reverse: create index "invitation_hash" to table: "invitations"
DROP INDEX "invitation_hash";
-- reverse: create "invitations" table
DROP TABLE "invitations";
-- reverse: modify "organizations" table
ALTER TABLE "organizations" DROP COLUMN "quota_calls", DROP COLUMN "quota_clusters", DROP COLUMN "quota_log_bytes", DROP COLUMN "quota_queued", DROP COLUMN "quota_runs";
-- reverse: modify "environments" table
ALTER TABLE "environments" DROP CONSTRAINT "environments_teams_team", DROP COLUMN "team_id";
-- reverse: modify "api_tokens" table
ALTER TABLE "api_tokens" DROP CONSTRAINT "api_tokens_members_member", DROP COLUMN "member_id", DROP COLUMN "revoker", DROP COLUMN "revoked_at", DROP COLUMN "environments", DROP COLUMN "workflows", DROP COLUMN "hint";
-- reverse: modify "workflows" table
ALTER TABLE "workflows" DROP COLUMN "restricted";
-- reverse: modify "members" table
ALTER TABLE "members" DROP COLUMN "recovery_hashes", DROP COLUMN "totp_used", DROP COLUMN "totp_since", DROP COLUMN "totp_secret", DROP COLUMN "name";
-- reverse: create index "membersession_member_id" to table: "member_sessions"
DROP INDEX "membersession_member_id";
-- reverse: modify "member_sessions" table
ALTER TABLE "member_sessions" DROP COLUMN "browser", DROP COLUMN "remote", DROP COLUMN "seen_at";
