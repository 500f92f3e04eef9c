-- +goose Up
-- modify "reactions" table
ALTER TABLE "reactions" ADD COLUMN "cluster_id" uuid NULL;
-- create "trigger_watches" table
CREATE TABLE "trigger_watches" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "digest" character varying NOT NULL,
  "state" character varying NOT NULL,
  "message" text NOT NULL DEFAULT '',
  "since" timestamptz NULL,
  "organization_id" uuid NOT NULL,
  "cluster_id" uuid NOT NULL,
  "trigger_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "trigger_watches_clusters_cluster" FOREIGN KEY ("cluster_id") REFERENCES "clusters" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "trigger_watches_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "trigger_watches_triggers_trigger" FOREIGN KEY ("trigger_id") REFERENCES "triggers" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "triggerwatch_organization_id_cluster_id_trigger_id" to table: "trigger_watches"
CREATE UNIQUE INDEX "triggerwatch_organization_id_cluster_id_trigger_id" ON "trigger_watches" ("organization_id", "cluster_id", "trigger_id");
-- create index "triggerwatch_trigger_id" to table: "trigger_watches"
CREATE INDEX "triggerwatch_trigger_id" ON "trigger_watches" ("trigger_id");
-- create "watch_marks" table
CREATE TABLE "watch_marks" (
  "id" uuid NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "uid" character varying NOT NULL,
  "event" character varying NOT NULL,
  "state" character varying NOT NULL,
  "seen_at" timestamptz NOT NULL,
  "organization_id" uuid NOT NULL,
  "cluster_id" uuid NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "watch_marks_clusters_cluster" FOREIGN KEY ("cluster_id") REFERENCES "clusters" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  CONSTRAINT "watch_marks_organizations_organization" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
-- create index "watchmark_organization_id_cluster_id_uid_event" to table: "watch_marks"
CREATE UNIQUE INDEX "watchmark_organization_id_cluster_id_uid_event" ON "watch_marks" ("organization_id", "cluster_id", "uid", "event");
-- create index "watchmark_seen_at" to table: "watch_marks"
CREATE INDEX "watchmark_seen_at" ON "watch_marks" ("seen_at");

-- +goose Down
-- reverse: create index "watchmark_seen_at" to table: "watch_marks"
DROP INDEX "watchmark_seen_at";
-- reverse: create index "watchmark_organization_id_cluster_id_uid_event" to table: "watch_marks"
DROP INDEX "watchmark_organization_id_cluster_id_uid_event";
-- reverse: create "watch_marks" table
DROP TABLE "watch_marks";
-- reverse: create index "triggerwatch_trigger_id" to table: "trigger_watches"
DROP INDEX "triggerwatch_trigger_id";
-- reverse: create index "triggerwatch_organization_id_cluster_id_trigger_id" to table: "trigger_watches"
DROP INDEX "triggerwatch_organization_id_cluster_id_trigger_id";
-- reverse: create "trigger_watches" table
DROP TABLE "trigger_watches";
-- reverse: modify "reactions" table
ALTER TABLE "reactions" DROP COLUMN "cluster_id";
