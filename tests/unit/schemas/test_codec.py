"""Records to events and back, and what the contract refuses."""

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived, Role, Turn, content_hash_of
from schemas.dead_letter import DeadLetterReason
from schemas.event import Revision
from schemas.insight_produced import InsightProduced, Sentiment
from schemas.topics import ANALYZED, RECEIVED
from tests.builders import NOW, a_conversation, a_record, a_turn

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=40)


def foreign(members: dict[str, Any] | bytes, key: bytes | None = b"conv_1") -> RawRecord:
    value = members if isinstance(members, bytes) else json.dumps(members).encode()
    return RawRecord(RECEIVED.name, 3, 17, int(NOW.timestamp() * 1000), key, value, ())


def refusal(record: RawRecord) -> UndecodableRecord:
    with pytest.raises(UndecodableRecord) as caught:
        decode(record, RECEIVED)
    return caught.value


@given(st.lists(st.builds(Turn, text=TEXTS, role=st.sampled_from(list(Role)[:3])), min_size=1, max_size=5))
def test_what_is_encoded_decodes_to_the_same_event_and_envelope(turns: list[Turn]) -> None:
    conversation = a_conversation(turns=turns)
    record = a_record(conversation)
    decoded = decode(record, RECEIVED)
    assert decoded.event == conversation
    assert dict(record.headers)["ce_id"].decode() == decoded.envelope.id


def test_json_is_utf8_and_never_escaped() -> None:
    assert "déjà 🚀".encode() in (a_record(a_conversation("conv_1", "déjà 🚀")).value or b"")


def test_a_foreign_producer_needs_only_an_id_and_turns() -> None:
    decoded = decode(foreign({"conversation_id": "conv_1", "turns": [{"text": "Where is my parcel?"}]}), RECEIVED)
    conversation = decoded.event
    assert isinstance(conversation, ConversationReceived)
    assert conversation.received_at == NOW
    assert conversation.occurred_at == NOW
    assert conversation.content_hash == content_hash_of([a_turn("Where is my parcel?")])
    assert decoded.envelope.id == "conversations.received.v1-3-17"


def test_the_latest_time_of_a_turn_is_when_it_occurred() -> None:
    turns = [{"text": "a", "at": "2026-03-01T10:00:00+02:00"}, {"text": "b", "at": "2026-03-01T07:30:00Z"}]
    event = decode(foreign({"conversation_id": "conv_1", "turns": turns}), RECEIVED).event
    assert isinstance(event, ConversationReceived)
    assert event.occurred_at == datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def test_a_content_hash_that_is_wrong_is_computed_anew() -> None:
    conversation = a_conversation()
    lying = conversation.model_copy(update={"content_hash": "0" * 64})
    event = decode(a_record(lying), RECEIVED).event
    assert isinstance(event, ConversationReceived)
    assert event.content_hash == conversation.content_hash


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (b"", "no value"),
        (b"not json", "Invalid JSON"),
        (b"\xff\xfe{}", "Invalid JSON"),
        (b"[1]", "record"),
        (b"{}", "conversation_id"),
        (b'{"conversation_id": "conv_1", "turns": []}', "turns"),
        (b'{"conversation_id": "conv 1", "turns": [{"text": "x"}]}', "conversation_id"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": ""}]}', "turns.0.text"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "a\\u0000b"}]}', "turns.0.text"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "a\\ud800b"}]}', "Invalid JSON"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x", "at": "2026-01-01T00:00:00"}]}', "turns.0.at"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x", "at": "0001-01-01T00:00:00+14:00"}]}', "turns.0.at"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x", "at": "9999-12-31T23:59:59-14:00"}]}', "turns.0.at"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x", "at": "2099-01-01T00:00:00Z"}]}', "occurred_at"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x", "at": "1999-12-31T00:00:00Z"}]}', "occurred_at"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x"}], "metadata": {"a": NaN}}', "metadata"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x"}], "metadata": {"a\\u0000": 1}}', "metadata"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x"}], "raw": ' + b'{"a":' * 50 + b"1" + b"}" * 51, "raw"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "x"}], "raw": ' + b"[" * 9000 + b"]" * 9000 + b"}", ""),
        (b'{"conversation_id": "conv_1", "turns": ' + json.dumps([{"text": "x"}] * 501).encode() + b"}", "turns"),
        (b'{"conversation_id": "conv_1", "turns": [{"text": "' + b"x" * 20_001 + b'"}]}', "turns.0.text"),
        (
            b'{"conversation_id": "conv_1", "turns": [{"text": "x"}], "metadata": {"a": "' + b"x" * 17_000 + b'"}}',
            "metadata",
        ),
    ],
)
def test_what_the_contract_refuses_is_undecodable_and_its_place_is_named(value: bytes, place: str) -> None:
    refused = refusal(foreign(value))
    assert refused.reason is DeadLetterReason.UNDECODABLE
    assert place in refused.detail


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({"conversation_id": "conv_1"}, "turns: Field required"),
        ({"turns": [{"text": "x"}]}, "conversation_id: Field required"),
        ({"conversation_id": "conv_1", "turns": [{"texx": "x"}]}, "turns.0.text: Field required"),
        (
            {"conversation_id": "conv_1", "turns": []},
            "turns: Tuple should have at least 1 item after validation, not 0",
        ),
        (
            {"conversation_id": "conv_1", "received_at": "x", "turns": [{"text": "x"}]},
            "received_at: Input should be a valid datetime or date, input is too short",
        ),
    ],
)
def test_a_refusal_names_what_its_sender_must_mend_and_nothing_else(members: dict[str, object], detail: str) -> None:
    assert refusal(foreign(members)).detail == detail


