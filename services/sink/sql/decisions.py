"""What people decide on versions: trial, promotion, retirement; and telling the analyzers. LOCK is held throughout."""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

from services.sink.sql.conversations import COUNT_STATUS, RETURN_STATUS

NOTE = """
    INSERT INTO version_decisions (kind, subject, active_version, trial_versions, decided_by, note)
    SELECT $1, $2, a.name,
        ARRAY(SELECT t.name FROM analysis_versions t WHERE t.is_on_trial AND t.state <> 'active' ORDER BY t.name),
        $3, $4
    FROM analysis_versions a WHERE a.state = 'active'
    RETURNING decision
"""
"""Keep a decision with what it makes of live traffic."""

BEGIN_TRIAL = """
    UPDATE analysis_versions
    SET is_on_trial = true, state = 'candidate', emptied_at = NULL, live_since = NULL,
        retired_at = CASE WHEN retired_at IS NOT NULL THEN clock_timestamp() END,
        posting_seen_at = NULL, outcome_seen_at = NULL
    WHERE name = $1
"""
"""A version that was retired begins anew: what was recorded up to now is gone."""

END_TRIAL = """
    UPDATE analysis_versions
    SET is_on_trial = false, live_since = NULL, posting_seen_at = NULL, outcome_seen_at = NULL
    WHERE name = $1
"""

PROMOTE = """
    UPDATE analysis_versions
    SET state = 'active', activated_at = clock_timestamp(), is_on_trial = false, is_catching_up = true
    WHERE name = $1
"""
"""It catches up even where it lacks nothing: what is under way, the sinks may not have stored yet."""

RETIRE = """
    UPDATE analysis_versions SET state = 'retired', retired_at = clock_timestamp(), emptied_at = NULL,
        is_catching_up = false
    WHERE name = $1
"""

ADD_RETIRED = """
    INSERT INTO analysis_versions (name, state, retired_at) VALUES ($1, 'retired', clock_timestamp())
"""
"""A version that nothing is known under, so that the analyzers let go of what is asked for under it."""

FORGET = """
    DELETE FROM analysis_versions v
    WHERE v.name = $1 AND v.activated_at IS NULL AND (v.state <> 'retired' OR v.emptied_at IS NOT NULL)
        AND NOT EXISTS (SELECT FROM daily_usage u WHERE u.version_id = v.version_id)
        AND NOT EXISTS (SELECT FROM coverage_hours c WHERE c.version_id = v.version_id)
        AND NOT EXISTS (SELECT FROM coverage_changes c WHERE c.version_id = v.version_id)
        AND NOT EXISTS (SELECT FROM rollup_hours r WHERE r.version_id = v.version_id)
        AND NOT EXISTS (SELECT FROM rollup_minutes r WHERE r.version_id = v.version_id)
        AND NOT EXISTS (SELECT FROM current_outcomes o WHERE o.version_id = v.version_id AND o.insight_id IS NOT NULL)
        AND NOT EXISTS (
            SELECT FROM current_outcomes o WHERE o.version_id = v.version_id AND o.kind IN ('failed', 'skipped')
        )
    RETURNING v.version_id
"""
"""Take a version off the list under which nothing was ever found, counted or paid for, such as a misspelt one."""

UNDER_WAY = """
    SELECT count(*) FROM conversations c CROSS JOIN analysis_versions a
    WHERE a.state = 'active' AND c.unfinished_since IS NOT NULL
        AND c.revision_ms <= extract(epoch FROM coalesce(a.live_since, a.activated_at)) * 1000
"""
"""Conversations without an outcome that came before the analyzers were told of the active version."""

IS_SETTLED = """
    SELECT a.live_since < now() - make_interval(secs => $1) AND NOT EXISTS (
        SELECT FROM conversations c WHERE c.unfinished_since IS NOT NULL
            AND c.revision_ms <= (extract(epoch FROM a.live_since) + $1) * 1000
    )
    FROM analysis_versions a WHERE a.state = 'active' AND a.live_since IS NOT NULL
"""
"""Whether all is finished that an analyzer may have begun before it was told of the active version; of $1 seconds more,
since analyzers hear of it, and sinks store, a moment later."""

BEHIND = "UPDATE analysis_versions SET is_catching_up = true WHERE name = $1 AND state = 'active'"
CAUGHT_UP = "UPDATE analysis_versions SET is_catching_up = false WHERE name = $1 AND state = 'active'"

WHOLE_TABLES = """
    SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;
    SET LOCAL work_mem = '64MB'; SET LOCAL statement_timeout = '15min'
"""
"""For statements that are about every conversation; the connection is a writer's, whose joins are of batches."""

FOLLOW = f"""
    WITH moved AS (
        UPDATE conversations c SET status = o.kind, status_at = o.finished_at, unfinished_since = NULL
        FROM current_outcomes o
        WHERE o.version_id = $1 AND o.conversation_id = c.conversation_id AND o.kind <> c.status
            AND (o.revision_ms, o.revision_offset) >= (c.revision_ms, c.revision_offset){RETURN_STATUS}
    ){COUNT_STATUS}
"""
"""Let every status follow a version ($1) that is active from now on. What has no outcome under it stays as it is: the
version is catching up. Only statuses that differ are written."""

TO_ANNOUNCE = """
    SELECT decision, kind, subject, active_version, trial_versions, decided_at, decided_by, note, announced_at,
        ARRAY(SELECT v.name FROM analysis_versions v WHERE v.state = 'retired' ORDER BY v.name) AS retired_versions
    FROM version_decisions ORDER BY decision DESC LIMIT 1
"""

ANNOUNCED = """
    UPDATE version_decisions SET
        announced_at = CASE WHEN decision <= $1 THEN coalesce(announced_at, $2) END,
        announced_offset = CASE WHEN decision <= $1 THEN coalesce(announced_offset, $3) END
    WHERE decision <= $1 AND announced_at IS NULL OR decision > $1 AND announced_offset < $3
"""
"""The analyzers were told $1, at $2, at offset $3 of the log; with it all decisions before. One after it that they were
told before that offset must be told again: of two in the log the last counts."""

LIVE_SINCE = """
    UPDATE analysis_versions SET live_since = $1
    WHERE (state = 'active' OR is_on_trial) AND live_since IS NULL AND name = ANY ($2::text[])
"""

NEWEST = "SELECT decision, decided_at, announced_at FROM version_decisions ORDER BY decision DESC LIMIT 1"
