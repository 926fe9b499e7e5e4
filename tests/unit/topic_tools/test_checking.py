"""A line becomes a record that every reader takes, or is refused with its field."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.analysis_control import HoldDeclared
from schemas.codec import RawRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.event import Revision
from schemas.topics import CONTROL, RECEIVED, REPLAY, Topic
from tests.builders import a_conversation, a_record, an_envelope
from undertone.topic_tools.checking import Ready, Refused, check
from undertone.topic_tools.decoding import as_members, decoded

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINIMAL = {"conversation_id": "c1", "turns": [{"text": "hello"}]}


def _check(members: Any, topic: Topic = RECEIVED, event: Any = None) -> Ready:
    return check(json.dumps(members).encode(), topic, event, NOW)


def _read(ready: Ready, topic: Topic = RECEIVED) -> Any:
    moment = int(NOW.timestamp() * 1000)
    return decode(RawRecord(topic.name, 0, 0, moment, ready.key, ready.value, ready.headers), topic)


def test_what_a_foreign_producer_writes_becomes_a_whole_event_under_its_key() -> None:
    ready = _check(MINIMAL)
    found = _read(ready)
    assert ready.key == b"c1"
    assert found.event.received_at == NOW
    assert found.envelope.source == "/undertone/produce"
    assert dict(ready.headers)["ce_type"] == ConversationReceived.type.encode()


def test_what_tail_prints_is_taken_again() -> None:
    conversation = a_conversation("c1", "hello", "again")
    members = as_members(decoded(a_record(conversation), RECEIVED), with_words=True)
    assert _read(_check(members)).event == conversation


def test_a_copy_for_the_replay_lane_keeps_its_revision_and_its_version() -> None:
    envelope = replace(an_envelope(), revision=Revision(5, 6), replay_id="r1", analysis_version="v2")
    record = a_record(a_conversation("c1"), topic=REPLAY, envelope=envelope)
    ready = _check(as_members(decoded(record, REPLAY), with_words=True), REPLAY)
    found = _read(ready, REPLAY).envelope
    assert (found.revision, found.replay_id, found.analysis_version) == (Revision(5, 6), "r1", "v2")


def test_a_new_posting_takes_no_revision_of_another() -> None:
    members = {"event": MINIMAL, "envelope": {"revision": "5-6", "analysis_version": "v2"}}
    found = _read(_check(members)).envelope
    assert (found.revision, found.analysis_version) == (None, None)


def test_a_word_to_the_fleet_is_keyed_as_the_services_key_it() -> None:
    hold = {"hold_seconds": 60, "reason": "a test", "declared_by": "kim"}
    assert _check(hold, CONTROL, HoldDeclared).key == b"hold"
    assert _check({"event": hold, "type": "hold.declared"}, CONTROL).key == b"hold"


REFUSED = [
    (b"nonsense", "not JSON"),
    (b"\xff", "not UTF-8"),
    (b"[1]", "no JSON object"),
    (b'{"conversation_id": "c1", "conversation_id": "c2", "turns": []}', "conversation_id: is there twice"),
    (b'{"conversation_id": "c1", "turns": [{"text": NaN}]}', "NaN is no number"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"n": ' + b"1" * 5_000 + b"}", "too many digits"),
    (b'{"conversation_id": "c 1", "turns": [{"text": "x"}]}', "conversation_id: "),
    (b'{"conversation_id": "c1", "turns": []}', "turns: "),
    (b'{"turns": [{"text": "x"}]}', "conversation_id: Field required"),
    (b'{"conversation_id": 7, "turns": [{"text": "x"}]}', "conversation_id: "),
    (b'{"conversation_id": "c1", "turns": [{"text": "x", "rol": "agent"}]}', "turns.0.rol: "),
    (b'{"conversation_id": "c1", "turns": [{"text": "x", "role": "boss"}]}', "turns.0.role: is 'boss'"),
    (b'{"conversation_id": "c1", "turns": [{"text": "x"}], "chanel": "chat"}', "chanel: "),
    (b'{"conversation_id": "c1", "turns": [{"text": "x", "at": "2999-01-01T00:00:00Z"}]}', "occurred_at: "),
    (b'{"event": {}, "extra": 1}', "extra: "),
    (b'{"event": {}, "envelope": 1}', "envelope: "),
    (b'{"event": {"conversation_id": "c1"}, "key": "c2"}', "key: "),
    (b'{"event": {"conversation_id": "c1"}, "type": "insight"}', "type: "),
    (b'{"problem": {}, "value_base64": ""}', "dlq redrive"),
]


@pytest.mark.parametrize(("line", "problem"), REFUSED)
def test_what_the_contract_refuses_is_refused_with_its_field(line: bytes, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        check(line, RECEIVED, None, NOW)
    assert problem in str(refused.value)


def test_only_what_is_wrong_is_named() -> None:
    with pytest.raises(Refused) as refused:
        _check({"conversation_id": "c1", "turns": []})
    assert "received_at" not in str(refused.value)


def test_a_copy_without_its_revision_and_an_event_without_its_type_are_refused() -> None:
    with pytest.raises(Refused, match=r"envelope\.revision: is required"):
        _check(MINIMAL, REPLAY)
    with pytest.raises(Refused, match=r"envelope\.revision: "):
        _check({"event": MINIMAL, "envelope": {"revision": "x"}}, REPLAY)
    with pytest.raises(Refused, match="give --type"):
        _check({"hold_seconds": 1}, CONTROL)


def test_what_a_sender_keeps_for_itself_may_have_any_members() -> None:
    members = {**MINIMAL, "metadata": {"turns": {"x": 1}}, "raw": {"any": [{"thing": 1}]}}
    assert _read(_check(members)).event.raw == {"any": [{"thing": 1}]}


@given(st.binary(max_size=200))
def test_no_line_makes_anything_but_a_refusal(line: bytes) -> None:
    with pytest.raises(Refused):
        check(line, RECEIVED, None, NOW)
