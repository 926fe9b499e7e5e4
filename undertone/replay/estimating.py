"""A dry run: what was chosen is read and looked up, nothing is written."""

import asyncio
from collections.abc import Callable

from schemas.codec import RawRecord, UndecodableRecord
from services.runtime.kafka import KafkaConnection
from undertone.replay.api import MOST_TOGETHER, ReplayApi
from undertone.replay.copies import Copy, copy_of
from undertone.replay.plans import Selection
from undertone.replay.pricing import Tally, Tariff
from undertone.replay.selected import selected_records


class Estimate:
    """What a selection takes under a version; None: nothing was ever analysed, so nothing is known."""

    def __init__(self, api: ReplayApi, version: str | None, tariff: Tariff | None) -> None:
        self._api = api
        self._version = version
        self._tariff = tariff
        self._together: list[Copy] = []
        self.tally = Tally()
        self.left_out: dict[str, int] = {}
        """What would not be sent, by reason."""

    async def read(self, connection: KafkaConnection, selection: Selection, looked: Callable[[int], None]) -> None:
        """Read the selection whole; `looked` hears how far it is. Raises CommandError and KafkaError."""
        read = 0
        async for records in selected_records(connection, selection):
            for record in records:
                self._add(record)
                if len(self._together) == MOST_TOGETHER:
                    await asyncio.to_thread(self._count)
            read += len(records)
            looked(read)
        await asyncio.to_thread(self._count)

    def _add(self, record: RawRecord) -> None:
        try:
            self._together.append(copy_of(record, "estimate", self._version))
        except UndecodableRecord:
            self._leave_out("undecodable")

    def _count(self) -> None:
        """Ask what is known of those that were read, and count them."""
        standings = self._api.standings([copy.conversation.conversation_id for copy in self._together], self._version)
        hashes = sorted({copy.conversation.content_hash for copy in self._together})
        known = self._api.known(hashes, self._version) if self._version is not None else set()
        for copy in self._together:
            standing = standings.get(copy.conversation.conversation_id)
            objection = None if standing is None else standing.objection(copy.revision)
            if objection is not None:
                self._leave_out(objection)
            else:
                self.tally.add(copy.conversation, self._tariff, is_known=copy.conversation.content_hash in known)
        self._together.clear()

    def _leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1
