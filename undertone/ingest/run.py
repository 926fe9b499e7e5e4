"""One file from its first entry to its last: read, sent, accounted for in the file's order, and remembered."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from undertone.errors import CommandError
from undertone.ingest.batches import Batch, Done, Order, Rejection, in_batches
from undertone.ingest.checkpoint import Checkpoint, Progress
from undertone.ingest.entries import Reader, Unreadable
from undertone.ingest.outgoing import Dating, Outgoing, prepare
from undertone.ingest.report import Report
from undertone.ingest.sending import Sender

_SAVE_EVERY_SECONDS = 1.0
_ROOM_FOR_BRACKETS = 1024


class Watcher(Protocol):
    """Whoever wants to see how it goes."""

    def update(self, share_done: float, progress: Progress) -> None:
        """Some more of the file is done; `share_done` from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to send: conversations a request, requests under way at once, entries of the file at most."""

    batch_size: int = 200
    in_flight: int = 4
    limit: int | None = None


class Ingest:
    """The ingest of one file; `run` it once."""

    def __init__(
        self,
        *,
        reader: Reader,
        sender: Sender,
        progress: Progress,
        report: Report,
        dating: Dating,
        options: Options,
        watcher: Watcher,
        checkpoint: Checkpoint | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._sender = sender
        self._progress = progress
        self._report = report
        self._dating = dating
        self._options = options
        self._watcher = watcher
        self._checkpoint = checkpoint
        self._clock = clock
        self._saved_at = clock()
        self._order = Order()

    async def run(self) -> None:
        """Send what is not done yet. However it ends, the checkpoint says how far it came.

        Raises CommandError when the destination gives no more answers, or refuses everything.
        """
        slots = asyncio.Semaphore(self._options.in_flight)
        failed: CommandError | None = None
        try:
            async with asyncio.TaskGroup() as deliveries:
                for batch in self._batches():
                    await slots.acquire()
                    delivery = self._deliver(batch, self._order.begin())
                    deliveries.create_task(delivery).add_done_callback(lambda _: slots.release())
        except* CommandError as group:
            failed = _first_of(group)
        finally:
            self._save()
            self._report.close()
        if failed is not None:
            raise failed

    def _batches(self) -> Iterator[Batch]:
        max_bytes = self._sender.max_batch_bytes - _ROOM_FOR_BRACKETS
        yield from in_batches(self._prepared(), size=self._options.batch_size, max_bytes=max_bytes)

    def _prepared(self) -> Iterator[Outgoing | Unreadable]:
        already = self._progress.entries
        left = None if self._options.limit is None else self._options.limit - already
        for found in self._reader.entries(skip=already):
            if left is not None:
                if left <= 0:
                    return
                left -= 1
            yield found if isinstance(found, Unreadable) else prepare(found, self._dating)

    async def _deliver(self, batch: Batch, ticket: int) -> None:
        rejections = list(batch.rejections)
        accepted = 0
        if batch.outgoing:
            sent = await self._sender.send(batch.outgoing)
            accepted = len(batch.outgoing) - len(sent.rejected)
            rejections += (
                Rejection(batch.outgoing[position].number, batch.outgoing[position].conversation_id, problems)
                for position, problems in sent.rejected.items()
            )
        rejections.sort(key=lambda rejection: rejection.number)
        for done in self._order.end(ticket, Done(batch.entries, accepted, rejections)):
            self._account(done)

    def _account(self, done: Done) -> None:
        progress = self._progress
        progress.report_bytes = self._report.write(done.rejections)
        progress.entries += done.entries
        progress.accepted += done.accepted
        progress.rejected += len(done.rejections)
        self._watcher.update(self._reader.share_done(), progress)
        if self._clock() - self._saved_at > _SAVE_EVERY_SECONDS:
            self._save()

    def _save(self) -> None:
        self._saved_at = self._clock()
        if self._checkpoint is not None:
            with suppress(FileNotFoundError):  # the folder was removed under us: the ingest itself goes on
                self._checkpoint.save(self._progress)


def _first_of(group: BaseExceptionGroup[CommandError]) -> CommandError:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
