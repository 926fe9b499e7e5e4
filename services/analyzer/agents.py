"""The edge to Kafka: a Faust app with one agent a lane, embedded in our event loop."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import faust
from faust.types import TP
from yarl import URL

from schemas.codec import RawRecord
from schemas.event import Lane
from schemas.topics import Topic
from services.analyzer.batching import LANES_IN_ORDER
from services.analyzer.consumer import FAUST_LOGGER, CalmMonitor, Transport, read_position
from services.analyzer.dropped import DropWatch, Sight
from services.analyzer.intake import TOPIC_OF_LANE
from services.analyzer.options import Membership
from services.analyzer.pipeline import Pipeline
from services.runtime.kafka import KafkaConnection
from services.runtime.logs import get_logger

_log = get_logger(__name__)

STREAM_BUFFER_RECORDS: Final = 4096
POLL_RECORDS: Final = 64
BUFFER_SLACK: Final = 0.2
"""Faust stops fetching a partition when its lane's buffer is at 80 %."""
COMMIT_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 3.0
REBALANCE_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 1.0
"""Between two looks for records that were dropped."""
NEVER: Final = 365 * 86_400.0
_PRODUCER_TIMEOUT_SECONDS: Final = 30.0
_MAX_FETCH_BYTES: Final = 1024 * 1024
"""Of a partition at once. With an eighth of it, and half the two above, an analyzer takes 18 MiB less and a tenth more
CPU a conversation."""


class AnalyzerApp(faust.App):
    """A Faust app that tells the pipeline of rebalances and heartbeats, and keeps no files."""

    logger = FAUST_LOGGER
    connection: KafkaConnection
    on_heartbeat: Callable[[float], None]
    on_rebalance: Callable[[], None]
    on_seek: Callable[[Mapping[Any, int]], None]
    leaves_at_stop = True

    def on_rebalance_start(self) -> None:
        """Called on the consumer's thread, before anything is revoked."""
        super().on_rebalance_start()
        self.on_rebalance()

    def kafka_consumer(self) -> Any:
        """Aiokafka's consumer: Faust does not tell partition counts."""
        consumer: Any = self.consumer
        return consumer._thread._consumer  # noqa: SLF001

    def note_taken(self, topic: str, message: Any) -> None:
        """A lane took a record out of its buffer."""
        consumer: Any = self.consumer
        consumer.buffered_bytes[topic] -= len(message.value or b"")

    def _create_directories(self) -> None:
        """No tables, so no files."""

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)


def check_buffer(partitions_of_lane: int) -> None:
    """Raise ValueError when a held lane could stop the other one.

    One loop feeds both lanes. When a lane's buffer is nearly full Faust stops fetching its partitions, each of
    which may have one more poll under way; should these not fit, the loop waits for the held lane.
    """
    slack = BUFFER_SLACK * STREAM_BUFFER_RECORDS
    if slack < partitions_of_lane * POLL_RECORDS:
        raise ValueError(
            f"a lane has {partitions_of_lane} partitions; with more than {int(slack // POLL_RECORDS)} a held replay "
            "lane would stop the live lane"
        )


def create_faust_app(pipeline: Pipeline, connection: KafkaConnection, membership: Membership) -> AnalyzerApp:
    """The app, with its agents; start it in the running loop."""
    app = AnalyzerApp(
        connection.group_name("analyzer"),
        broker=[URL(f"kafka://{server.strip()}") for server in connection.bootstrap_servers.split(",")],
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        worker_redirect_stdouts=False,
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=STREAM_BUFFER_RECORDS,
        stream_processing_timeout=NEVER,  # a hold is no hanging stream
        broker_commit_livelock_soft_timeout=NEVER,
        broker_max_poll_records=POLL_RECORDS,
        broker_max_poll_interval=20 * 86_400.0,  # nor is it a consumer that must leave; int32 milliseconds
        Monitor=CalmMonitor,
        broker_commit_interval=COMMIT_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_session_timeout=membership.session_timeout_seconds,
        broker_request_timeout=max(90.0, membership.session_timeout_seconds + 10),
        broker_rebalance_timeout=REBALANCE_SECONDS,
        consumer_group_instance_id=membership.instance_id,
        consumer_max_fetch_size=_MAX_FETCH_BYTES,
        producer_request_timeout=_PRODUCER_TIMEOUT_SECONDS,
    )
    app.connection = connection
    app.boot_strategy.enable_kafka_producer = False  # outcomes go through our own, idempotent one
    loop = asyncio.get_running_loop()
    app.on_heartbeat = pipeline.heartbeat

    def rebalance() -> None:
        pipeline.permits.stop()  # at once, on whatever thread this is
        loop.call_soon_threadsafe(pipeline.rebalance_started)

    app.on_rebalance = rebalance
    _read_again_at_gaps(app, pipeline, connection)
    names = {lane: connection.topic_name(TOPIC_OF_LANE[lane]) for lane in LANES_IN_ORDER}
    _follow_assignments(app, pipeline, names)
    _watch_for_dropped(app, pipeline, names)
    for lane, name in names.items():
        _add_agent(app, pipeline, lane, name)
    app.finalize()
    return app


