-- Analysis versions that people decide on: on trial beside the active one, promoted, rolled back, retired.

ALTER TABLE analysis_versions
    ADD COLUMN is_on_trial boolean NOT NULL DEFAULT false,
    -- Promoted before it had an outcome of every conversation: readers are told how many it lacks.
    ADD COLUMN is_catching_up boolean NOT NULL DEFAULT false,
    -- The broker's time of the announcement since which live traffic is analysed under it, while it is.
    ADD COLUMN live_since timestamptz,
    -- When, after that, a posting and a live outcome under it were stored first.
    ADD COLUMN posting_seen_at timestamptz,
    ADD COLUMN outcome_seen_at timestamptz,
    -- Since when it is retired; of one that has begun anew, up to when what was recorded under it is gone.
    ADD COLUMN retired_at timestamptz,
    -- When the last row under a retired version had left.
    ADD COLUMN emptied_at timestamptz;

-- What live traffic is to be analysed under, decision by decision; the analyzers are told the newest one.
CREATE TABLE version_decisions (
    decision bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('trial', 'trial_end', 'promotion', 'rollback', 'retirement')),
    subject text COLLATE "C" NOT NULL, -- the version that was decided on
    active_version text COLLATE "C" NOT NULL,
    trial_versions text[] COLLATE "C" NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_by text NOT NULL,
    note text NOT NULL,
    announced_at timestamptz, -- the broker's time
    announced_offset bigint -- in analysis.control.v1
);
CREATE INDEX version_decisions_to_announce ON version_decisions (decision) WHERE announced_at IS NULL;

-- How many conversations have an outcome of their newest revision, by version, its kind, and hour of the conversation's
-- occurred_at. What is left of all conversations of an hour (rollup_status_hours) is missing under the version.
CREATE TABLE coverage_hours (
    version_id smallint NOT NULL,
    bucket timestamptz NOT NULL,
    completed bigint NOT NULL,
    skipped bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (version_id, bucket)
) WITH (fillfactor = 60);
-- What has changed since, not yet folded into it. Rows are only added, so counting locks nobody's rows.
CREATE TABLE coverage_changes (
    version_id smallint NOT NULL,
    bucket timestamptz NOT NULL,
    completed integer,
    skipped integer,
    failed integer -- none is as good as 0
);
CREATE VIEW coverage AS
    SELECT version_id, bucket, coalesce(sum(completed), 0)::bigint AS completed,
        coalesce(sum(skipped), 0)::bigint AS skipped, coalesce(sum(failed), 0)::bigint AS failed
    FROM (
        SELECT version_id, bucket, completed, skipped, failed FROM coverage_hours
        UNION ALL
        SELECT version_id, bucket, completed, skipped, failed FROM coverage_changes
    ) counted
    GROUP BY version_id, bucket;

-- Triggers, so that whoever writes is counted: the previous release too, which runs against this schema.
-- Each row of a statement is looked up by primary key (LATERAL with a LIMIT), whatever the planner believes.
-- Hash joins are for rows of the statement itself: where a sink writes they are off.
CREATE FUNCTION cover_by_outcomes() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    sign CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO coverage_changes
    SELECT o.version_id, date_bin('1 hour', c.occurred_at, '2000-01-01Z'),
        sign * count(*) FILTER (WHERE o.kind = 'completed'), sign * count(*) FILTER (WHERE o.kind = 'skipped'),
        sign * count(*) FILTER (WHERE o.kind = 'failed')
    FROM written o
    CROSS JOIN LATERAL (
        SELECT k.occurred_at FROM conversations k WHERE k.conversation_id = o.conversation_id
            AND (k.revision_ms, k.revision_offset) <= (o.revision_ms, o.revision_offset)
        LIMIT 1
    ) c
    GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE FUNCTION cover_by_moved_outcomes() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
