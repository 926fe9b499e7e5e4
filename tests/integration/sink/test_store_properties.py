"""Random histories in random order and batching against a model of what must stand at the end."""

import asyncio
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.analysis_started import AnalysisStarted
from schemas.event import Lane
from schemas.insight_produced import InsightProduced
from schemas.outcome import Outcome
from services.sink.recount import differing_cells
from services.sink.rows import KIND_RANKS, ConversationRow, outcome_row
from tests.integration.sink.harness import NOW, Sink, failure, insight, posting, skip, started

MINUTES = (0, 1, 59, 60, 7_200)
SUBJECTS = (("delivery",), ("refund", "delivery"), ("billing",))


@dataclass(frozen=True)
class Revision:
    """A posting, and the outcomes that it gets."""

    words: str
    kinds: tuple[str, ...]
    minutes: int
    channel: str | None


revisions = st.builds(
    Revision,
    st.sampled_from("ab"),
    st.lists(st.sampled_from(["failed", "skipped", "completed"]), max_size=2).map(tuple),
    st.sampled_from(MINUTES),
    st.sampled_from([None, "chat", "mail"]),
)
histories = st.lists(st.lists(revisions, min_size=1, max_size=4), min_size=1, max_size=3)


def outcome_of(conversation_id: str, revision: Revision, number: int, kind: str, version: str) -> Outcome:
    if kind == "failed":
        return failure(conversation_id, revision.words, number, version=version)
    if kind == "skipped":
        return skip(conversation_id, revision.words, number, version=version)
    # The same words give the same result, as they do where results are cached by content.
    score, topics = (0.8, SUBJECTS[1]) if revision.words == "a" else (-0.4, SUBJECTS[number % 3])
    at = NOW + timedelta(minutes=revision.minutes)
    return insight(
        conversation_id,
        revision.words,
        number,
        version=version,
        score=score,
        topics=topics,
        at=at,
        channel=revision.channel,
        lane=Lane.LIVE if version == "v1" else Lane.REPLAY,
    )


@dataclass
class History:
    postings: list[ConversationRow]
    outcomes: list[Outcome]
    starts: list[AnalysisStarted]


def history_of(prefix: str, conversations: Sequence[Sequence[Revision]], version_of: random.Random) -> History:
    history = History([], [], [])
    number = 0
    for index, posted in enumerate(conversations):
        conversation_id = f"{prefix}-{index}"
        for revision in posted:
            number += 1
            at = NOW + timedelta(minutes=revision.minutes)
            history.postings.append(posting(conversation_id, revision.words, number, at=at, channel=revision.channel))
            history.starts.append(started(conversation_id, number))
            for kind in revision.kinds:
                version = version_of.choice(["v1", "v1", "v2"])
                history.outcomes.append(outcome_of(conversation_id, revision, number, kind, version))
    return history


def batches_of(history: History, order: random.Random) -> Iterator[tuple[str, Sequence[Any]]]:
    """The postings in their order, the rest in any order, all cut into batches and interleaved."""
    outcomes, starts = list(history.outcomes), list(history.starts)
    order.shuffle(outcomes)
    order.shuffle(starts)
    left: dict[str, list[Any]] = {"receive": list(history.postings), "finish": outcomes, "start": starts}
    while kinds := [kind for kind, events in left.items() if events]:
        kind = order.choice(kinds)
        size = order.randint(1, 4)
        yield kind, left[kind][:size]
        left[kind] = left[kind][size:]


def rank(event: Outcome) -> tuple[int, int, int]:
    return event.revision.timestamp_ms, event.revision.offset, KIND_RANKS[outcome_row(event).kind]


def expected_status(history: History, conversation_id: str) -> str:
    row: ConversationRow | None = None
    for one in history.postings:
        if one.conversation_id == conversation_id and (row is None or one.content_hash != row.content_hash):
            row = one
    assert row is not None
    finished = [
        event
        for event in history.outcomes
        if event.conversation_id == conversation_id
        and event.analysis_version == "v1"
        and event.revision >= row.revision
    ]
    newest = max((one for one in history.outcomes if one in finished), key=rank, default=None)
    return outcome_row(newest).kind if newest else "unfinished"


def expected_shown(history: History, conversation_id: str, version: str) -> Any:
    deciding = [
        event
        for event in history.outcomes
        if event.conversation_id == conversation_id
        and event.analysis_version == version
        and outcome_row(event).kind != "failed"
    ]
    newest = max(deciding, key=rank, default=None)
    return newest.insight_id if isinstance(newest, InsightProduced) else None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(histories, st.integers(0, 2**32))
async def test_any_order_and_any_batching_end_in_what_the_model_says(
    pool: asyncpg.Pool, conversations: list[list[Revision]], seed: int
) -> None:
    await pool.execute(
        "INSERT INTO analysis_versions (name, state, activated_at) "
        "VALUES ('v1', 'active', now()), ('v2', 'candidate', NULL) ON CONFLICT DO NOTHING"
    )
    order = random.Random(seed)
    prefix = uuid.uuid4().hex[:8]
    history = history_of(prefix, conversations, order)
    sink = await Sink(pool).claim()
    for kind, events in batches_of(history, order):
        await getattr(sink, kind)(*events)
    for index in range(len(conversations)):
        conversation_id = f"{prefix}-{index}"
        status = await pool.fetchval("SELECT status FROM conversations WHERE conversation_id = $1", conversation_id)
        found = "unfinished" if status in {"queued", "processing"} else status
        assert found == expected_status(history, conversation_id)
        for version in ("v1", "v2"):
            shown = await pool.fetchval(
                "SELECT insight_id FROM current_outcomes JOIN analysis_versions USING (version_id) "
                "WHERE conversation_id = $1 AND name = $2",
                conversation_id,
                version,
            )
            assert shown == expected_shown(history, conversation_id, version)
    async with pool.acquire() as connection:
        assert await differing_cells(connection) == []


async def test_two_sinks_that_count_into_the_same_cells_both_get_through(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=4, max_size=4) as pool:

        async def run(number: int) -> None:
            sink = await Sink(pool, group="both", partition=number).claim()
            order = random.Random(number)
            for turn in range(15):
                names = [f"c{number}-{turn}-{index}" for index in range(20)]
                order.shuffle(names)
                at = NOW + timedelta(minutes=order.choice(MINUTES))
                rows = [posting(name, "a", turn * 20 + index, at=at) for index, name in enumerate(names)]
                events = [insight(name, "a", turn * 20 + index, at=at) for index, name in enumerate(names)]
                await sink.store_mixed(rows, events[:10])
                await sink.start(*(started(f"c{1 - number}-{turn}-{index}", 10**6) for index in range(20)))
                await sink.finish(*events[10:])

        await asyncio.gather(run(0), run(1))
        assert await pool.fetchval("SELECT count(*) FROM conversations WHERE status = 'completed'") == 600
        async with pool.acquire() as connection:
            assert await differing_cells(connection) == []
