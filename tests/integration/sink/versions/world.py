"""A sink with two versions, in few words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.event import Lane
from services.sink.sql import decisions as sql
from services.sink.versioning.coverage import Standings, VersionStanding, read_standings
from services.sink.versioning.deciding import By, Decided, Decisions
from tests.integration.sink.harness import NOW, Sink, insight, posting

WHO = By("a test", "to see")


def name(number: int) -> str:
    return f"c{number:03}"


@dataclass
class World:
    """`v1` is what traffic made active."""

    sink: Sink
    decisions: Decisions

    async def receive(self, numbers: Iterable[int], words: str = "words", *, after: int = 0) -> None:
        """Post conversations; `after` makes it a later revision."""
        rows = [posting(name(number), words, number + after, at=at(number)) for number in numbers]
        await self.sink.receive(*rows)

    async def analyse(
        self, numbers: Iterable[int], version: str = "v1", *, words: str = "words", after: int = 0, score: float = -0.5
    ) -> None:
        lane = Lane.LIVE if version == "v1" else Lane.REPLAY
        found = [
            insight(name(number), words, number + after, version=version, at=at(number), score=score, lane=lane)
            for number in numbers
        ]
        await self.sink.finish(*found)

    async def standings(self) -> Standings:
        async with self.sink.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            return await read_standings(connection, datetime.now(UTC))

    async def of(self, version: str) -> VersionStanding:
        found = (await self.standings()).of(version)
        assert found is not None
        return found

    async def announce(self, at: datetime) -> None:
        """What the announcer notes once Kafka has the newest decision."""
        row = await self.sink.pool.fetchrow(sql.TO_ANNOUNCE)
        await self.sink.pool.execute(sql.ANNOUNCED, row["decision"], at, row["decision"])
        await self.sink.pool.execute(sql.LIVE_SINCE, at, [row["active_version"], *row["trial_versions"]])

    async def promote(self, version: str, *, now: bool = False) -> Decided:
        return await self.decisions.promote(version, WHO, now=now)

    async def statuses(self) -> dict[str, str]:
        rows = await self.sink.pool.fetch("SELECT conversation_id, status::text AS status FROM conversations")
        return {row["conversation_id"]: row["status"] for row in rows}

    async def fetchval(self, query: str, *values: Any) -> Any:
        return await self.sink.pool.fetchval(query, *values)


def at(number: int) -> datetime:
    """Conversations lie twenty minutes apart."""
    return NOW + timedelta(minutes=20 * number)
