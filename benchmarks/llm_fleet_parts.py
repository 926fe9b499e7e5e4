"""What llm_fleet.py is made of: analyzers as processes, a backlog for them, and what the simulated LLM counted."""

import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from schemas.analysis_control import HoldDeclared
from schemas.codec import encode
from schemas.event import Lane
from schemas.topics import CONTROL, RECEIVED, Topic
from services.runtime.kafka import KafkaConnection
from tests.builders import a_conversation, a_turn, an_envelope
from tests.waiting import eventually
from undertone.embedded.ports import free_port
from undertone.embedded.process import Child, Command

START_SECONDS = 60.0
_OURS = ("KAFKA_", "ANALYZER_", "XAI_")


@dataclass
class Analyzer:
    """One `python -m services.analyzer`."""

    port: int
    child: Child
    client: httpx.AsyncClient

    async def health(self) -> dict[str, Any]:
        """What it says of itself; nothing while it does not answer."""
        try:
            answer = await self.client.get(f"http://127.0.0.1:{self.port}/readyz")
        except httpx.TransportError:
            return {}
        said: dict[str, Any] = answer.json()
        return said

    async def owned(self) -> list[int]:
        """Its partitions of the live lane, once it has been dealt any."""
        said = await self.health()
        is_dealt = said.get("checks", {}).get("assignment", {}).get("ok", False)
        return list(said["partitions"]["live"]) if is_dealt else []


@dataclass
class Calls:
    """What the simulated LLM counted in a while."""

    seconds: float
    total: int
    in_busiest_second: int
    busiest_call: int
    """With which the busiest second ended."""
    refused: int
    answered: int
    """Conversations."""
    answered_again: int

    def used(self, limit: float) -> float:
        """The part of a limit that these calls used."""
        return self.total / (limit * self.seconds)


@dataclass
class Fleet:
    """Analyzers under one limit, and the LLM that they call."""

    connection: KafkaConnection
    folder: Path
    operator: httpx.AsyncClient
    """Of the simulated LLM."""
    settings: Mapping[str, str]
    analyzers: list[Analyzer] = field(default_factory=list)
    _counted_since: float = 0.0

    async def join(self) -> Analyzer:
        """Start one more, and wait until it answers."""
        name = f"analyzer-{len(self.analyzers) + 1}"
        port = free_port()
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(_OURS)},
            "KAFKA_BOOTSTRAP_SERVERS": self.connection.bootstrap_servers,
            "KAFKA_TOPIC_PREFIX": self.connection.topic_prefix,
            "KAFKA_GROUP_PREFIX": self.connection.topic_prefix,
            "ANALYZER_PORT": str(port),
            "ANALYZER_INSTANCE_ID": name,
            **self.settings,
        }
        command = Command(name, (sys.executable, "-m", "services.analyzer"), self.folder / f"{name}.log", environment)
        analyzer = Analyzer(port, Child(command), self.operator)
        self.analyzers.append(analyzer)
        analyzer.child.start()
        await eventually(analyzer.health, within_seconds=START_SECONDS, what=f"{name} answers")
        return analyzer

    async def dealt(self, *analyzers: Analyzer, within_seconds: float = START_SECONDS) -> float:
        """Wait until these own every partition, each its part; the seconds that it took."""
        began = time.monotonic()

        async def is_dealt() -> bool:
            parts = [await analyzer.owned() for analyzer in analyzers]
            assert sorted(chain(*parts)) == list(range(RECEIVED.partitions)), parts
            assert all(len(part) == RECEIVED.partitions // len(analyzers) for part in parts), parts
            return True

        await eventually(is_dealt, within_seconds=within_seconds, what="partitions are dealt out")
        return time.monotonic() - began

    async def called(self, count: int) -> None:
        """Wait until the LLM was called so often since it counts."""

        async def is_reached() -> bool:
            return (await self.counted()).total >= count

        await eventually(is_reached, within_seconds=START_SECONDS, what=f"{count} calls")

    async def count_anew(self) -> None:
        """Forget what was counted."""
        await self.operator.delete("/stats")
        self._counted_since = time.monotonic()

    async def counted(self) -> Calls:
        """What was counted since."""
        stats: dict[str, Any] = (await self.operator.get("/stats")).json()
        calls = stats["calls"]
        return Calls(
            time.monotonic() - self._counted_since,
            calls["total"],
            calls["most_in_a_second"],
            calls["busiest_second_ends_with_call"],
            calls["by_outcome"].get("over_limit", 0),
            stats["conversations"]["answered"],
            stats["conversations"]["answered_again"],
        )

    async def change_conduct(self, **changes: Any) -> None:
        """Let the LLM behave differently."""
        (await self.operator.patch("/conduct", json=changes)).raise_for_status()

    async def hold(self, seconds: float, lane: Lane | None = None) -> None:
        """Hold every call of the fleet, or those of one lane; 0 ends it."""
        hold = HoldDeclared(hold_seconds=seconds, lane=lane, reason="a benchmark", declared_by="bench")
        value, headers = encode(hold, an_envelope())
        async with AIOKafkaProducer(**self.connection.client_options(), acks="all") as producer:
            await producer.send_and_wait(self.connection.topic_name(CONTROL), value, key=b"hold", headers=headers)

    async def stop(self) -> None:
        """End all of them at once: what they have not done is of no interest."""
        for analyzer in self.analyzers:
            if analyzer.child.exit_code is None:
                analyzer.child.kill()
                await analyzer.child.exited()


async def fill(connection: KafkaConnection, count: int, topic: Topic = RECEIVED) -> None:
    """Write so many different conversations of three turns to a lane: the live one, unless it is said."""
    async with AIOKafkaProducer(
        **connection.client_options(), acks="all", linger_ms=20, max_batch_size=1 << 20
    ) as producer:
        sent = []
        for number in range(count):
            turns = [a_turn(f"Line {line} about order {number}: it is late and I am angry.") for line in range(3)]
            conversation = a_conversation(f"conv-{number}", turns=turns)
            value, headers = encode(conversation, an_envelope())
            key = conversation.conversation_id.encode()
            sent.append(await producer.send(connection.topic_name(topic), value, key=key, headers=headers))
        for future in sent:
            await future


@asynccontextmanager
async def fleet_on(
    connection: KafkaConnection, llm: str, limit: float, batch: int, more: Mapping[str, str]
) -> AsyncIterator[Fleet]:
    """A fleet without members yet, whose analyzers call the LLM at this address."""
    settings = {
        "ANALYZER_ENGINE": "llm",
        "ANALYZER_LLM_BASE_URL": f"{llm}/v1",
        "XAI_API_KEY": "not-a-key",
        "ANALYZER_CALLS_PER_SECOND": str(limit),
        "ANALYZER_DAILY_BUDGET_USD": "unlimited",
        "ANALYZER_MIN_BATCH": str(batch),
        "ANALYZER_START_BATCH": str(batch),
        "ANALYZER_MAX_BATCH": str(batch),
        "LOG_LEVEL": "WARNING",
        **more,
    }
    with tempfile.TemporaryDirectory(prefix="undertone-bench-") as folder:
        async with httpx.AsyncClient(base_url=llm, timeout=10) as operator:
            fleet = Fleet(connection, Path(folder), operator, settings)
            try:
                yield fleet
            finally:
                await fleet.stop()
