"""What accepted conversations, finished and started ones write; see sql/outcomes.py for the order of locks.

A batch's rows drive every join: LATERAL with a LIMIT keeps the planner from starting at the table's side, which it
does where it believes that few rows have a status (it was seen to: 60 s for a batch of 20,000). `(x IN (SELECT …)) IS
TRUE` is looked up in a hash of the batch's own rows; `= ANY (ARRAY(SELECT …))` would walk the array for each row.
"""

# ruff: noqa: S608 - the pieces put together are constants of these modules; every value is bound

from services.sink.sql.erasures import NOT_ERASED

_ADD_STATUS = """
        ORDER BY 1, 2
        ON CONFLICT (channel, bucket) DO UPDATE SET
            queued = r.queued + excluded.queued,
            processing = r.processing + excluded.processing,
            failed = r.failed + excluded.failed,
            skipped = r.skipped + excluded.skipped,
            completed = r.completed + excluded.completed"""

COUNT_STATUS = f""", changes AS (
        SELECT new_channel AS channel, new_occurred_at AS occurred_at, new_status AS status, 1 AS sign FROM moved
        WHERE new_status IS NOT NULL
        UNION ALL
        SELECT old_channel, old_occurred_at, old_status, -1 FROM moved WHERE old_status IS NOT NULL
    ), cells AS MATERIALIZED (
        SELECT ch.name AS channel, date_bin('1 minute', occurred_at, '2000-01-01Z') AS minute,
            sum(CASE WHEN status = 'queued' THEN sign ELSE 0 END) AS queued,
            sum(CASE WHEN status = 'processing' THEN sign ELSE 0 END) AS processing,
            sum(CASE WHEN status = 'failed' THEN sign ELSE 0 END) AS failed,
            sum(CASE WHEN status = 'skipped' THEN sign ELSE 0 END) AS skipped,
            sum(CASE WHEN status = 'completed' THEN sign ELSE 0 END) AS completed
        FROM changes CROSS JOIN LATERAL unnest(ARRAY['', channel]) AS ch (name)
        WHERE ch.name IS NOT NULL
        GROUP BY 1, 2
    ), minutes AS (
        INSERT INTO rollup_status_minutes AS r (channel, bucket, queued, processing, failed, skipped, completed)
        SELECT channel, minute, queued, processing, failed, skipped, completed FROM cells
        WHERE queued <> 0 OR processing <> 0 OR failed <> 0 OR skipped <> 0 OR completed <> 0{_ADD_STATUS}
    ), hours AS (
        INSERT INTO rollup_status_hours AS r (channel, bucket, queued, processing, failed, skipped, completed)
        SELECT channel, date_bin('1 hour', minute, '2000-01-01Z'),
            sum(queued), sum(processing), sum(failed), sum(skipped), sum(completed)
        FROM cells GROUP BY 1, 2
        HAVING sum(queued) <> 0 OR sum(processing) <> 0 OR sum(failed) <> 0 OR sum(skipped) <> 0
            OR sum(completed) <> 0{_ADD_STATUS}
    )
    SELECT count(*) FROM moved
"""

RETURN_STATUS = """
        RETURNING
            old.status AS old_status, old.occurred_at AS old_occurred_at, old.channel AS old_channel,
            new.status AS new_status, new.occurred_at AS new_occurred_at, new.channel AS new_channel"""


def _outcome_that_counts(conversation: str) -> str:
    return f"""
            SELECT kind, finished_at FROM current_outcomes p
            WHERE p.conversation_id = {conversation}.conversation_id AND p.version_id = ANY ($16::smallint[])
                AND (p.revision_ms, p.revision_offset)
                    >= ({conversation}.revision_ms, {conversation}.revision_offset)
            ORDER BY array_position($16, p.version_id) LIMIT 1"""


