"""Analysis versions: which there are, and which one is active. Writers hold LOCK_SHARED, who changes it LOCK."""

LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(7564657274)"
LOCK = "SELECT pg_advisory_xact_lock(7564657274)"

ALL = """
    SELECT version_id, name, state, activated_at, is_on_trial, is_catching_up, live_since, posting_seen_at,
        outcome_seen_at, retired_at, emptied_at
    FROM analysis_versions
    ORDER BY state = 'active' DESC, activated_at DESC NULLS LAST, version_id
"""

ADD = """
    INSERT INTO analysis_versions (name, state) VALUES ($1, 'candidate')
    ON CONFLICT (name) DO NOTHING
    RETURNING version_id
"""

IS_DECIDED = "SELECT EXISTS (SELECT FROM version_decisions)"
"""Whether a person ever decided: from then on traffic activates nothing."""

DEACTIVATE = """
    UPDATE analysis_versions
    SET state = 'candidate', is_catching_up = false, live_since = NULL, posting_seen_at = NULL, outcome_seen_at = NULL
    WHERE state = 'active' AND name <> $1
"""
ACTIVATE = """
    UPDATE analysis_versions SET state = 'active', activated_at = clock_timestamp(), is_catching_up = $2
    WHERE name = $1 AND state <> 'active'
"""

SEEN = """
    UPDATE analysis_versions v SET
        posting_seen_at = coalesce(v.posting_seen_at, CASE WHEN n.has_posting THEN now() END),
        outcome_seen_at = coalesce(v.outcome_seen_at, CASE WHEN n.has_outcome THEN now() END)
    FROM (
        SELECT * FROM unnest($1::smallint[], $2::boolean[], $3::boolean[]) AS n (version_id, has_posting, has_outcome)
        ORDER BY 1
    ) n
    WHERE v.version_id = n.version_id AND v.live_since IS NOT NULL
        AND (v.posting_seen_at IS NULL AND n.has_posting OR v.outcome_seen_at IS NULL AND n.has_outcome)
"""
"""Note that something came after live traffic was to be analysed under these versions, and that it was analysed so."""
