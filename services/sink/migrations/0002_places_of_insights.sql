-- Where in conversations.analyzed.v1 an insight came from: what the stream of insights goes on from.
-- Null for those that were stored by a release before this one.
ALTER TABLE insights ADD COLUMN analyzed_partition integer, ADD COLUMN analyzed_offset bigint;
CREATE INDEX insights_by_place ON insights (analyzed_partition, analyzed_offset)
    WHERE analyzed_offset IS NOT NULL;
