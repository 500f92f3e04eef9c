-- +goose Up
-- create index "testresult_organization_id_fingerprint_id" to table: "test_results"
CREATE INDEX `testresult_organization_id_fingerprint_id` ON `test_results` (`organization_id`, `fingerprint`, `id`) WHERE fingerprint <> '';

-- +goose Down
-- reverse: create index "testresult_organization_id_fingerprint_id" to table: "test_results"
DROP INDEX `testresult_organization_id_fingerprint_id`;
