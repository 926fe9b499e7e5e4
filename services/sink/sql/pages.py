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
        SELECT o.* FROM unnest({{lows}}::timestamptz[], {{highs}}::timestamptz[], {{ids}}::text[]) AS s (low, high, id)
        CROSS JOIN LATERAL (
            SELECT * FROM {table} o
            WHERE {{conditions}} AND o.occurred_at >= s.low AND (o.occurred_at, o.conversation_id) < (s.high, s.id)
            ORDER BY o.occurred_at DESC, o.conversation_id DESC LIMIT {{inner_limit}}
        ) o
        WHERE {{later}}
        ORDER BY {{order}} LIMIT {{limit}}"""

_IN_RANGE = """
        SELECT o.* FROM {table} o
        WHERE {{conditions}} AND o.occurred_at >= {{low}} AND (o.occurred_at, o.conversation_id) < ({{high}}, {{id}})
        ORDER BY {{order}} LIMIT {{limit}}"""

_BY_TIME = {"range": _IN_RANGE, "ranges": _IN_RANGES}
OUTCOMES_BY_TIME = {name: text.format(table="current_outcomes") for name, text in _BY_TIME.items()}
CONVERSATIONS_BY_TIME = {name: text.format(table="conversations") for name, text in _BY_TIME.items()}
"""By time, newest first. A range ends before a time ('' is before every id), or before the row of a cursor: one bound,
since of two the index would start at the looser one. A single range may be as long as a window: the planner is told
its bounds. Of several it knows nothing, so each begins at the index of time
(`later` stands outside for that)."""

_OF_DAY = "date_bin('1 day', o.occurred_at, '2000-01-01Z') = {day} AND o.sentiment = {sentiment}"
_DAYS = "unnest({days}::timestamptz[]) AS d (day) CROSS JOIN unnest({sentiments}::text[]::sentiment[]) AS s (name)"
_OF_EACH_DAY = _OF_DAY.format(day="d.day", sentiment="s.name")

OUTCOMES_OF_DAY = f"""
            (SELECT * FROM current_outcomes o
            WHERE {{conditions}} AND {_OF_DAY.format(day="{day}", sentiment="{sentiment}::text::sentiment")}
            ORDER BY {{order}})"""
OUTCOMES_MERGED = """
        SELECT o.* FROM ({days}
        ) o
        ORDER BY {order} LIMIT {limit}"""
"""The first of some days and sentiments by score or confidence: OUTCOMES_OF_DAY, each in order from its index (see
current_outcomes_by_score), merged as far as the limit is away."""

OUTCOMES_BY_DAYS = f"""
        SELECT o.* FROM {_DAYS}
        CROSS JOIN LATERAL (
            SELECT * FROM current_outcomes o
            WHERE {{conditions}} AND {_OF_EACH_DAY}
            ORDER BY o.confidence DESC LIMIT NULL
        ) o
        ORDER BY {{order}} LIMIT {{limit}}"""
"""All of some days and sentiments, from the index of confidence."""

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

SORTING = "SELECT set_config('enable_sort', $1, true)"
"""Within this transaction: off, the rows of a day or a range come in order from their index, and are not sorted."""

PATIENCE = """
    SELECT set_config('statement_timeout', round(1000 * extract(epoch FROM least(
        make_interval(secs => $1), nullif(current_setting('statement_timeout'), '0')::interval
    )))::text, true)
"""
"""Within this transaction: a statement may take at most so many seconds, and no longer than before."""

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
    CROSS JOIN LATERAL (
        SELECT * FROM (SELECT * FROM insights i WHERE i.conversation_id = o.conversation_id LIMIT 4) i
        WHERE i.insight_id = o.insight_id
        UNION ALL
        SELECT * FROM insights i WHERE i.insight_id = o.insight_id
        LIMIT 1
    ) i
    LEFT JOIN LATERAL (
        SELECT t.opening FROM conversation_turns t WHERE t.conversation_id = o.conversation_id LIMIT 1
    ) t ON true
    LEFT JOIN LATERAL (
        SELECT c.revision_ms, c.revision_offset FROM conversations c WHERE c.conversation_id = o.conversation_id LIMIT 1
    ) c ON true
    ORDER BY {{order}}
"""
"""What is shown of outcomes. Insights are looked for beside their conversation's others first: ids of conversations are
ordered by time, so those of a list lie together in the index; ids of insights are random, each is elsewhere."""

COUNT = "SELECT count(*) FROM ({outcomes}) o"

CONFIDENT = f"""
    SELECT count(*) FROM (
        SELECT FROM {_DAYS}
        CROSS JOIN LATERAL (
            SELECT FROM current_outcomes o WHERE {{conditions}} AND {_OF_EACH_DAY}
            ORDER BY o.confidence DESC LIMIT {{limit}}
        ) o
        LIMIT {{limit}}
    ) o
"""
"""How many are that sure, counted in the index alone."""

CONVERSATIONS = """
    SELECT c.conversation_id, c.status, c.status_at, c.received_at, c.occurred_at, c.channel, c.language, t.opening,
        c.occurred_at AS sort_value
    FROM ({conversations}
    ) c
    LEFT JOIN LATERAL (
        SELECT t.opening FROM conversation_turns t WHERE t.conversation_id = c.conversation_id LIMIT 1
    ) t ON true
    ORDER BY c.occurred_at DESC, c.conversation_id DESC
"""

EXPECTED_SAYING = "EXPLAIN (FORMAT JSON) SELECT FROM conversation_turns t WHERE words_of(t.turns) @@ $1::text::tsquery"
EXPECTED_CONVERSATIONS = "EXPLAIN (FORMAT JSON) SELECT FROM conversation_turns t"
"""What the planner believes: it counts the most frequent words when it analyses the table."""
