"""Erasing a conversation: its words leave Postgres now, and nothing of it up to now is ever stored again.

What Kafka still holds cannot be cut out of a log: it is refused whenever it is read, and its last copy leaves with the
topic's retention, which the command states. A restored database has forgotten the erasures since its dump: `--list`
writes all of them to a file, `--again` makes them in another database.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.event import Revision
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, REPLAY
from services.runtime.counting import counted
from services.sink.failures import SERIALIZATION
from services.sink.removal import Removed, remove_conversations
from services.sink.sql import erasures as sql
from services.sink.sql import versions

TOPICS_WITH_WORDS = (RECEIVED, REPLAY, ANALYZED, DEAD_LETTER)
SEGMENT_SPAN = timedelta(days=7)
"""Kafka removes whole segments, once the newest record in them is old enough; a segment spans up to `segment.ms`,
by default 7 days (https://kafka.apache.org/documentation/#topicconfigs_segment.ms)."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Erased:
    """What left Postgres."""

    rows: Removed
    dead_letters: int

    @property
    def is_nothing(self) -> bool:
        rows = self.rows
        return not (rows.conversations or rows.insights or rows.outcomes or self.dead_letters)


async def erase(connection: Any, conversation_id: str) -> Erased:
    """Remove everything and write the erasure, in one transaction. Repeating it is harmless."""
    return await _alone(connection, lambda: _erase(connection, conversation_id))


async def erase_again(connection: Any, conversation_id: str, up_to: Revision) -> Erased:
    """Make an erasure that a restored database has forgotten, up to the revision of then.

    What the database holds of the conversation is older than that: it was dumped before. One that knows the erasure
    has kept it, and whatever was posted since stays.
    """
    return await _alone(connection, lambda: _erase_again(connection, conversation_id, up_to))


async def is_known(connection: Any, conversation_id: str) -> bool:
    """Whether anything is stored under this id, or its erasure: of any other it may be misspelt."""
    found: bool = await connection.fetchval(sql.KNOWN, conversation_id)
    return found


async def known_erasures(connection: Any) -> list[tuple[str, Revision]]:
    """Every erasure, the oldest first: what `erase_again` takes."""
    rows = await connection.fetch(sql.ALL)
    return [(row["conversation_id"], Revision(row["revision_ms"], row["revision_offset"])) for row in rows]


async def _alone(connection: Any, work: Callable[[], Awaitable[Erased]]) -> Erased:
    """In a transaction beside no writer's.

    Writers hold the versions' lock shared, each for its transaction. Taking it alone waits for those that have looked
    up erasures before this one, and lets the next ones see it: no words slip in between.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with connection.transaction():
                await connection.execute(versions.LOCK)
                return await work()
        except SERIALIZATION:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _erase(connection: Any, conversation_id: str) -> Erased:
    await connection.execute(sql.ERASE, conversation_id)
    return await _remove(connection, conversation_id)


async def _erase_again(connection: Any, conversation_id: str, up_to: Revision) -> Erased:
    if await connection.fetchval(sql.AGAIN, conversation_id, *up_to) is None:
        return Erased(Removed(0, 0, 0), 0)
    return await _remove(connection, conversation_id)


async def _remove(connection: Any, conversation_id: str) -> Erased:
    rows = await remove_conversations(connection, [conversation_id])
    return Erased(rows, await connection.fetchval(sql.DEAD_LETTERS, conversation_id))


def remaining(now: datetime) -> Iterator[tuple[str, datetime]]:
    """Each topic that may hold the words still, and when its last copy is gone at the latest."""
    for topic in TOPICS_WITH_WORDS:
        yield topic.name, now + topic.retention + SEGMENT_SPAN


def report(conversation_id: str, erased: Erased, now: datetime) -> list[str]:
    """What the command says."""
    rows = erased.rows
    done = (
        f"{conversation_id}: nothing of it is stored."
        if erased.is_nothing
        else f"{conversation_id}: erased from Postgres ({counted(rows.conversations, 'conversation')}, "
        f"{counted(rows.insights, 'insight')}, {counted(rows.outcomes, 'outcome')}, "
        f"{counted(erased.dead_letters, 'dead letter')})."
    )
    return [
        done,
        "Whatever was accepted of it up to now is never stored again, also when Kafka delivers or replays it.",
        "Kafka holds copies, until these days at the latest (by the contract's retention):",
        *(f"  {name}  {until:%Y-%m-%d}" for name, until in remaining(now)),
        "Backups of Postgres hold what they held. Keep what `python -m services.sink.erase --list` prints beside them;",
        "after restoring one, `python -m services.sink.erase --again FILE` makes those erasures again.",
    ]
