"""From what stands in a file to what is sent: every conversation gets an id, and dates where they are asked for.

An entry that needs nothing is passed on byte for byte.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from undertone.ingest.entries import Entry, Members, Unreadable

_BETWEEN_TURNS = timedelta(seconds=45)
"""How far apart the turns of an undated conversation are put."""
_TURNS = ("turns", "messages")
_TIMES = ("at", "timestamp")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A conversation ready to be sent: `body` is JSON as `POST /api/v1/conversations` accepts it."""

    number: int
    conversation_id: str | None
    """None when the entry states an id that is no text; the service will say so."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Dating:
    """How dates are changed: `shift` is added to each; what is undated is dated over the time `spread` before now."""

    now: datetime
    shift: timedelta = timedelta(0)
    spread: timedelta = timedelta(0)


def prepare(entry: Entry, dating: Dating) -> Outgoing | Unreadable:
    """Give the conversation an id and dates; Unreadable when it cannot be written as JSON again."""
    members = entry.members
    stated = members.get("conversation_id", members.get("external_id"))
    identifier = stated if isinstance(stated, str) else None
    if stated is None and (_is_single_text(members) or _has_turns(members)):
        identifier = derived_id(members)
        members = {**_in_first_shape(members), "conversation_id": identifier}
    if dating.shift or dating.spread:
        members = _dated(members, dating, identifier or "")
    if members is entry.members and entry.text is not None:
        return Outgoing(entry.number, identifier, entry.text)
    try:
        return Outgoing(entry.number, identifier, to_json(members))
    except ValueError as error:
        return Unreadable(entry.number, f"cannot be written as JSON: {error}")


def to_json(members: Members) -> bytes:
    """Compact UTF-8; a lone surrogate stays an escape, so that the service can name its field. Raises ValueError."""
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(members, separators=(",", ":")).encode()


def derived_id(members: Members) -> str:
    """An id that the content alone decides, whatever the order of its members."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return f"content-{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"


_OF_SINGLE_TEXTS = frozenset({"text", "author", "timestamp", "raw_data", "external_id", "raw"})


def _has_turns(members: Members) -> bool:
    return any(name in members for name in _TURNS)


def _is_single_text(members: Members) -> bool:
    """Whether this is one of the two shapes with one text; one with foreign members is left as it stands."""
    return "text" in members and members.keys() <= _OF_SINGLE_TEXTS


def _in_first_shape(members: Members) -> Members:
    """A single text as a conversation of one turn: the shape that has room for an id and for dates."""
    if not _is_single_text(members):
        return members
    turn = {"text": members["text"], "author": members.get("author"), "at": members.get("timestamp")}
    whole = {
        "conversation_id": members.get("external_id"),
        "turns": [{name: value for name, value in turn.items() if value is not None}],
        "raw": members.get("raw_data", members.get("raw")),
    }
    return {name: value for name, value in whole.items() if value is not None}


def newest_date(members: Members) -> datetime | None:
    """The latest date that a conversation states; what is no date is passed over."""
    return max((moment for value in _stated_times(members) if (moment := _read(value)) is not None), default=None)


def newest_until(latest: datetime, conversations: Iterable[Members]) -> datetime | None:
    """The newest date up to `latest`; the newest of all when every date is later."""
    dates = (date for members in conversations if (date := newest_date(members)) is not None)
    return max(dates, key=lambda date: (date <= latest, date), default=None)


def _dated(members: Members, dating: Dating, identifier: str) -> Members:
    """The members with their dates changed; the same object when nothing was to change."""
    has_dates = any(value is not None for value in _stated_times(members))
    if has_dates:
        return _shifted(members, dating.shift) if dating.shift else members
    return _spread(_in_first_shape(members), dating, identifier) if dating.spread else members


def _stated_times(members: Members) -> list[Any]:
    times = [members[name] for name in _TIMES if name in members]
    for turn in _turns_of(members):
        times += [turn[name] for name in _TIMES if name in turn]
    return times


def _turns_of(members: Members) -> list[Members]:
    for name in _TURNS:
        turns = members.get(name)
        if isinstance(turns, list):
            return [turn for turn in turns if isinstance(turn, dict)]
    return []


def _shifted(members: Members, shift: timedelta) -> Members:
    def move(holder: Members) -> Members:
        changed = {name: _shift_time(holder[name], shift) for name in _TIMES if name in holder}
        return {**holder, **changed}

    return _with_each_turn(move(members), lambda turn, _: move(turn))


def _shift_time(value: Any, shift: timedelta) -> Any:
    moment = _read(value)
    if moment is None:
        return value
    try:
        return (moment + shift).isoformat()
    except OverflowError:  # the year 1 or 9999: the service refuses it by its field
        return value


def _spread(members: Members, dating: Dating, identifier: str) -> Members:
    """Date the turns; the id decides where, so that a second ingest spreads alike."""
    count = len(_turns_of(members)) or 1
    fraction = int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8]) / 2**64
    room = max(timedelta(0), dating.spread - count * _BETWEEN_TURNS)
    last = dating.now - room * fraction

    def date(turn: Members, index: int) -> Members:
        at = last - (count - 1 - index) * _BETWEEN_TURNS
        return {
            **{name: value for name, value in turn.items() if name not in _TIMES},
            "at": at.isoformat(timespec="seconds"),
        }

    return _with_each_turn(members, date)


def _with_each_turn(members: Members, change: Any) -> Members:
    for name in _TURNS:
        turns = members.get(name)
        if isinstance(turns, list):
            changed = [change(turn, i) if isinstance(turn, dict) else turn for i, turn in enumerate(turns)]
            return {**members, name: changed}
    return members


def _read(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
