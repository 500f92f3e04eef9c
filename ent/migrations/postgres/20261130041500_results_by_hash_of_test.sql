-- +goose Up
-- The results of a test are found by a hash of its key, which is four times smaller: to keep the keys in order was most of the work of
-- storing a result.
DROP INDEX "testresult_test_key_id";
CREATE INDEX "testresult_test_key_hash_id" ON "test_results" (hashtextextended("test_key", 0), "id");

-- +goose Down
DROP INDEX "testresult_test_key_hash_id";
CREATE INDEX "testresult_test_key_id" ON "test_results" ("test_key", "id");
