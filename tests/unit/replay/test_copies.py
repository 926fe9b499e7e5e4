"""A copy is its original byte for byte, and says of which record and revision it is one."""

import json

import pytest

from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.envelope import Envelope
from schemas.event import Revision
from schemas.topics import REPLAY
from tests.builders import NOW, a_conversation, a_record, an_envelope
from undertone.replay.copies import copy_of, source_of


def test_a_copy_has_the_bytes_of_its_original_and_headers_of_the_replay() -> None:
    original = a_record(a_conversation("c1"), partition=3, offset=1204)
    copy = copy_of(original, "r-1", "grok-4.3-p2")
    assert (copy.key, copy.value) == (original.key, original.value)
    headers = dict(copy.headers)
    assert headers["undertone_replay_id"] == b"r-1"
    assert headers["undertone_analysis_version"] == b"grok-4.3-p2"
    assert headers["undertone_revision"] == f"{original.timestamp_ms}-1204".encode()
    assert headers["undertone_replay_source"] == b"3-1204"
    assert headers["ce_id"] == dict(original.headers)["ce_id"]
    assert source_of(copy.headers, "r-1") == (3, 1204)


def test_what_another_replay_or_an_import_wrote_is_none_of_ours() -> None:
    copy = copy_of(a_record(a_conversation()), "r-1", None)
    assert source_of(copy.headers, "r-2") is None
    assert source_of((("undertone_replay_id", b"r-1"),), "r-1") is None
    assert source_of((("undertone_replay_id", b"r-1"), ("undertone_replay_source", b"x-1")), "r-1") is None
    assert source_of((), "r-1") is None


def test_without_a_version_the_copy_asks_for_none() -> None:
    assert "undertone_analysis_version" not in dict(copy_of(a_record(a_conversation()), "r", None).headers)


def test_the_original_of_a_bulk_import_is_not_left_to_the_replay_lane_a_second_time() -> None:
    plain = an_envelope()
    left = Envelope(plain.id, plain.source, plain.time, plain.correlation_id, plain.traceparent, lane="replay")
    assert "undertone_lane" not in dict(copy_of(a_record(a_conversation(), envelope=left), "r", None).headers)


def test_a_copy_of_a_redriven_record_keeps_the_revision_that_the_record_states() -> None:
    plain = an_envelope()
    revision = Revision(1_000, 4)
    stated = Envelope(plain.id, plain.source, plain.time, plain.correlation_id, plain.traceparent, revision=revision)
    copy = copy_of(a_record(a_conversation(), offset=9, envelope=stated), "r", None)
    assert copy.revision == revision
    assert dict(copy.headers)["undertone_revision"] == b"1000-4"


def test_what_a_foreign_producer_left_out_is_filled_in_from_the_time_of_the_original() -> None:
    value = json.dumps({"conversation_id": "c1", "turns": [{"text": "Where is my parcel?"}]}).encode()
    received_ms = int(NOW.timestamp() * 1000)
    original = RawRecord("conversations.received.v1", 2, 7, received_ms, b"c1", value, ())
    copy = copy_of(original, "r", None)
    much_later = RawRecord(REPLAY.name, 2, 0, received_ms + 86_400_000, copy.key, copy.value, copy.headers)
    decoded = decode(much_later, REPLAY)
    assert isinstance(decoded.event, ConversationReceived)
    assert decoded.event.occurred_at == decoded.event.received_at == NOW
    assert decoded.envelope.traceparent
    assert decoded.envelope.id == original.place


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(UndecodableRecord):
        copy_of(RawRecord("conversations.received.v1", 0, 0, 0, b"c1", b"{", ()), "r", None)
