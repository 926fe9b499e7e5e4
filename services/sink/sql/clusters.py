"""Clusters as engines named them, behind what counts as `other`."""

UNKNOWN = """
    SELECT cluster, count(*) AS insights, min(o.conversation_id) AS first_id, max(o.conversation_id) AS last_id
    FROM current_outcomes o
    JOIN insights i USING (insight_id)
    CROSS JOIN LATERAL unnest(i.clusters) AS cluster
    WHERE o.version_id IN (SELECT version_id FROM analysis_versions)
        AND o.insight_id IS NOT NULL AND o.occurred_at >= $1 AND $2 = ANY (o.topics)
        AND cluster <> ALL ($3::text[])
    GROUP BY cluster
    ORDER BY insights DESC, cluster COLLATE "C"
    LIMIT $4
"""
"""$1 since, $2 the subject that unknown ones count as, $3 every name that the registry knows, $4 how many."""
