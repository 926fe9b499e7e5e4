-- The look-up of known results, in an index that is written where it was written last. Additive: the previous release
-- asks the same question, and Postgres 18 skips through the leading column.

-- Hashes are random: in an index of them alone each insight falls on another page, which is read, and after a
-- checkpoint written whole into the WAL. Here those of 65,536 offsets of each partition lie together, and a look-up
-- searches once for each such step: there are as many as there are records, not as there are days.
DROP INDEX insights_by_content;
CREATE INDEX insights_by_content ON insights (((analyzed_offset >> 16)::integer), content_hash);
ANALYZE insights; -- how many steps there are
