-- Rollups by UTC day, so that trends over a year read days, and hours and minutes at their edges only.

CREATE TABLE rollup_days (LIKE rollup_hours INCLUDING ALL) WITH (fillfactor = 60);
CREATE TABLE rollup_status_days (LIKE rollup_status_hours INCLUDING ALL) WITH (fillfactor = 60);

-- Triggers on the hours, so that whoever writes is counted: the previous release too, which runs against this schema.
-- New hours and changed ones come in two calls, so the order of their days is none over both: one writer at a time, from
-- its hours to its end. (Writers meet at the hours that all of them count by anyway.)
CREATE FUNCTION count_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    PERFORM pg_advisory_xact_lock(7564657281);
    INSERT INTO rollup_days AS d (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT version_id, channel, subject, date_bin('1 day', bucket, '2000-01-01Z'),
        sign * sum(score_sum), sign * sum(positive), sign * sum(neutral), sign * sum(negative)
    FROM written GROUP BY 1, 2, 3, 4
    HAVING sum(score_sum) <> 0 OR sum(positive) <> 0 OR sum(neutral) <> 0 OR sum(negative) <> 0
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (version_id, channel, subject, bucket) DO UPDATE SET
        score_sum = d.score_sum + excluded.score_sum, positive = d.positive + excluded.positive,
        neutral = d.neutral + excluded.neutral, negative = d.negative + excluded.negative;
    RETURN NULL;
END $$;

CREATE FUNCTION count_changed_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7564657281);
    INSERT INTO rollup_days AS d (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
    SELECT version_id, channel, subject, date_bin('1 day', bucket, '2000-01-01Z'),
        sum(sign * score_sum), sum(sign * positive), sum(sign * neutral), sum(sign * negative)
    FROM (SELECT *, 1 AS sign FROM became UNION ALL SELECT *, -1 FROM was) changes
    GROUP BY 1, 2, 3, 4
    HAVING sum(sign * score_sum) <> 0 OR sum(sign * positive) <> 0 OR sum(sign * neutral) <> 0
        OR sum(sign * negative) <> 0
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (version_id, channel, subject, bucket) DO UPDATE SET
        score_sum = d.score_sum + excluded.score_sum, positive = d.positive + excluded.positive,
        neutral = d.neutral + excluded.neutral, negative = d.negative + excluded.negative;
    RETURN NULL;
END $$;

CREATE FUNCTION count_status_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    PERFORM pg_advisory_xact_lock(7564657282);
    INSERT INTO rollup_status_days AS d (channel, bucket, queued, processing, failed, skipped, completed)
    SELECT channel, date_bin('1 day', bucket, '2000-01-01Z'),
        sign * sum(queued), sign * sum(processing), sign * sum(failed), sign * sum(skipped), sign * sum(completed)
    FROM written GROUP BY 1, 2
    HAVING sum(queued) <> 0 OR sum(processing) <> 0 OR sum(failed) <> 0 OR sum(skipped) <> 0 OR sum(completed) <> 0
    ORDER BY 1, 2
    ON CONFLICT (channel, bucket) DO UPDATE SET
        queued = d.queued + excluded.queued, processing = d.processing + excluded.processing,
        failed = d.failed + excluded.failed, skipped = d.skipped + excluded.skipped,
        completed = d.completed + excluded.completed;
    RETURN NULL;
END $$;

CREATE FUNCTION count_changed_status_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7564657282);
    INSERT INTO rollup_status_days AS d (channel, bucket, queued, processing, failed, skipped, completed)
    SELECT channel, date_bin('1 day', bucket, '2000-01-01Z'), sum(sign * queued), sum(sign * processing),
        sum(sign * failed), sum(sign * skipped), sum(sign * completed)
    FROM (SELECT *, 1 AS sign FROM became UNION ALL SELECT *, -1 FROM was) changes
    GROUP BY 1, 2
    HAVING sum(sign * queued) <> 0 OR sum(sign * processing) <> 0 OR sum(sign * failed) <> 0
        OR sum(sign * skipped) <> 0 OR sum(sign * completed) <> 0
    ORDER BY 1, 2
    ON CONFLICT (channel, bucket) DO UPDATE SET
        queued = d.queued + excluded.queued, processing = d.processing + excluded.processing,
        failed = d.failed + excluded.failed, skipped = d.skipped + excluded.skipped,
        completed = d.completed + excluded.completed;
    RETURN NULL;
END $$;

CREATE TRIGGER days_inserted AFTER INSERT ON rollup_hours
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION count_days();
CREATE TRIGGER days_deleted AFTER DELETE ON rollup_hours
    REFERENCING OLD TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION count_days();
CREATE TRIGGER days_updated AFTER UPDATE ON rollup_hours
    REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION count_changed_days();
CREATE TRIGGER days_inserted AFTER INSERT ON rollup_status_hours
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION count_status_days();
CREATE TRIGGER days_deleted AFTER DELETE ON rollup_status_hours
    REFERENCING OLD TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION count_status_days();
CREATE TRIGGER days_updated AFTER UPDATE ON rollup_status_hours
    REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION count_changed_status_days();

-- What stands already. The triggers' creation keeps writers waiting until this is committed.
INSERT INTO rollup_days (version_id, channel, subject, bucket, score_sum, positive, neutral, negative)
SELECT version_id, channel, subject, date_bin('1 day', bucket, '2000-01-01Z'), sum(score_sum), sum(positive),
    sum(neutral), sum(negative)
FROM rollup_hours GROUP BY 1, 2, 3, 4 ORDER BY 4;
INSERT INTO rollup_status_days (channel, bucket, queued, processing, failed, skipped, completed)
SELECT channel, date_bin('1 day', bucket, '2000-01-01Z'), sum(queued), sum(processing), sum(failed), sum(skipped),
    sum(completed)
FROM rollup_status_hours GROUP BY 1, 2 ORDER BY 2;