def test_the_detail_of_a_refusal_never_quotes_the_conversation() -> None:
    secret = "my card is 4111 1111 1111 1111"
    members = {
        "conversation_id": secret,
        "turns": [{"text": secret, "at": secret}],
        "raw": {secret: [secret]},
        secret: 1,
    }
    assert "4111" not in refusal(foreign(members)).detail


@pytest.mark.parametrize("key", [None, b"conv_2", b""])
def test_a_key_that_is_not_the_conversation_id_is_a_mismatch(key: bytes | None) -> None:
    assert refusal(foreign({"conversation_id": "conv_1", "turns": [{"text": "x"}]}, key)).reason is (
        DeadLetterReason.KEY_MISMATCH
    )


def test_a_malformed_revision_is_refused_and_never_guessed() -> None:
    record = replace(
        foreign({"conversation_id": "conv_1", "turns": [{"text": "x"}]}), headers=[("undertone_revision", b"yesterday")]
    )
    assert "undertone_revision" in refusal(record).detail


@pytest.mark.parametrize("revision", [b"99999999999999999999999999-1", b"1-99999999999999999999", b"4102444800000-1"])
def test_a_revision_that_cannot_be_the_originals_is_refused(revision: bytes) -> None:
    record = a_record(a_conversation())
    copy = replace(record, headers=[*record.headers, ("undertone_revision", revision)])
    assert "undertone_revision" in refusal(copy).detail


def test_a_copy_carries_the_revision_of_the_original() -> None:
    record = a_record(a_conversation())
    copy = replace(record, headers=[*record.headers, ("undertone_revision", b"1772443013204-41187")])
    assert decode(copy, RECEIVED).envelope.revision == Revision(1772443013204, 41187)


def test_headers_that_are_not_text_are_left_out() -> None:
    record = replace(a_record(a_conversation()), headers=[("ce_source", b"\xff"), ("traceparent", None)])  # type: ignore[list-item]
    assert decode(record, RECEIVED).envelope.source == "unknown"


def test_an_event_of_another_topic_is_of_an_unknown_type() -> None:
    with pytest.raises(UndecodableRecord) as caught:
        decode(a_record(a_conversation(), topic=ANALYZED), ANALYZED)
    assert caught.value.reason is DeadLetterReason.UNKNOWN_TYPE


def test_an_old_reader_ignores_new_members_and_reads_new_values_as_unknown(example_insight: dict[str, Any]) -> None:
    newer = {**example_insight, "path": "quantum", "mood": "blue", "lane": "express"}
    insight = InsightProduced.model_validate_json(json.dumps(newer))
    assert insight.path.value == "unknown"
    assert insight.lane.value == "unknown"


def test_sentiment_is_derived_and_never_believed(example_insight: dict[str, Any]) -> None:
    lying = {**example_insight, "sentiment": "positive", "sentiment_score": -0.9}
    assert InsightProduced.model_validate_json(json.dumps(lying)).sentiment is Sentiment.NEGATIVE


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_revision_survives_being_written_down(timestamp_ms: int, offset: int) -> None:
    revision = Revision(timestamp_ms, offset)
    assert Revision.parse(str(revision)) == revision


@given(st.text(max_size=20))
def test_reading_a_revision_gives_a_revision_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert str(Revision.parse(text)).count("-") == 1


def test_a_clock_five_minutes_ahead_is_tolerated() -> None:
    at = (NOW + timedelta(minutes=4)).isoformat()
    decode(foreign({"conversation_id": "conv_1", "turns": [{"text": "x", "at": at}]}), RECEIVED)


def test_equal_text_in_another_unicode_form_has_the_same_hash() -> None:
    assert content_hash_of([a_turn("cafe\u0301 ")]) == content_hash_of([a_turn("caf\u00e9")])


def test_who_said_what_is_part_of_the_hash() -> None:
    assert content_hash_of([a_turn("a"), a_turn("b")]) != content_hash_of([a_turn("ab")])
    assert content_hash_of([a_turn("a")]) != content_hash_of([a_turn("a", Role.AGENT)])