CONVERSATIONS = f"""
    WITH arrived AS MATERIALIZED (
        SELECT n.*, o.kind AS known_kind, o.finished_at AS known_finished_at
        FROM unnest(
            $1::text[], $2::bigint[], $3::bigint[], $4::integer[], $5::bytea[], $6::timestamptz[], $7::timestamptz[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[]
        ) AS n (
            conversation_id, revision_ms, revision_offset, received_partition, content_hash, received_at, occurred_at,
            channel, language, opening, turns, metadata, raw
        )
        LEFT JOIN LATERAL ({_outcome_that_counts("n")}) o ON true
        WHERE {NOT_ERASED}
    ), accepted AS (
        INSERT INTO conversations AS c (
            conversation_id, revision_ms, revision_offset, received_partition, content_hash, received_at, occurred_at,
            channel, language, status, status_at, unfinished_since
        )
        SELECT
            conversation_id, revision_ms, revision_offset, received_partition, content_hash, received_at, occurred_at,
            channel, language, coalesce(known_kind, 'queued'), coalesce(known_finished_at, received_at),
            CASE WHEN known_kind IS NULL THEN received_at END
        FROM arrived
        ORDER BY conversation_id
        ON CONFLICT (conversation_id) DO UPDATE SET
            revision_ms = excluded.revision_ms, revision_offset = excluded.revision_offset,
            received_partition = excluded.received_partition, content_hash = excluded.content_hash,
            received_at = excluded.received_at, occurred_at = excluded.occurred_at, channel = excluded.channel,
            language = excluded.language, status = excluded.status, status_at = excluded.status_at,
            unfinished_since = excluded.unfinished_since
        WHERE (excluded.revision_ms, excluded.revision_offset) > (c.revision_ms, c.revision_offset)
            AND (excluded.content_hash <> c.content_hash OR excluded.conversation_id = ANY ($14::text[]))
        RETURNING new.conversation_id AS conversation_id,
            old.status AS old_status, old.occurred_at AS old_occurred_at, old.channel AS old_channel,
            new.status AS new_status, new.occurred_at AS new_occurred_at, new.channel AS new_channel
    ), worded AS (
        INSERT INTO conversation_turns (conversation_id, opening, turns, metadata, raw)
        SELECT a.conversation_id, a.opening, a.turns::json, a.metadata::json, a.raw::json
        FROM arrived a WHERE (a.conversation_id IN (SELECT conversation_id FROM accepted)) IS TRUE
        ORDER BY a.conversation_id
        ON CONFLICT (conversation_id) DO UPDATE SET
            opening = excluded.opening, turns = excluded.turns, metadata = excluded.metadata, raw = excluded.raw
    ), finished AS (
        UPDATE conversations c SET status = o.kind, status_at = o.finished_at, unfinished_since = NULL
        FROM unnest($15::text[]) AS n (conversation_id)
        CROSS JOIN LATERAL (
            SELECT k.* FROM conversations k WHERE k.conversation_id = n.conversation_id LIMIT 1
        ) k
        CROSS JOIN LATERAL ({_outcome_that_counts("k")}) o
        WHERE c.conversation_id = n.conversation_id AND o.kind <> c.status
            AND (n.conversation_id IN (SELECT conversation_id FROM accepted)) IS NOT TRUE{RETURN_STATUS}
    ), moved AS (
        SELECT old_status, old_occurred_at, old_channel, new_status, new_occurred_at, new_channel FROM accepted
        UNION ALL
        SELECT old_status, old_occurred_at, old_channel, new_status, new_occurred_at, new_channel FROM finished
    ){COUNT_STATUS}
"""
"""Accept postings with new words, let the status follow the outcomes, and move the counts with them.

The status follows the active version, or else one of those before it that are followed ($16, in this order). $14:
conversations whose words changed within the batch; $15: conversations with outcomes in the batch.
"""

STARTED = f"""
    WITH locked AS MATERIALIZED (
        SELECT c.conversation_id
        FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (conversation_id, revision_ms, revision_offset)
        CROSS JOIN LATERAL (
            SELECT k.conversation_id FROM conversations k
            WHERE k.conversation_id = n.conversation_id AND k.status = 'queued'
                AND (k.revision_ms, k.revision_offset) <= (n.revision_ms, n.revision_offset)
            LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ) c
    ), moved AS (
        UPDATE conversations c SET status = 'processing', status_at = now()
        FROM (SELECT DISTINCT conversation_id FROM locked) l WHERE c.conversation_id = l.conversation_id{RETURN_STATUS}
    ){COUNT_STATUS}
"""
"""Let what is still queued at that revision be processing. A row that another sink is writing is passed
over: it is being finished or posted anew, and started events are keyed by batch, so waiting could deadlock."""
