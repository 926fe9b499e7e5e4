"""A replay from where it stands to its end: chunk by chunk, each checked, written whole, and remembered."""

import asyncio
import time
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from schemas.codec import RawRecord, UndecodableRecord
from services.runtime.counting import counted
from services.runtime.kafka import KafkaConnection
from services.runtime.send_errors import RecordRefused
from undertone.replay.api import MOST_TOGETHER, ReplayApi, RetiredVersion
from undertone.replay.checkpoint import find_written
from undertone.replay.copies import Copy, copy_of
from undertone.replay.pacing import Pacer
from undertone.replay.plans import Plans, Replay, Selection, State
from undertone.replay.selected import selected_records
from undertone.replay.writing import ReplayWriter, open_writer, refuse_unsendable

_MOST_RECORDS = 5_000
_MOST_BYTES = 16 * 1024 * 1024
"""Of a transaction: what is held in memory, and what a kill takes back."""
_SECONDS = 2.0
"""What a transaction should take at most: others that write to the lane become readable only when it ends."""


class Watcher(Protocol):
    """Whoever wants to see how it goes."""

    def update(self, replay: Replay) -> None:
        """Some more was settled."""


class Sending:
    """Sends one replay; `run` it once, by the process that holds it."""

    def __init__(
        self,
        connection: KafkaConnection,
        api: ReplayApi,
        plans: Plans,
        replay: Replay,
        *,
        stop: asyncio.Event,
        watcher: Watcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._api = api
        self._plans = plans
        self._replay = replay
        self._stop = stop
        self._watcher = watcher
        self._pacer = Pacer(replay.rate, clock)
        self._most_records = max(1, min(_MOST_RECORDS, int(replay.rate * _SECONDS) or _MOST_RECORDS))

    async def run(self) -> State:
        """Send what is not sent yet, until the end, `stop`, or a request to pause or cancel; returns how it ended.

        Raises CommandError and KafkaError: the same replay goes on when it is resumed. It is paused when its version
        was retired: RetiredVersion.
        """
        self._replay.state = State.SENDING
        self._plans.save(self._replay)
        async with open_writer(self._connection, self._replay.transactional_id) as writer:
            pending = await self._catch_up(self._plans.selection(self._replay))
            async for chunk in self._chunks(pending):
                try:
                    await self._send(writer, chunk)
                except RetiredVersion as error:
                    self._end(State.PAUSED)
                    raise self._retired(error.version) from error
                wanted = self._wanted()
                if wanted is not None:
                    return self._end(wanted)
        self._replay.leave_out("expired", self._replay.pending)
        return self._end(State.DONE)

    async def _catch_up(self, selection: Selection) -> dict[int, "array[int]"]:
        """What is left to be sent, by what the replay topic has; the writer shuts out everybody else already."""
        replay = self._replay
        positions = {int(partition): position for partition, position in replay.positions.items()}
        found = await find_written(self._connection, replay.replay_id, positions)
        for partition, written in found.offsets.items():
            # A chunk is sent whole and in order: what is not among it was left out, and will be for good.
            until = max(written) + 1
            chunk = selection[partition][bisect_left(selection[partition], self._settled(partition)) :]
            replay.leave_out("not sendable", bisect_left(chunk, until) - len(written))
            replay.settled[str(partition)] = until
        replay.written += found.count
        replay.positions = {str(partition): end for partition, end in found.ends.items()}
        self._plans.save(replay)
        self._watcher.update(replay)
        return {
            partition: offsets[bisect_left(offsets, self._settled(partition)) :]
            for partition, offsets in selection.items()
        }

    def _retired(self, version: str) -> RetiredVersion:
        replay = self._replay
        return RetiredVersion(
            version,
            f"The replay stopped before that, with {replay.pending:,} of {counted(replay.selected, 'conversation')} "
            f"left; what waits on the replay lane is not analysed. `undertone replay cancel {replay.name}` ends it.",
        )

    def _settled(self, partition: int) -> int:
        return self._replay.settled.get(str(partition), 0)

    async def _chunks(self, pending: Selection) -> AsyncIterator[list[RawRecord]]:
        """Records that go into one transaction each."""
        chunk: list[RawRecord] = []
        size = 0
        async for records in selected_records(self._connection, pending):
            for record in records:
                chunk.append(record)
                size += len(record.value or b"")
                if len(chunk) >= self._most_records or size >= _MOST_BYTES:
                    yield chunk
                    chunk, size = [], 0
        if chunk:
            yield chunk

    async def _send(self, writer: ReplayWriter, chunk: Sequence[RawRecord]) -> None:
        replay = self._replay
        left_out: dict[str, int] = {}
        copies = await self._without_objections(self._copies(chunk, left_out), left_out)
        ends = await writer.write(copies, self._pacer) if copies else {}
        replay.written += len(copies)
        for reason, count in left_out.items():
            replay.leave_out(reason, count)
        for record in chunk:
            replay.settled[str(record.partition)] = max(self._settled(record.partition), record.offset + 1)
        replay.positions |= {str(partition): end for partition, end in ends.items()}
        self._plans.save(replay)
        self._watcher.update(replay)

    def _copies(self, chunk: Sequence[RawRecord], left_out: dict[str, int]) -> list[Copy]:
        copies = []
        for record in chunk:
            try:
                copy = copy_of(record, self._replay.replay_id, self._replay.analysis_version)
                refuse_unsendable(copy)
            except UndecodableRecord:
                _count(left_out, "undecodable")
            except RecordRefused:
                _count(left_out, "too large")
            else:
                copies.append(copy)
        return copies

    async def _without_objections(self, copies: Sequence[Copy], left_out: dict[str, int]) -> list[Copy]:
        """Those that are neither erased nor superseded by now: asked right before they are sent."""
        allowed = []
        for start in range(0, len(copies), MOST_TOGETHER):
            together = copies[start : start + MOST_TOGETHER]
            ids = [copy.conversation.conversation_id for copy in together]
            standings = await asyncio.to_thread(self._api.standings, ids, self._replay.analysis_version)
            for copy, conversation_id in zip(together, ids, strict=True):
                standing = standings.get(conversation_id)
                objection = None if standing is None else standing.objection(copy.revision)
                if objection is None:
                    allowed.append(copy)
                else:
                    _count(left_out, objection)
        return allowed

    def _wanted(self) -> State | None:
        if self._stop.is_set():
            return State.PAUSED
        return self._plans.asked(self._replay.name)

    def _end(self, state: State) -> State:
        self._replay.state = state
        self._plans.save(self._replay)
        return state


def _count(counts: dict[str, int], reason: str) -> None:
    counts[reason] = counts.get(reason, 0) + 1
