-- +goose Up
-- modify "organizations" table
ALTER TABLE "organizations" ADD COLUMN "sso_required" boolean NOT NULL DEFAULT false, ADD COLUMN "sso_break_glass" boolean NOT NULL DEFAULT true, ADD COLUMN "visibility" character varying NOT NULL DEFAULT 'all';
-- create "trust_rules" table
CREATE TABLE "trust_rules" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "name" character varying NOT NULL,
  "issuer" character varying NOT NULL,
  "audience" character varying NOT NULL,
  "claims" jsonb NOT NULL,
  "scopes" jsonb NOT NULL,
  "workflows" jsonb NULL,
  "environments" jsonb NULL,
  "lifetime" bigint NOT NULL,
  "maker" character varying NOT NULL DEFAULT '',
  "used_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "team_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "trust_rules_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "trust_rules_teams_team" FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "trustrule_issuer" to table: "trust_rules"
CREATE INDEX "trustrule_issuer" ON "trust_rules" ("issuer");
-- create index "trustrule_organization_id_name" to table: "trust_rules"
CREATE UNIQUE INDEX "trustrule_organization_id_name" ON "trust_rules" ("organization_id", "name");
-- modify "api_tokens" table
ALTER TABLE "api_tokens" ADD COLUMN "rule_id" uuid NULL, ADD
CONSTRAINT "api_tokens_trust_rules_rule" FOREIGN KEY ("rule_id") REFERENCES "trust_rules" ("id") ON UPDATE NO ACTION ON DELETE CASCADE;
-- create "identity_providers" table
CREATE TABLE "identity_providers" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "name" character varying NOT NULL,
  "issuer" character varying NOT NULL,
  "client_id" character varying NOT NULL,
  "client_secret" bytea NULL,
  "domains" jsonb NULL,
  "scopes" jsonb NULL,
  "groups_claim" character varying NOT NULL DEFAULT '',
  "teams" jsonb NULL,
  "roles" jsonb NULL,
  "default_role" character varying NOT NULL DEFAULT '',
  "default_team" character varying NOT NULL DEFAULT '',
  "trust_email" boolean NOT NULL DEFAULT false,
  "owners" boolean NOT NULL DEFAULT false,
  "organization_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "identity_providers_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "identityprovider_organization_id_name" to table: "identity_providers"
CREATE UNIQUE INDEX "identityprovider_organization_id_name" ON "identity_providers" ("organization_id", "name");
-- create "member_identities" table
CREATE TABLE "member_identities" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "issuer" character varying NOT NULL,
  "subject" character varying NOT NULL,
  "base_role" character varying NOT NULL DEFAULT '',
  "mapped" boolean NOT NULL DEFAULT false,
  "seen_at" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "provider_id" uuid NOT NULL,
  "member_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "member_identities_identity_providers_provider" FOREIGN KEY ("provider_id") REFERENCES "identity_providers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  CONSTRAINT "member_identities_members_member" FOREIGN KEY ("member_id") REFERENCES "members" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  CONSTRAINT "member_identities_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "memberidentity_member_id" to table: "member_identities"
CREATE INDEX "memberidentity_member_id" ON "member_identities" ("member_id");
-- create index "memberidentity_organization_id_provider_id_issuer_subject" to table: "member_identities"
CREATE UNIQUE INDEX "memberidentity_organization_id_provider_id_issuer_subject" ON "member_identities" ("organization_id", "provider_id", "issuer", "subject");

-- +goose Down
-- reverse: create index "memberidentity_organization_id_provider_id_issuer_subject" to table: "member_identities"
DROP INDEX "memberidentity_organization_id_provider_id_issuer_subject";
-- reverse: create index "memberidentity_member_id" to table: "member_identities"
DROP INDEX "memberidentity_member_id";
-- reverse: create "member_identities" table
DROP TABLE "member_identities";
-- reverse: create index "identityprovider_organization_id_name" to table: "identity_providers"
DROP INDEX "identityprovider_organization_id_name";
-- reverse: create "identity_providers" table
DROP TABLE "identity_providers";
-- reverse: modify "api_tokens" table
ALTER TABLE "api_tokens" DROP CONSTRAINT "api_tokens_trust_rules_rule", DROP COLUMN "rule_id";
-- reverse: create index "trustrule_organization_id_name" to table: "trust_rules"
DROP INDEX "trustrule_organization_id_name";
-- reverse: create index "trustrule_issuer" to table: "trust_rules"
DROP INDEX "trustrule_issuer";
-- reverse: create "trust_rules" table
DROP TABLE "trust_rules";
-- reverse: modify "organizations" table
ALTER TABLE "organizations" DROP COLUMN "visibility", DROP COLUMN "sso_break_glass", DROP COLUMN "sso_required";
