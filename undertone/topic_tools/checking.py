"""A line of JSON as a record of a topic, or what the contract has against it. Pure.

A line is an event in the contract's form (`{"conversation_id": …, "turns": […]}`), or what `undertone tail --json`
prints: the event under `event`, with its `type` and its `envelope`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NoReturn

from schemas.codec import RawRecord, UndecodableRecord, decode, encode
from schemas.conversation_received import ConversationReceived
from schemas.envelope import Envelope, new_envelope
from schemas.event import Event, Revision
from schemas.topics import REPLAY, Topic
from undertone.errors import UsageProblem
from undertone.ingest.entries import describe_json_error
from undertone.topic_tools.naming import find_type, short_type

SOURCE = "/undertone/produce"
_FREE_FORM = ("metadata", "raw")
_WRAPPER = {"event", "type", "envelope", "key", "topic", "partition", "offset", "timestamp"}
_MOST_PROBLEMS = 5


class Refused(ValueError):  # noqa: N818 - it names what happened, as house style asks
    """The contract refuses a line; each problem names its field."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A record that may be written."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class _Line:
    """The parts of a line."""

    event: Mapping[str, Any]
    type: object
    envelope: Mapping[str, Any]
    key: object


def check(line: bytes, topic: Topic, event_type: type[Event] | None, now: datetime) -> Ready:
    """The record that the line makes. Raises Refused."""
    parts = _parts(_parsed(line))
    event_class = _event_class(parts.type, topic, event_type)
    key = _key(parts, event_class)
    envelope = _envelope(parts.envelope, topic, now)
    record = RawRecord(
        topic=topic.name,
        partition=0,
        offset=0,
        timestamp_ms=int(now.timestamp() * 1000),
        key=key.encode(),
        value=_as_bytes(parts.event),
        headers=[("ce_type", event_class.type.encode())],
    )
    try:
        event = decode(record, topic).event
    except UndecodableRecord as problem:
        raise Refused(problem.detail) from problem
    _refuse_unknown_members(parts.event, event)
    value, headers = encode(event, envelope)
    return Ready(record.key or b"", value, headers)


def _as_bytes(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        members = json.loads(line.decode(), parse_constant=_refuse_constant, object_pairs_hook=_without_repetition)
    except UnicodeDecodeError as error:
        raise Refused(f"it is not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise Refused(f"it {describe_json_error(error)}") from error
    except RecursionError as error:
        raise Refused("it is nested too deeply") from error
    except Refused:
        raise
    except ValueError as error:  # of numbers with thousands of digits
        raise Refused("it holds a number with too many digits") from error
    if not isinstance(members, dict):
        raise Refused("it is no JSON object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise Refused(f"it is no JSON: {name} is no number")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"{twice}: is there twice")
    return members


def _parts(members: Mapping[str, Any]) -> _Line:
    event = members.get("event")
    if not isinstance(event, dict):
        if "problem" in members or "dead_letter" in members:
            raise Refused("it is a record without an event; `undertone dlq redrive` sends dead letters again")
        return _Line(members, None, {}, None)
    for name in members:
        if name not in _WRAPPER:
            raise Refused(f"{name}: there is no such member beside `event`")
    envelope = members.get("envelope") or {}
    if not isinstance(envelope, dict):
        raise Refused("envelope: is no JSON object")
    return _Line(event, members.get("type"), envelope, members.get("key"))


def _event_class(stated: object, topic: Topic, asked: type[Event] | None) -> type[Event]:
    if stated is not None:
        try:
            found = find_type(str(stated), topic)
        except UsageProblem as error:
            raise Refused(f"type: {error}") from error
        if asked is not None and asked is not found:
            raise Refused(f"type: is {short_type(found.type)}, and --type says {short_type(asked.type)}")
        return found
    if asked is not None:
        return asked
    if len(topic.events) == 1:
        return topic.events[0]
    known = ", ".join(short_type(event.type) for event in topic.events)
    raise Refused(f"type: is missing, and {topic.name} carries several ({known}); give --type")


def _key(parts: _Line, event_class: type[Event]) -> str:
    """What the topic is keyed by: the conversation, or the kind of a word to the fleet."""
    if event_class is ConversationReceived:
        key = parts.event.get("conversation_id")
        if parts.key is not None and parts.key != key:
            raise Refused("key: is not the event's conversation_id")
        return key if isinstance(key, str) else ""  # decoding says that it is missing
    return short_type(event_class.type).partition(".")[0]


def _envelope(stated: Mapping[str, Any], topic: Topic, now: datetime) -> Envelope:
    texts = {name: str(value) for name, value in stated.items() if value is not None}
    revision = _revision(texts.get("revision"))
    if topic is REPLAY and revision is None:
        raise Refused(
            "envelope.revision: is required in the replay topic: without it a copy would count as a newer revision, "
            "and hide what was posted since"
        )
    return replace(
        new_envelope(SOURCE, now, correlation_id=texts.get("correlation_id")),
        # What is written to the topic of accepted conversations is a posting of its own.
        revision=revision if topic is REPLAY else None,
        replay_id=texts.get("replay_id") if topic is REPLAY else None,
        analysis_version=texts.get("analysis_version") if topic is REPLAY else None,
    )


def _revision(text: str | None) -> Revision | None:
    try:
        return None if text is None else Revision.parse(text)
    except ValueError as error:
        raise Refused(f"envelope.revision: {error}") from error


def _refuse_unknown_members(given: Mapping[str, Any], event: Event) -> None:
    """A reader ignores what it does not know; a writer's unknown member is a slip, and would be lost in silence."""
    problems = list(_unknown(given, event.model_dump(mode="json"), ""))
    if problems:
        more = f"; and {len(problems) - _MOST_PROBLEMS} more" if len(problems) > _MOST_PROBLEMS else ""
        raise Refused("; ".join(problems[:_MOST_PROBLEMS]) + more)


def _unknown(given: Any, known: Any, place: str) -> Iterator[str]:
    """What was given and did not survive being read: members without a place, words that an enumeration lacks."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, value in given.items():
            if name not in known:
                yield f"{place}{name[:60]}: the contract has no such member"
            elif place or name not in _FREE_FORM:
                yield from _unknown(value, known[name], f"{place}{name}.")
    elif isinstance(given, list) and isinstance(known, list):
        for number, (one, other) in enumerate(zip(given, known, strict=False)):
            yield from _unknown(one, other, f"{place}{number}.")
    elif known == "unknown" and isinstance(given, str) and given != known:
        yield f"{place[:-1]}: is {given[:40]!r}, which the contract does not know"
