"""Analysis versions: which there are, and which one is active. Writers hold LOCK_SHARED, who changes it LOCK."""

LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(7564657274)"
LOCK = "SELECT pg_advisory_xact_lock(7564657274)"

ALL = """
    SELECT version_id, name, state, activated_at FROM analysis_versions
    ORDER BY state = 'active' DESC, activated_at DESC NULLS LAST, version_id
"""

ADD = """
    INSERT INTO analysis_versions (name, state) VALUES ($1, 'candidate')
    ON CONFLICT (name) DO NOTHING
    RETURNING version_id
"""

DEACTIVATE = "UPDATE analysis_versions SET state = 'candidate' WHERE state = 'active' AND name <> $1"
ACTIVATE = "UPDATE analysis_versions SET state = 'active', activated_at = now() WHERE name = $1 AND state <> 'active'"
