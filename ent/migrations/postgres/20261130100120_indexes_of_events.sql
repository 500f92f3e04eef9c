-- +goose Up
-- create index "delivery_webhook_id_id" to table: "deliveries"
CREATE INDEX "delivery_webhook_id_id" ON "deliveries" ("webhook_id", "id");
-- create index "delivery_webhook_id_tried_at" to table: "deliveries"
CREATE INDEX "delivery_webhook_id_tried_at" ON "deliveries" ("webhook_id", "tried_at");
-- create index "event_organization_id_id" to table: "events"
CREATE INDEX "event_organization_id_id" ON "events" ("organization_id", "id");
-- create index "event_organization_id_subject_id" to table: "events"
CREATE INDEX "event_organization_id_subject_id" ON "events" ("organization_id", "subject", "id");
-- create index "reaction_event_id" to table: "reactions"
CREATE INDEX "reaction_event_id" ON "reactions" ("event_id");

-- +goose Down
-- reverse: create index "reaction_event_id" to table: "reactions"
DROP INDEX "reaction_event_id";
-- reverse: create index "event_organization_id_subject_id" to table: "events"
DROP INDEX "event_organization_id_subject_id";
-- reverse: create index "event_organization_id_id" to table: "events"
DROP INDEX "event_organization_id_id";
-- reverse: create index "delivery_webhook_id_tried_at" to table: "deliveries"
DROP INDEX "delivery_webhook_id_tried_at";
-- reverse: create index "delivery_webhook_id_id" to table: "deliveries"
DROP INDEX "delivery_webhook_id_id";