def _read_again_at_gaps(app: AnalyzerApp, pipeline: Pipeline, connection: KafkaConnection) -> None:
    lanes = {connection.topic_name(TOPIC_OF_LANE[lane]): lane for lane in LANES_IN_ORDER}
    names = {lane: name for name, lane in lanes.items()}

    async def read_again(lane: Lane, partition: int, offset: int) -> None:
        await app.consumer.seek_wait({TP(names[lane], partition): offset})

    app.on_seek = lambda starts: pipeline.reading_starts(
        {(lanes[tp.topic], tp.partition): offset for tp, offset in starts.items()}
    )
    pipeline.read_again = read_again


def _watch_for_dropped(app: AnalyzerApp, pipeline: Pipeline, names: Mapping[Lane, str]) -> None:
    watch: DropWatch[tuple[Lane, int]] = DropWatch()

    def sights() -> Iterator[Sight[tuple[Lane, int]]]:
        consumer = app.kafka_consumer()
        for (lane, partition), expected in list(pipeline.gaps.positions().items()):
            tp = TP(names[lane], partition)
            buffers = cast("Any", app.topics)._tp_index.get(tp, ())  # noqa: SLF001 - Faust tells their fill nowhere
            is_idle = not pipeline.intakes[lane].is_taking and all(buffer.queue.empty() for buffer in buffers)
            position = read_position(consumer, tp)
            if position is not None:
                yield Sight((lane, partition), expected, position, is_idle and pipeline.ledger.is_open)

    async def look() -> None:
        if pipeline.is_rebalancing:
            return
        for (lane, partition), offset in watch.look(sights()):
            _log.warning("records_dropped", lane=lane.value, partition=partition, expected=offset)
            await app.consumer.seek_wait({TP(names[lane], partition): offset})

    app.timer(interval=LOOK_SECONDS, on_leader=False)(look)


def _follow_assignments(app: AnalyzerApp, pipeline: Pipeline, names: Mapping[Lane, str]) -> None:
    async def assigned(_: Any, *args: Any, **__: Any) -> None:
        owned: list[Any] = list(args[0])
        by_lane = {lane: frozenset(tp.partition for tp in owned if tp.topic == name) for lane, name in names.items()}
        consumer = app.kafka_consumer()
        counts = {lane: len(consumer.partitions_for_topic(name) or ()) for lane, name in names.items()}
        for count in counts.values():
            check_buffer(count)
        pipeline.partitions_assigned(by_lane, counts[Lane.LIVE])

    app.on_partitions_assigned.connect(cast("Any", assigned), weak=False)


def _add_agent(app: AnalyzerApp, pipeline: Pipeline, lane: Lane, name: str) -> None:
    topic = app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    intake = pipeline.intakes[lane]
    of_lane = TOPIC_OF_LANE[lane]

    async def follow(stream: Any) -> None:
        try:
            unacknowledged = stream.noack()
            async for _ in unacknowledged:  # its `events()` is this, with another generator around it
                event = unacknowledged.current_event
                app.note_taken(name, event.message)
                await intake.take(_record_of(event.message, of_lane), event.ack)
        except Exception as error:  # noqa: BLE001 - Faust would start the agent anew; a bug must end the process
            pipeline.tasks.fail(error)

    app.agent(topic, name=f"analyzer.{lane.value}")(follow)


def _record_of(message: Any, topic: Topic) -> RawRecord:
    return RawRecord(
        topic=topic.name,
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=round(message.timestamp * 1000),
        key=message.key,
        value=message.value,
        headers=message.headers,
    )
