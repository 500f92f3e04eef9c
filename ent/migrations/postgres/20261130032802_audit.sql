-- +goose Up
-- modify "organizations" table
ALTER TABLE "organizations" ADD COLUMN "state" character varying NOT NULL DEFAULT 'active';
-- create "audit_entries" table
CREATE TABLE "audit_entries" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "organization_id" uuid NOT NULL,
  "number" bigint NOT NULL,
  "actor_kind" character varying NOT NULL,
  "actor_id" uuid NOT NULL,
  "actor_name" character varying NOT NULL,
  "actor_person" character varying NOT NULL DEFAULT '',
  "credential_id" uuid NOT NULL,
  "action" character varying NOT NULL,
  "object_kind" character varying NOT NULL DEFAULT '',
  "object_id" character varying NOT NULL DEFAULT '',
  "object_name" character varying NOT NULL DEFAULT '',
  "address" character varying NOT NULL DEFAULT '',
  "outcome" character varying NOT NULL,
  "details" jsonb NULL,
  "previous" bytea NOT NULL,
  "hash" bytea NOT NULL,
  PRIMARY KEY ("id")
);
-- create index "auditentry_organization_id_action_number" to table: "audit_entries"
CREATE INDEX "auditentry_organization_id_action_number" ON "audit_entries" ("organization_id", "action", "number");
-- create index "auditentry_organization_id_actor_name_number" to table: "audit_entries"
CREATE INDEX "auditentry_organization_id_actor_name_number" ON "audit_entries" ("organization_id", "actor_name", "number");
-- create index "auditentry_organization_id_number" to table: "audit_entries"
CREATE UNIQUE INDEX "auditentry_organization_id_number" ON "audit_entries" ("organization_id", "number");
-- create "audit_heads" table
CREATE TABLE "audit_heads" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "organization_id" uuid NOT NULL,
  "number" bigint NOT NULL DEFAULT 0,
  "hash" bytea NOT NULL,
  PRIMARY KEY ("id")
);
-- create index "audithead_organization_id" to table: "audit_heads"
CREATE UNIQUE INDEX "audithead_organization_id" ON "audit_heads" ("organization_id");
-- Entries are never changed, and go only with their organization.
-- +goose StatementBegin
CREATE FUNCTION "audit_entries_stay"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM "organizations" WHERE "id" = OLD."organization_id" AND "state" = 'deleting') THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER "audit_entries_stay" BEFORE UPDATE OR DELETE ON "audit_entries" FOR EACH ROW EXECUTE FUNCTION "audit_entries_stay"();
CREATE TRIGGER "audit_entries_remain" BEFORE TRUNCATE ON "audit_entries" FOR EACH STATEMENT EXECUTE FUNCTION "audit_entries_stay"();

-- +goose Down
-- reverse: create index "audithead_organization_id" to table: "audit_heads"
DROP INDEX "audithead_organization_id";
-- reverse: create "audit_heads" table
DROP TABLE "audit_heads";
-- reverse: create index "auditentry_organization_id_number" to table: "audit_entries"
DROP INDEX "auditentry_organization_id_number";
-- reverse: create index "auditentry_organization_id_actor_name_number" to table: "audit_entries"
DROP INDEX "auditentry_organization_id_actor_name_number";
-- reverse: create index "auditentry_organization_id_action_number" to table: "audit_entries"
DROP INDEX "auditentry_organization_id_action_number";
-- reverse: create "audit_entries" table
DROP TABLE "audit_entries";
DROP FUNCTION "audit_entries_stay"();
-- reverse: modify "organizations" table
ALTER TABLE "organizations" DROP COLUMN "state";
