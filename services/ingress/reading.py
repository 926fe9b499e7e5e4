"""Bytes to posted conversations.

The quick ways read a good text in one pass: one for posts that say nothing special, then one for all members.
Whatever they do not surely accept goes the slow way, which finds every problem and names its field. All ways accept
the same texts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, cast

from pydantic import FailFast, JsonValue, TypeAdapter, ValidationError

from schemas.conversation_received import refuse_implausible_time
from services.ingress.blank import says_something
from services.ingress.body_structure import refuse_too_many_parts
from services.ingress.plain import Plain, read_plain, read_plain_array
from services.ingress.posted import Posted, PostedConversation, PostedSingleText, likely_shape, shape_of
from services.ingress.refusals import Refusal, refusal_of, refused_body
from services.ingress.strict_json import (
    NotStrictJson,
    count_members,
    duplicates_in,
    has_no_duplicates,
    read_strictly,
)
from services.runtime.problems import FieldProblem

MAX_CONVERSATIONS = 500
_MAX_MEMBERS = 4_096
"""Members of a conversation and its turns; 500 turns of 4 members and some more. Beyond it nothing is explained."""
_MAX_PROBLEMS = 1_000
"""Problems that are explained of one array: naming them costs ten times what finding them does."""
_NOT_EXPLAINED = "It is not valid, like much of this request; send it alone to hear why"
_SAYS_NOTHING = "says nothing: a conversation needs a letter, a digit or a sign that can be seen in one of its turns"

_many: TypeAdapter[list[PostedConversation]] = TypeAdapter(Annotated[list[PostedConversation], FailFast()])

Reading = Posted | Plain | Refusal


def read_post(text: bytes, now: datetime, what: str = "body") -> Reading:
    """As `read_one`, the quickest way first."""
    return read_plain(text) or read_one(text, now, what)


def read_one(text: bytes, now: datetime, what: str = "body") -> Posted | Refusal:
    """Read one conversation in any of the three shapes; `now` judges the times that its turns state."""
    posted = _read_quickly(text, now)
    if posted is not None:
        return posted
    try:
        value = read_strictly(text)
    except NotStrictJson as error:
        return Refusal.of_whole(f"The {what} {error}")
    return _check(value, now)


def _read_quickly(text: bytes, now: datetime) -> Posted | None:
    try:
        posted = likely_shape(text).model_validate_json(text)
    except ValidationError:
        return None
    is_good = has_no_duplicates(text, _members_of(posted)) and not _is_blank(posted) and not _time_problem(posted, now)
    return posted if is_good else None


def _members_of(posted: Posted) -> int:
    """The members of the object that was posted, at all depths."""
    count = len(posted.__pydantic_fields_set__)
    if isinstance(posted, PostedConversation):
        for turn in posted.turns:
            count += len(turn.__pydantic_fields_set__)
        if posted.metadata:
            count += count_members(cast("JsonValue", posted.metadata))
    raw = posted.raw_data if isinstance(posted, PostedSingleText) else posted.raw
    return count + count_members(cast("JsonValue", raw)) if raw else count


def _is_blank(posted: Posted) -> bool:
    """Whether no turn says anything."""
    if isinstance(posted, PostedConversation):
        return not any(says_something(turn.text) for turn in posted.turns)
    return not says_something(posted.text)


def _time_problem(posted: Posted, now: datetime) -> tuple[int, str] | None:
    """The turn with the latest time and what is wrong with it, if anything."""
    if isinstance(posted, PostedConversation):
        stated = [(turn.at, place) for place, turn in enumerate(posted.turns) if turn.at is not None]
    else:
        time = posted.timestamp if isinstance(posted, PostedSingleText) else None
        stated = [] if time is None else [(time, 0)]
    if not stated:
        return None
    latest, place = max(stated)
    try:
        refuse_implausible_time(latest, now)
    except ValueError as error:
        return place, str(error)
    return None


def _check(value: Any, now: datetime, *, is_explained: bool = True) -> Posted | Refusal:
    if not isinstance(value, dict):
        return Refusal.of_whole("A conversation is a JSON object")
    if duplicates := duplicates_in(value):
        return Refusal(tuple(FieldProblem(place, "is given twice") for place in duplicates))
    shape = shape_of(value)
    if _members_to_explain(value) > _MAX_MEMBERS:
        return Refusal.of_whole(f"A conversation and its turns have at most {_MAX_MEMBERS} members")
    try:
        posted = shape.model_validate(value)
    except ValidationError as error:
        return refusal_of(error, value, shape) if is_explained else Refusal.of_whole(_NOT_EXPLAINED)
    problems = []
    if _is_blank(posted):
        problems.append(FieldProblem(_text_field(value), _SAYS_NOTHING))
    if (found := _time_problem(posted, now)) is not None:
        problems.append(FieldProblem(_time_field(value, found[0]), found[1]))
    return Refusal(tuple(problems)) if problems else posted


def _text_field(value: dict[str, Any]) -> str:
    """The field of the first text, as the sender wrote it."""
    turns = _turns_field(value)
    if turns is None:
        return "text"
    return f"{turns}.0.{'text' if 'text' in value[turns][0] else 'content'}"


def _time_field(value: dict[str, Any], turn: int) -> str:
    """The field of a turn's time, as the sender wrote it."""
    turns = _turns_field(value)
    if turns is None:
        return "timestamp"
    return f"{turns}.{turn}.{'at' if 'at' in value[turns][turn] else 'timestamp'}"


