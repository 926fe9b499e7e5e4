"""From what a person asks for to the records that a replay sends: looked for once, before anything is sent."""

import secrets
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from schemas.topics import RECEIVED, REPLAY
from services.runtime.counting import counted
from services.runtime.kafka import KafkaConnection
from undertone.errors import CommandError, UsageProblem
from undertone.replay.api import ReplayApi
from undertone.replay.choosing import Newest, Wanted
from undertone.replay.logs import Span, cluster_id, log_ends, open_span_reader, spans
from undertone.replay.plans import Replay, State

Looked = Callable[[int, int, int], None]
"""Hears how many records were looked at, of how many, and how many are chosen of the partitions that are done."""
_NAMES = 20
"""So many conversations are named one by one."""


class NothingFound(CommandError):  # noqa: N818 - it names what was met, as house style asks
    """Of what is asked for, Kafka holds nothing that could be sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to replay. Times are Kafka's times of receipt."""

    since: datetime | None
    """None: from the oldest that Kafka keeps."""
    until: datetime
    is_open: bool = False
    """Up to what Kafka has, whatever our clock says; `until` is now."""
    conversation_ids: frozenset[str] | None = None
    channel: str | None = None
    subject: str | None = None
    sentiment: str | None = None
    status: str | None = None
    text: str = ""
    """The same as a person wrote it."""

    def __post_init__(self) -> None:
        """Raises UsageProblem for a window that holds nothing."""
        if self.since is not None and self.since >= self.until:
            raise UsageProblem(
                f"--since ({self.since:%Y-%m-%d %H:%M:%S} UTC) is not before --until ({self.until:%Y-%m-%d %H:%M:%S} "
                f"UTC); a window goes from the older to the newer."
            )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The records to be sent, and what was looked at."""

    selection: dict[int, "array[int]"]
    looked_at: int
    """Records in the time that was asked for."""
    not_found: frozenset[str] = frozenset()
    """Of the conversations that were named, those that nothing is sent of."""

    @property
    def count(self) -> int:
        return sum(map(len, self.selection.values()))


def wanted_ids(asked: Asked, api: ReplayApi) -> frozenset[str] | None:
    """The conversations that fit what the read API knows of them; None when nothing was asked of it."""
    kinds = [asked.conversation_ids] if asked.conversation_ids is not None else []
    if asked.sentiment or asked.subject:
        kinds.append(frozenset(api.conversations_with_insights({"sentiment": asked.sentiment, "topic": asked.subject})))
    if asked.status:
        kinds.append(frozenset(api.conversations_with_status(asked.status)))
    return frozenset.intersection(*kinds) if kinds else None


async def choose(connection: KafkaConnection, asked: Asked, ids: frozenset[str] | None, looked: Looked) -> Chosen:
    """Read the received topic, one partition after the other, from the beginning of the window to the log's end.

    To the end, because a newer revision behind the window makes those within it obsolete.
    Raises CommandError and KafkaError.
    """
    wanted = Wanted(ids, asked.channel)
    found = await spans(connection, asked.since, None if asked.is_open else asked.until)
    total = sum(span.end - span.first for span in found.values() if span.first < span.until)
    selection: dict[int, array[int]] = {}
    not_found = set(asked.conversation_ids or ())
    read = chosen = 0
    ranges = {number: range(span.first, span.end) for number, span in found.items() if span.first < span.until}
    async with open_span_reader(connection, RECEIVED, ranges) as reader:
        for number in ranges:
            newest = Newest(wanted, found[number].first, found[number].until)
            async for records in reader.read(number):
                for record in records:
                    newest.add(record)
                read += len(records)
                looked(read, total, chosen)
            if not_found:
                not_found.difference_update(key.decode() for key in newest.chosen_keys())
            offsets = newest.offsets()
            if offsets:
                selection[number] = offsets
                chosen += len(offsets)
    return Chosen(selection, sum(_length(span) for span in found.values()), frozenset(not_found))


def nothing_found(asked: Asked, chosen: Chosen) -> NothingFound:
    """Why there is nothing to replay, in one sentence."""
    since = "the oldest that Kafka keeps" if asked.since is None else f"{asked.since:%Y-%m-%d %H:%M} UTC"
    window = f"from {since} to {asked.until:%Y-%m-%d %H:%M} UTC"
    if not chosen.looked_at:
        return NothingFound(f"Nothing to replay: Kafka received no conversation {window}.")
    return NothingFound(
        f"Nothing to replay: of the {counted(chosen.looked_at, 'record')} that Kafka received {window}, none is the "
        f"newest revision of a conversation that fits {asked.text or 'the selection'}."
    )


def not_found_line(asked: Asked, chosen: Chosen) -> str:
    """Which of the conversations that were named are left out, in one line."""
    names, named = sorted(chosen.not_found), len(asked.conversation_ids or ())
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return (
        f"Not found, {len(names):,} of {named:,}: {', '.join(names[:_NAMES])}{more}. Kafka has nothing of them that "
        f"fits the selection."
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """How what was chosen is to be sent."""

    name: str
    version: str | None
    rate: float
    begun_at: datetime


async def make_plan(connection: KafkaConnection, asked: Asked, chosen: Chosen, terms: Terms) -> Replay:
    """The replay of what was chosen, with the place in the replay topic behind which it will write."""
    ends = await log_ends(connection, REPLAY)
    return Replay(
        name=terms.name,
        replay_id=f"{terms.name}-{secrets.token_hex(4)}",
        created_at=terms.begun_at.isoformat(timespec="seconds"),
        kafka=address_of(connection),
        asked=asked.text,
        analysis_version=terms.version,
        counts={str(partition): len(offsets) for partition, offsets in chosen.selection.items()},
        positions={str(partition): end for partition, end in ends.items()},
        rate=terms.rate,
        state=State.PAUSED,  # until a process sends it
        cluster=await cluster_id(connection),
    )


def address_of(connection: KafkaConnection) -> str:
    """Which Kafka, and under which names."""
    return f"{connection.bootstrap_servers}/{connection.topic_prefix}"


def _length(span: Span) -> int:
    return max(0, span.until - span.first)
