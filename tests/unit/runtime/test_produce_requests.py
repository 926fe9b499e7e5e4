"""Requests and answers are what aiokafka's own classes would write and read, byte for byte."""

import struct

import pytest
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3, ProduceRequest_v7, ProduceResponse_v7
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.produce_requests import QuickProduceRequest, QuickProduceResponse

PRODUCE = 0
HEADER, SIZE = b"header", b"size"
int32, int64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
batches = st.binary(max_size=200).map(bytearray)
topics = st.lists(st.tuples(names, st.lists(st.tuples(int32, batches), max_size=4)), max_size=3)
results = st.tuples(int32, st.integers(-(2**15), 2**15 - 1), int64, int64, int64)
answers = st.lists(st.tuples(names, st.lists(results, max_size=4)), max_size=3)


@given(st.none() | names, st.integers(-1, 1), int32, topics)
def test_a_request_has_the_bytes_that_aiokafka_would_write(
    transaction: str | None, acks: int, timeout: int, said: list[tuple[str, list[tuple[int, bytearray]]]]
) -> None:
    ours = QuickProduceRequest(transaction, acks, timeout, said).prepare({PRODUCE: (0, 12)})
    theirs = ProduceRequest(transaction, acks, timeout, said).prepare({PRODUCE: (0, 12)})
    message, expected = HEADER + ours.encode(), HEADER + theirs.encode()
    assert len(message) == len(expected)
    assert SIZE + message == SIZE + expected  # as aiokafka's connection puts it together
    assert (ours.API_KEY, ours.API_VERSION) == (theirs.API_KEY, theirs.API_VERSION) == (PRODUCE, 7)


@given(answers, int32)
def test_an_answer_says_what_aiokafka_would_read(
    said: list[tuple[str, list[tuple[int, int, int, int, int]]]], throttle_ms: int
) -> None:
    written = ProduceResponse_v7(said, throttle_ms).encode()
    ours, theirs = QuickProduceResponse.decode(written), ProduceResponse_v7.decode(written)
    assert (ours.topics, ours.throttle_time_ms) == (theirs.topics, theirs.throttle_time_ms) == (said, throttle_ms)
    assert ours.API_VERSION == theirs.API_VERSION


@given(answers.filter(bool), st.data())
def test_an_answer_that_ends_too_early_is_an_error(
    said: list[tuple[str, list[tuple[int, int, int, int, int]]]], data: st.DataObject
) -> None:
    written = ProduceResponse_v7(said, 0).encode()
    with pytest.raises((struct.error, UnicodeDecodeError)):
        QuickProduceResponse.decode(written[: data.draw(st.integers(0, len(written) - 1))])


def test_an_older_broker_gets_what_aiokafka_writes() -> None:
    request = QuickProduceRequest(None, -1, 1000, [("topic", [(0, b"batch")])])
    assert type(request.prepare({PRODUCE: (0, 3)})) is ProduceRequest_v3
    assert isinstance(request.prepare({PRODUCE: (0, 7)}), ProduceRequest_v7)
