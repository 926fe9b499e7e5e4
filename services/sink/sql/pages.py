"""Pages of lists, by routes whose work is bounded at any size of the tables; `reads/` says which route is taken.

Where each route starts is fixed by the shape of its statement (LATERAL with a LIMIT, MATERIALIZED, a scalar subquery),
not left to what the planner believes: it knows no word's or window's share exactly, and one wrong guess at ten million
rows is a minute. `{conditions}` and the like are put together by `reads/`; values are always bound.
"""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

from services.sink.sql.reads import FULL_INSIGHT

MINUTES = """
    SELECT bucket, {counted} AS total FROM rollup_minutes
    WHERE version_id = $1 AND channel = $2 AND subject = $3 AND bucket >= $4 AND bucket < $5 AND {counted} > 0
    ORDER BY bucket DESC LIMIT $6
"""
"""The last minutes before $5 that hold what is asked for, and how many: rollups lead to rows without an index more."""

STATUS_MINUTES = """
    SELECT bucket, {counted} AS total FROM rollup_status_minutes
    WHERE channel = $1 AND bucket >= $2 AND bucket < $3 AND {counted} > 0
    ORDER BY bucket DESC LIMIT $4
"""

_IN_RANGES = """
        SELECT o.* FROM unnest({{lows}}::timestamptz[], {{highs}}::timestamptz[]) AS s (low, high)
        CROSS JOIN LATERAL (
            SELECT * FROM {table} o
            WHERE {{conditions}} AND o.occurred_at >= s.low AND o.occurred_at < s.high
            ORDER BY {{order}} LIMIT {{limit}}
        ) o
        ORDER BY {{order}} LIMIT {{limit}}"""

OUTCOMES_IN_RANGES = _IN_RANGES.format(table="current_outcomes")
"""By time, in ranges of it."""

DAY = "date_bin('1 day', o.occurred_at, '2000-01-01Z')"

OUTCOMES_BY_DAYS = f"""
        SELECT o.* FROM unnest({{days}}::timestamptz[]) AS d (day)
        CROSS JOIN LATERAL (
            SELECT * FROM current_outcomes o
            WHERE {{conditions}} AND {DAY} = d.day
            ORDER BY {{inner_order}} LIMIT {{inner_limit}}
        ) o
        ORDER BY {{order}} LIMIT {{limit}}"""
"""The first of each day by score or confidence, merged: see current_outcomes_by_score and …_by_confidence."""

OUTCOMES_SAYING = """
        SELECT o.* FROM (
            SELECT t.conversation_id FROM conversation_turns t WHERE words_of(t.turns) @@ {words}::text::tsquery
            OFFSET 0
        ) t
        CROSS JOIN LATERAL (
            SELECT * FROM current_outcomes o WHERE o.conversation_id = t.conversation_id AND {conditions} LIMIT 1
        ) o
        ORDER BY {order} LIMIT {limit}"""
"""By their words."""

SAYS = """(
            SELECT t.turns::text ILIKE ALL ({patterns}::text[]) AND words_of(t.turns) @@ {words}::text::tsquery
            FROM conversation_turns t WHERE t.conversation_id = o.conversation_id
        )"""
"""Whether a conversation says the words, asked of each one. The patterns cost a tenth and refuse most."""

INSIGHTS = f"""
    SELECT {{sort}} AS sort_value, o.occurred_at, o.channel, t.opening, {FULL_INSIGHT},
        (o.revision_ms, o.revision_offset) > (o.shown_revision_ms, o.shown_revision_offset)
            OR coalesce((c.revision_ms, c.revision_offset) > (o.shown_revision_ms, o.shown_revision_offset), false)
            AS stale
    FROM ({{outcomes}}
    ) o
    CROSS JOIN LATERAL (SELECT * FROM insights i WHERE i.insight_id = o.insight_id LIMIT 1) i
    LEFT JOIN LATERAL (
        SELECT t.opening FROM conversation_turns t WHERE t.conversation_id = o.conversation_id LIMIT 1
    ) t ON true
    LEFT JOIN LATERAL (
        SELECT c.revision_ms, c.revision_offset FROM conversations c WHERE c.conversation_id = o.conversation_id LIMIT 1
    ) c ON true
    ORDER BY {{order}}
"""
"""What is shown of outcomes."""

COUNT = "SELECT count(*) FROM ({outcomes}) o"

CONFIDENT = f"""
    SELECT count(*) FROM (
        SELECT FROM unnest({{days}}::timestamptz[]) AS d (day)
        CROSS JOIN LATERAL (
            SELECT FROM current_outcomes o WHERE {{conditions}} AND {DAY} = d.day
            ORDER BY o.confidence DESC LIMIT {{limit}}
        ) o
        LIMIT {{limit}}
    ) o
"""
"""How many are that sure, counted in the index alone."""

CONVERSATIONS = f"""
    SELECT c.conversation_id, c.status, c.status_at, c.received_at, c.occurred_at, c.channel, c.language, t.opening,
        c.occurred_at AS sort_value
    FROM ({_IN_RANGES.format(table="conversations")}
    ) c
    LEFT JOIN LATERAL (
        SELECT t.opening FROM conversation_turns t WHERE t.conversation_id = c.conversation_id LIMIT 1
    ) t ON true
    ORDER BY c.occurred_at DESC, c.conversation_id DESC
"""

EXPECTED_SAYING = "EXPLAIN (FORMAT JSON) SELECT FROM conversation_turns t WHERE words_of(t.turns) @@ $1::text::tsquery"
EXPECTED_CONVERSATIONS = "EXPLAIN (FORMAT JSON) SELECT FROM conversation_turns t"
"""What the planner believes: it counts the most frequent words when it analyses the table."""
