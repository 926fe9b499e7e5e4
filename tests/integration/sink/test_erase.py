"""Erasure against a real Postgres: nothing of a conversation remains, nothing of it comes back, all else stands."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codec import encode_value
from schemas.dead_letter import DeadLetter, DeadLetterReason, Origin
from schemas.event import Revision
from schemas.topics import ANALYZED, RECEIVED, REPLAY
from services.sink.batch import Batch
from services.sink.erase import erase, erase_again, known_erasures
from services.sink.recount import differing_cells
from services.sink.rows import ConversationRow, DeadLetterRow, conversation_row
from tests.builders import a_conversation, a_record
from tests.integration.sink.harness import NOW, Sink, failure, insight, posting, revision
from tests.integration.sink.test_store_properties import Revision as Posted
from tests.integration.sink.test_store_properties import batches_of, histories, history_of

WORDS = "My card number is in here."


async def rows_that_say(pool: asyncpg.Pool, conversation_id: str) -> dict[str, int]:
    """Rows of any table, but the erasures themselves, that mention a conversation, as text."""
    tables = await pool.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    found = {}
    for (table,) in tables:
        hexed = conversation_id.encode().hex()
        count = await pool.fetchval(
            f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%' OR t::text LIKE '%' || $2 || '%'",
            conversation_id,
            hexed,
        )
        if count and table != "erasures":
            found[table] = count
    return found


async def erase_one(pool: asyncpg.Pool, conversation_id: str) -> Any:
    async with pool.acquire() as connection:
        return await erase(connection, conversation_id)


def letter_of(key: bytes | None, value: bytes, conversation_id: str | None) -> DeadLetterRow:
    letter = DeadLetter(
        id=uuid.uuid4(),
        reason=DeadLetterReason.UNDECODABLE,
        detail="",
        origin=Origin("received", 0, 1, 1_000_001),
        failed_at=NOW,
        service="analyzer",
        sha256="",
        original_size=len(value),
        is_truncated=False,
    )
    return DeadLetterRow(letter, conversation_id, key, value, ())


def late_letter(
    topic: str, moment: datetime, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
) -> DeadLetterRow:
    """A dead letter whose original came at this moment."""
    origin = Origin(topic, 0, uuid.uuid4().int % 10**6, int(moment.timestamp() * 1000))
    letter = replace(letter_of(key, value, key.decode()).letter, origin=origin)
    return DeadLetterRow(letter, key.decode(), key, value, tuple(headers))


async def test_an_erased_conversation_is_in_no_table_and_its_neighbours_are_whole(sink: Sink) -> None:
    told = insight("named", WORDS, 1).model_copy(update={"completion": f'["{WORDS}"]'})
    await sink.store_mixed(
        [posting("named", WORDS, 1), posting("named0", WORDS, 2)], [told, insight("named0", WORDS, 2)]
    )
    await sink.finish(insight("named", WORDS, 1, version="v2"), failure("named", WORDS, 1, version="v3"))
    letters = [
        letter_of(b"named", b"{broken", "named"),
        letter_of(b"other", b'{"conversation_id": "named", "turns": 3}', "other"),
        letter_of(b"named0", b'{"conversation_id": "named0"}', "named0"),
    ]
    await sink.store.store(Batch(dead_letters=letters), sink.claims)
    assert set(await rows_that_say(sink.pool, "named")) >= {"conversations", "insights", "completions", "dead_letters"}
    erased = await erase_one(sink.pool, "named")
    assert (erased.rows.conversations, erased.rows.insights, erased.rows.outcomes, erased.dead_letters) == (1, 2, 3, 2)
    left = await rows_that_say(sink.pool, "named")
    assert left == await rows_that_say(sink.pool, "named0"), "what mentions named is only what mentions named0"
    assert set(left) == {"conversations", "conversation_turns", "insights", "current_outcomes", "dead_letters"}


async def test_nothing_of_an_erased_conversation_comes_back_when_it_is_delivered_again(sink: Sink) -> None:
    await sink.store_mixed([posting("gone", WORDS, 1)], [insight("gone", WORDS, 1)])
    await erase_one(sink.pool, "gone")
    await sink.receive(posting("gone", WORDS, 1), posting("gone", "other words", 2))
    await sink.finish(insight("gone", WORDS, 1), insight("gone", "other words", 2, version="v2"))
    await sink.store.store(Batch(dead_letters=[letter_of(b"gone", b"{}", "gone")]), sink.claims)
    assert await rows_that_say(sink.pool, "gone") == {}


async def test_a_late_dead_letter_of_an_erased_conversation_is_kept_by_nobody(sink: Sink) -> None:
    """An outcome of what was posted before the erasure can fail long after it, under any key, and be cut short."""
    await sink.store_mixed([posting("gone", WORDS, 1)], [insight("gone", WORDS, 1)])
    await erase_one(sink.pool, "gone")
    outcome = encode_value(insight("gone", WORDS, 1, version="v2"))
    late = datetime.now(UTC) + timedelta(hours=1)
    copied = [("undertone_revision", str(revision(1)).encode())]
    letters = [
        late_letter(ANALYZED.name, late, b"gone", outcome),
        late_letter(ANALYZED.name, late, b"other", outcome),
        late_letter(ANALYZED.name, late, b"other", outcome[: len(outcome) // 2]),
        late_letter(REPLAY.name, late, b"gone", b"{broken", copied),
    ]
    await sink.store.store(Batch(dead_letters=letters), sink.claims)
    assert await rows_that_say(sink.pool, "gone") == {}


async def test_a_dead_letter_of_what_was_posted_after_an_erasure_is_kept(sink: Sink) -> None:
    await erase_one(sink.pool, "back")
    late = datetime.now(UTC) + timedelta(hours=1)
    posted = Revision(int(late.timestamp() * 1000), 7)
    outcome = insight("back", "new words", 1).model_copy(update={"revision": posted})
    letters = [
        late_letter(ANALYZED.name, late, b"back", encode_value(outcome)),
        late_letter(RECEIVED.name, late, b"back", b"{broken"),
    ]
    await sink.store.store(Batch(dead_letters=letters), sink.claims)
    assert await sink.pool.fetchval("SELECT count(*) FROM dead_letters") == 2


async def test_what_is_accepted_after_an_erasure_is_stored_as_usual(sink: Sink) -> None:
    await sink.store_mixed([posting("back", WORDS, 1)], [insight("back", WORDS, 1)])
    await erase_one(sink.pool, "back")
    record = a_record(a_conversation("back", "new words"), offset=7, timestamp=datetime.now(UTC) + timedelta(hours=1))
    later = Revision(record.timestamp_ms, record.offset)
    await sink.receive(conversation_row(a_conversation("back", "new words"), record, later))
    await sink.finish(insight("back", "new words", 1).model_copy(update={"revision": later}))
    assert await sink.pool.fetchval("SELECT status FROM conversations WHERE conversation_id = 'back'") == "completed"
    assert await sink.pool.fetchval("SELECT count(*) FROM insights WHERE conversation_id = 'back'") == 1


async def test_erasures_hold_in_a_restored_database_once_they_are_made_again(sink: Sink) -> None:
    await sink.store_mixed([posting("gone", WORDS, 1)], [insight("gone", WORDS, 1)])
    await erase_one(sink.pool, "gone")
    async with sink.pool.acquire() as connection:
        kept = await known_erasures(connection)
        assert [conversation_id for conversation_id, _ in kept] == ["gone"]
        # The dump was made before the erasure: it holds the words and knows of none.
        await connection.execute("DELETE FROM erasures")
        await sink.store_mixed([posting("gone", WORDS, 1)], [insight("gone", WORDS, 1)])
        assert not (await erase_again(connection, *kept[0])).is_nothing
        assert await known_erasures(connection) == kept
    assert await rows_that_say(sink.pool, "gone") == {}
    await sink.receive(posting("gone", WORDS, 1))
    assert await rows_that_say(sink.pool, "gone") == {}


async def test_making_a_known_erasure_again_keeps_what_was_posted_since(sink: Sink) -> None:
    await erase_one(sink.pool, "back")
    async with sink.pool.acquire() as connection:
        kept = await known_erasures(connection)
        later = datetime.now(UTC) + timedelta(hours=1)
        record = a_record(a_conversation("back", "new words"), offset=7, timestamp=later)
        posted = Revision(record.timestamp_ms, record.offset)
        await sink.receive(conversation_row(a_conversation("back", "new words"), record, posted))
        assert (await erase_again(connection, *kept[0])).is_nothing
    assert await sink.pool.fetchval("SELECT count(*) FROM conversations") == 1


async def test_erasing_again_or_what_was_never_there_changes_nothing(sink: Sink) -> None:
    await sink.store_mixed([posting("named", WORDS, 1)], [insight("named", WORDS, 1)])
    assert not (await erase_one(sink.pool, "named")).is_nothing
    assert (await erase_one(sink.pool, "named")).is_nothing
    assert (await erase_one(sink.pool, "unheard")).is_nothing
    assert await sink.pool.fetchval("SELECT count(*) FROM erasures") == 2


async def test_an_erasure_waits_for_a_writer_that_did_not_see_it(sink: Sink) -> None:
    """A batch that looked erasures up before, and commits after, must not leave words behind."""
    async with sink.store._transaction(Batch(), {}) as writer:
        erasing = asyncio.create_task(erase_one(sink.pool, "named"))
        done, _ = await asyncio.wait({erasing}, timeout=0.2)
        assert not done, "the writer's transaction is open"
        await writer.execute("INSERT INTO conversation_turns (conversation_id, turns) VALUES ('named', '[]')")
    await erasing
    assert await rows_that_say(sink.pool, "named") == {}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(histories, st.integers(0, 2**32))
async def test_an_erasure_at_any_moment_of_any_history_holds_and_every_count_stays_exact(
    pool: asyncpg.Pool, conversations: Sequence[Sequence[Posted]], seed: int
) -> None:
    order = random.Random(seed)
    prefix = uuid.uuid4().hex[:8]
    history = history_of(prefix, conversations, order)
    sink = await Sink(pool).claim()
    erased: set[str] = set()
    for kind, events in batches_of(history, order):
        await getattr(sink, kind)(*events)
        if order.random() < 0.3:
            name = f"{prefix}-{order.randrange(len(conversations))}"
            erased.add(name)
            await erase_one(pool, name)
            async with pool.acquire() as connection:
                assert await differing_cells(connection) == []
    for name in erased:
        assert await rows_that_say(pool, name) == {}
    kept = await pool.fetch("SELECT conversation_id FROM conversations WHERE starts_with(conversation_id, $1)", prefix)
    assert {row["conversation_id"] for row in kept} == _posted(history.postings) - erased
    async with pool.acquire() as connection:
        assert await differing_cells(connection) == []


def _posted(rows: Sequence[ConversationRow]) -> set[str]:
    return {row.conversation_id for row in rows}