BEGIN
    INSERT INTO coverage_changes
    SELECT n.version_id, date_bin('1 hour', c.occurred_at, '2000-01-01Z'),
        sum(v.sign) FILTER (WHERE v.kind = 'completed'), sum(v.sign) FILTER (WHERE v.kind = 'skipped'),
        sum(v.sign) FILTER (WHERE v.kind = 'failed')
    FROM was o JOIN became n USING (conversation_id, version_id)
    CROSS JOIN LATERAL (
        SELECT k.occurred_at, k.revision_ms, k.revision_offset FROM conversations k
        WHERE k.conversation_id = n.conversation_id
        LIMIT 1
    ) c
    CROSS JOIN LATERAL (VALUES
        (o.kind, o.revision_ms, o.revision_offset, -1), (n.kind, n.revision_ms, n.revision_offset, 1)
    ) v (kind, revision_ms, revision_offset, sign)
    WHERE (o.revision_ms, o.revision_offset, o.kind) <> (n.revision_ms, n.revision_offset, n.kind)
        AND (v.revision_ms, v.revision_offset) >= (c.revision_ms, c.revision_offset)
    GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE FUNCTION cover_by_conversations() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    sign CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO coverage_changes
    SELECT o.version_id, date_bin('1 hour', c.occurred_at, '2000-01-01Z'),
        sign * count(*) FILTER (WHERE o.kind = 'completed'), sign * count(*) FILTER (WHERE o.kind = 'skipped'),
        sign * count(*) FILTER (WHERE o.kind = 'failed')
    FROM written c
    CROSS JOIN LATERAL (
        SELECT p.version_id, p.kind FROM current_outcomes p WHERE p.conversation_id = c.conversation_id
            AND (p.revision_ms, p.revision_offset) >= (c.revision_ms, c.revision_offset)
        OFFSET 0
    ) o
    GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE FUNCTION cover_by_moved_conversations() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
BEGIN
    INSERT INTO coverage_changes
    SELECT p.version_id, date_bin('1 hour', v.occurred_at, '2000-01-01Z'),
        sum(v.sign) FILTER (WHERE p.kind = 'completed'), sum(v.sign) FILTER (WHERE p.kind = 'skipped'),
        sum(v.sign) FILTER (WHERE p.kind = 'failed')
    FROM was o JOIN became n USING (conversation_id)
    CROSS JOIN LATERAL (
        SELECT k.version_id, k.kind, k.revision_ms, k.revision_offset FROM current_outcomes k
        WHERE k.conversation_id = n.conversation_id
        OFFSET 0
    ) p
    CROSS JOIN LATERAL (VALUES
        (o.occurred_at, o.revision_ms, o.revision_offset, -1), (n.occurred_at, n.revision_ms, n.revision_offset, 1)
    ) v (occurred_at, revision_ms, revision_offset, sign)
    WHERE (o.revision_ms, o.revision_offset, o.occurred_at) <> (n.revision_ms, n.revision_offset, n.occurred_at)
        AND (p.revision_ms, p.revision_offset) >= (v.revision_ms, v.revision_offset)
    GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE TRIGGER cover_inserted AFTER INSERT ON current_outcomes
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION cover_by_outcomes();
CREATE TRIGGER cover_deleted AFTER DELETE ON current_outcomes
    REFERENCING OLD TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION cover_by_outcomes();
CREATE TRIGGER cover_updated AFTER UPDATE ON current_outcomes
    REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION cover_by_moved_outcomes();
CREATE TRIGGER cover_inserted AFTER INSERT ON conversations
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION cover_by_conversations();
CREATE TRIGGER cover_deleted AFTER DELETE ON conversations
    REFERENCING OLD TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION cover_by_conversations();
CREATE TRIGGER cover_updated AFTER UPDATE ON conversations
    REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION cover_by_moved_conversations();

-- What stands already. The triggers' creation keeps writers waiting until this is committed.
INSERT INTO coverage_hours
SELECT o.version_id, date_bin('1 hour', c.occurred_at, '2000-01-01Z'), count(*) FILTER (WHERE o.kind = 'completed'),
    count(*) FILTER (WHERE o.kind = 'skipped'), count(*) FILTER (WHERE o.kind = 'failed')
FROM conversations c JOIN current_outcomes o ON o.conversation_id = c.conversation_id
    AND (o.revision_ms, o.revision_offset) >= (c.revision_ms, c.revision_offset)
GROUP BY 1, 2;
