"""Three shapes become one, and everything that is accepted can be read from Kafka."""

import json
from typing import Any

from hypothesis import given

from schemas.codec import RawRecord, decode, encode_value
from schemas.conversation_received import ConversationReceived, Role, content_hash_of
from schemas.topics import RECEIVED
from services.ingress.normalise import normalise, to_event
from services.ingress.posted import Posted, PostedConversation
from services.ingress.reading import read_one
from services.ingress.refusals import Refusal
from tests.unit.ingress.posts import NOW, external_texts, good_posts, single_texts, whole_conversations


def read(posted: dict[str, Any], *, ascii_only: bool = False) -> Posted:
    reading = read_one(json.dumps(posted, ensure_ascii=ascii_only).encode(), NOW)
    assert not isinstance(reading, Refusal), reading
    return reading


def as_posted(normal: PostedConversation) -> dict[str, Any]:
    """A normalised conversation as a sender would post it again."""
    members: dict[str, Any] = normal.model_dump(mode="json", exclude_none=True)
    return members


@given(good_posts)
def test_normalising_twice_is_normalising_once(posted: dict[str, Any]) -> None:
    once = normalise(read(posted))
    assert normalise(once) is once
    assert as_posted(normalise(read(as_posted(once)))) == as_posted(once)


@given(good_posts)
def test_what_is_accepted_decodes_to_what_was_posted(posted: dict[str, Any]) -> None:
    normal = normalise(read(posted))
    conversation_id = normal.conversation_id or "conv_0"
    event = to_event(normal, conversation_id, NOW)
    record = RawRecord(
        RECEIVED.name, 0, 0, int(NOW.timestamp() * 1000), conversation_id.encode(), encode_value(event), []
    )
    decoded = decode(record, RECEIVED).event
    assert isinstance(decoded, ConversationReceived)
    assert encode_value(decoded) == encode_value(event)
    assert decoded.content_hash == content_hash_of(decoded.turns)
    said = posted.get("turns") or posted.get("messages") or [posted]
    assert [turn.text for turn in decoded.turns] == [turn.get("text", turn.get("content")) for turn in said]


@given(good_posts)
def test_escaped_and_plain_json_are_the_same_conversation(posted: dict[str, Any]) -> None:
    assert normalise(read(posted, ascii_only=True)) == normalise(read(posted))


@given(whole_conversations())
def test_roles_of_other_systems_are_read_as_ours(posted: dict[str, Any]) -> None:
    ours = {"user": Role.CUSTOMER, "assistant": Role.AGENT, "bot": Role.AGENT, "agent": Role.AGENT}
    said = posted.get("turns") or posted.get("messages") or []
    expected = [
        ours.get(turn.get("role"), Role.SYSTEM if turn.get("role") == "system" else Role.CUSTOMER) for turn in said
    ]
    assert [turn.role for turn in normalise(read(posted)).turns] == expected


@given(single_texts)
def test_one_text_becomes_one_turn_of_the_customer(posted: dict[str, Any]) -> None:
    normal = normalise(read(posted))
    (turn,) = normal.turns
    assert (turn.text, turn.author, turn.role) == (posted["text"], posted.get("author"), Role.CUSTOMER)
    assert (normal.conversation_id, normal.raw) == (None, posted.get("raw_data"))


@given(external_texts)
def test_the_senders_own_id_and_object_are_kept(posted: dict[str, Any]) -> None:
    normal = normalise(read(posted))
    assert (normal.conversation_id, normal.raw) == (posted["external_id"], posted.get("raw"))


def test_it_happened_at_the_latest_time_that_a_turn_states() -> None:
    turns = [
        {"text": "a", "at": "2026-01-01T10:00:00+02:00"},
        {"text": "b", "at": "2026-01-01T09:00:00Z"},
        {"text": "c"},
    ]
    event = to_event(normalise(read({"turns": turns})), "conv_0", NOW)
    assert event.occurred_at.isoformat() == "2026-01-01T09:00:00+00:00"
    assert to_event(normalise(read({"text": "d"})), "conv_0", NOW).occurred_at == NOW
