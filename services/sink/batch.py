"""A batch: what some records in a row mean, and how far it moves their partitions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from schemas.analysis_started import AnalysisStarted
from schemas.event import Lane
from schemas.insight_produced import InsightProduced
from services.sink.rows import ConversationRow, DeadLetterRow, OutcomeRow


class Place(NamedTuple):
    """A partition of a topic, named as in this Kafka (with its prefix)."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to store a partition: under this epoch, from this offset on."""

    epoch: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim found: where to go on, and the Kafka cluster that the offset belongs to."""

    claim: Claim
    cluster_id: str


@dataclass(slots=True)
class Batch:
    """Rows, and the next offset of each partition once they are stored."""

    next_offsets: dict[Place, int] = field(default_factory=dict)
    conversations: list[ConversationRow] = field(default_factory=list)
    insights: list[InsightProduced] = field(default_factory=list)
    places: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    """Partition and offset of each insight's first record in this batch."""
    outcomes: list[OutcomeRow] = field(default_factory=list)
    started: list[AnalysisStarted] = field(default_factory=list)
    dead_letters: list[DeadLetterRow] = field(default_factory=list)

    def versions(self) -> Iterator[tuple[str, bool]]:
        """Every analysis version in it, and whether live traffic was analysed under it, in order of arrival."""
        for row in self.outcomes:
            yield row.version, row.is_live
        for event in self.started:
            yield event.analysis_version, event.lane is Lane.LIVE


Claims = Mapping[Place, Claim]