def _turns_field(value: dict[str, Any]) -> str | None:
    return next((name for name in ("turns", "messages") if name in value), None)


def _members_to_explain(value: dict[str, Any]) -> int:
    turns = [turn for name in ("turns", "messages") if isinstance(value.get(name), list) for turn in value[name]]
    return len(value) + sum(len(turn) if isinstance(turn, dict) else 1 for turn in turns)


def read_array(text: bytes, now: datetime) -> Sequence[Reading]:
    """Read a JSON array of conversations. Raises a 400 Problem when the whole is at fault."""
    plain = read_plain_array(text, MAX_CONVERSATIONS)
    if plain is not None:
        return plain
    refuse_too_many_parts(text)
    posted = _read_array_quickly(text, now)
    if posted is not None:
        return posted
    try:
        values = read_strictly(text)
    except NotStrictJson as error:
        raise refused_body(f"The body {error}") from error
    if not isinstance(values, list):
        raise refused_body("Send a JSON array of conversations, or one a line as NDJSON")
    _refuse_too_many(len(values))
    return _check_each(values, now)


def _check_each(values: Sequence[Any], now: datetime) -> Sequence[Posted | Refusal]:
    readings: list[Posted | Refusal] = []
    problems = 0
    for value in values:
        reading = _check(value, now, is_explained=problems < _MAX_PROBLEMS)
        problems += len(reading.problems) if isinstance(reading, Refusal) else 0
        readings.append(reading)
    return readings


def _read_array_quickly(text: bytes, now: datetime) -> Sequence[Posted] | None:
    try:
        posted = _many.validate_json(text)
    except ValidationError:
        return None
    if len(posted) > MAX_CONVERSATIONS:
        return None
    if not has_no_duplicates(text, sum(map(_members_of, posted))):
        return None
    return None if any(_is_blank(one) or _time_problem(one, now) for one in posted) else posted


def read_lines(text: bytes, now: datetime) -> Sequence[Reading]:
    """Read NDJSON: one conversation a line; empty lines do not count. Raises a 400 Problem for too many."""
    refuse_too_many_parts(text)
    lines = [line for line in text.split(b"\n") if line and not line.isspace()]
    _refuse_too_many(len(lines))
    return [read_post(line, now, "line") for line in lines]


def _refuse_too_many(count: int) -> None:
    if count > MAX_CONVERSATIONS:
        sentence = f"At most {MAX_CONVERSATIONS} conversations in one request; these are {count}"
        raise refused_body(sentence, "too_many_conversations")
