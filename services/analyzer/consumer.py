"""Faust's consumer with what its settings cannot express.

- the client is made from the service's own connection options (SASL, OAUTHBEARER, TLS);
- the time of the last successful heartbeat is told: a process that slept must not call;
- what a lane has buffered is bounded in bytes too: Faust counts records only, and 4,096 of 3.9 MiB are 16 GiB;
- what is acknowledged is committed before partitions are given away, else up to a commit interval comes again;
- a record is handed over without four tasks of its own when nothing can make it wait (half of Faust's cost);
- leaving on purpose gives the partitions back at once: aiokafka does not leave for static members, so that after a
  graceful end nobody would have them for a session timeout.

faust-streaming is pinned below 0.16 and aiokafka below 0.15 for the private names that are used here.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.sensors import Monitor
from faust.transport.drivers import aiokafka as driver

from services.runtime.logs import get_logger

_log = get_logger(__name__)

FAUST_LOGGER: Final = logging.getLogger("faust.app")
"""Faust's services log under the name of their class's module otherwise: as if what they say were ours."""
BUFFERED_BYTES: Final = 16 * 1024 * 1024
"""Of a lane, before no more of it is fetched; one more fetch may come on top of it."""
_ROOM_SECONDS: Final = 0.02
_LAST_COMMIT_SECONDS: Final = 5.0
_LEAVE_SECONDS: Final = 5.0


class CalmMonitor(Monitor):
    """Faust's monitor without what it notes of each record, which nobody reads: our counts are in metrics.py."""

    def on_message_in(self, tp: Any, offset: int, message: Any) -> None: ...

    def on_stream_event_in(self, tp: Any, offset: int, stream: Any, event: Any) -> None: ...

    def on_stream_event_out(self, tp: Any, offset: int, stream: Any, event: Any, state: Any = None) -> None: ...

    def on_message_out(self, tp: Any, offset: int, message: Any) -> None: ...

    def track_tp_end_offset(self, tp: Any, offset: int) -> None: ...


def read_position(consumer: AIOKafkaConsumer, tp: Any) -> int | None:
    """The next offset of a partition that will be handed out; None while it is not assigned or not known.

    For another thread than the consumer's, whose own method waits in its loop.
    """
    subscription = consumer._subscription.subscription  # noqa: SLF001 - as above
    if subscription is None or subscription.assignment is None or tp not in subscription.assignment.tps:
        return None
    state = subscription.assignment.state_value(tp)
    return state.position if state.has_valid_position else None


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    logger = FAUST_LOGGER
    app: Any  # agents.AnalyzerApp, which this module cannot name: it imports this one

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:  # noqa: ARG002 - Faust's signature
        conf = self.app.conf
        self._assignor = RoundRobinPartitionAssignor
        return AIOKafkaConsumer(
            **self.app.connection.client_options(),
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # a replay writes in transactions: what a killed one left is no record
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=500,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
        )

    async def on_start(self) -> None:
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - aiokafka tells of heartbeats nowhere else
        heartbeat: Callable[[], Awaitable[bool]] = coordinator._do_heartbeat  # noqa: SLF001

        async def told_heartbeat() -> bool:
            sent_at = time.monotonic()
            is_confirmed = await heartbeat()
            if is_confirmed:
                self.app.on_heartbeat(sent_at)
            return is_confirmed

        coordinator._do_heartbeat = told_heartbeat  # noqa: SLF001

    async def on_thread_stop(self) -> None:
        await self._leave()
        await super().on_thread_stop()

    async def _leave(self) -> None:
        if self._consumer is None or self.app.conf.consumer_group_instance_id is None or not self.app.leaves_at_stop:
            return
        coordinator = self._consumer._coordinator  # noqa: SLF001 - aiokafka leaves for dynamic members only
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await coordinator._send_req(  # noqa: SLF001
                    LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
                )


class _WithoutWaiting:
    """A record on its way into a buffer that has room: no need to watch for what could interrupt a wait."""

    __slots__ = ("handing_over",)

    def __init__(self, handing_over: Awaitable[None]) -> None:
        self.handing_over = handing_over


class _Consumer(driver.Consumer):
    app: Any  # agents.AnalyzerApp
    logger = FAUST_LOGGER

    def __init__(self, transport: Any, callback: Callable[[Any], Awaitable[None]], *args: Any, **kwargs: Any) -> None:
        self.buffered_bytes: defaultdict[str, int] = defaultdict(int)
        app = transport.app

        def cannot_wait(message: Any) -> bool:
            channels = app.topics._tp_index[message.tp]  # noqa: SLF001 - whose buffers a record goes to
            is_flowing = self.flow_active and app.flow_control.is_active()
            is_unlocked = not app.topics._tp_to_callback_lock.locked()  # noqa: SLF001
            return is_flowing and is_unlocked and not any(channel.queue.full() for channel in channels)

        def hand_over(message: Any) -> Any:
            self.buffered_bytes[message.topic] += len(message.value or b"")
            return _WithoutWaiting(callback(message)) if cannot_wait(message) else callback(message)

        super().__init__(transport, hand_over, *args, **kwargs)

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:  # noqa: ASYNC109 - mode's signature
        first = coros[0]
        if isinstance(first, _WithoutWaiting):
            for other in coros[1:]:
                other.close()
            return await first.handing_over
        return await super().wait_first(*coros, timeout=timeout)

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        wanted = {tp for tp in active_partitions if self.buffered_bytes[tp.topic] < BUFFERED_BYTES}
        if not wanted:
            await asyncio.sleep(_ROOM_SECONDS)
            return {}
        return await super()._getmany(wanted, timeout)

    async def perform_seek(self) -> None:
        await super().perform_seek()
        starts = {tp: offset for tp, offset in self._committed_offset.items() if offset is not None}
        fresh = [tp for tp in self.assignment() if tp not in starts]
        if fresh:
            starts |= await self.earliest_offsets(*fresh)
        self.app.on_seek(starts)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_COMMIT_SECONDS):
                await self.commit()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        self.buffered_bytes.clear()
        await super().on_partitions_assigned(assigned, generation_id)


class Transport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = _Consumer
