"""Every topic as data: what it carries, how it is kept, and who may write and read it."""

from dataclasses import dataclass
from datetime import timedelta

from schemas.analysis_control import ActiveVersionChanged, EnginesOffered, HoldDeclared, SpendReserved, SpendSettled
from schemas.analysis_failed import AnalysisFailed
from schemas.analysis_started import AnalysisStarted
from schemas.conversation_received import ConversationReceived
from schemas.conversation_skipped import ConversationSkipped
from schemas.event import Event
from schemas.insight_produced import InsightProduced

MIB = 1024 * 1024
MAX_RECORD_BYTES = 4 * MIB
"""The largest record of every topic but the dead letters'; also the producers' max_request_size."""
MAX_DEAD_LETTER_BYTES = 8 * MIB


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic. `key` names what records are keyed by; writers and readers are services or `operator`."""

    name: str
    description: str
    key: str
    events: tuple[type[Event], ...]
    partitions: int
    retention: timedelta
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    max_record_bytes: int = MAX_RECORD_BYTES

    def config(self) -> dict[str, str]:
        """The topic's configuration, as Kafka names it."""
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(int(self.retention.total_seconds() * 1000)),
            "max.message.bytes": str(self.max_record_bytes),
            # Record times are the broker's: a tweet of 2017 must not be deleted by retention on arrival.
            "message.timestamp.type": "LogAppendTime",
        }


RECEIVED = Topic(
    name="conversations.received.v1",
    description="Accepted conversations. The source of every analysis, and of replays.",
    key="conversation_id",
    events=(ConversationReceived,),
    partitions=12,
    retention=timedelta(days=30),
    writers=("ingress", "operator", "sink"),  # the sink: dead letters that are sent again
    readers=("analyzer", "sink", "operator"),
)
REPLAY = Topic(
    name="conversations.replay.v1",
    description="Conversations sent again by an operator, with the analysis version asked for in the headers.",
    key="conversation_id",
    events=(ConversationReceived,),
    partitions=12,
    retention=timedelta(days=7),
    writers=("operator", "sink"),  # as above
    readers=("analyzer", "operator"),
)
ANALYZED = Topic(
    name="conversations.analyzed.v1",
    description="Outcomes: an insight was produced, a conversation skipped, or an analysis failed.",
    key="conversation_id",
    events=(InsightProduced, ConversationSkipped, AnalysisFailed),
    partitions=12,
    retention=timedelta(days=30),
    writers=("analyzer", "sink"),  # as above
    readers=("sink", "operator"),
)
STARTED = Topic(
    name="analysis.started.v1",
    description="Batches sent to an engine; best effort.",
    key="batch_id",
    events=(AnalysisStarted,),
    partitions=3,
    retention=timedelta(days=1),
    writers=("analyzer",),
    readers=("sink", "operator"),
)
CONTROL = Topic(
    name="analysis.control.v1",
    description="The log that every analyzer reads whole: holds, granted money, the active analysis version; and which "
    "versions each has engines for.",
    key="kind",
    events=(HoldDeclared, SpendReserved, SpendSettled, ActiveVersionChanged, EnginesOffered),
    partitions=1,
    retention=timedelta(days=7),
    writers=("analyzer", "sink", "operator"),  # the sink: decisions on versions
    readers=("analyzer", "sink", "operator"),
)
DEAD_LETTER = Topic(
    name="conversations.dead-letter.v1",
    description="Records that could not be processed, byte for byte, with headers that say why.",
    key="the original key",
    events=(),
    partitions=3,
    retention=timedelta(days=90),
    writers=("analyzer", "sink"),
    readers=("sink", "operator"),
    max_record_bytes=MAX_DEAD_LETTER_BYTES,
)
TOPICS = (RECEIVED, REPLAY, ANALYZED, STARTED, CONTROL, DEAD_LETTER)

CONSUMER_GROUPS = {"analyzer": "undertone-analyzer", "sink": "undertone-sink"}
"""The consumer group of each service, before `KAFKA_GROUP_PREFIX` is put in front."""


def events_by_type() -> dict[str, type[Event]]:
    """Every event by the CloudEvents type under which it travels."""
    return {event.type: event for topic in TOPICS for event in topic.events}
