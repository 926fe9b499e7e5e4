"""Batches are what aiokafka's own builder would have written, byte for byte, and what its reader reads."""

from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.record_batches import HeaderTemplate, NumberedHeaders, Record, RecordBatch, encoded_headers
from tests.fakes import as_read

LIMIT = 4096
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
headers = st.lists(st.tuples(names, st.binary(max_size=150)), max_size=6)
lengths = st.integers(0, 300) | st.sampled_from([63, 64, 8_191, 8_192, 70_000])
values = lengths.map(lambda length: b"v" * length)
parts = st.tuples(st.binary(max_size=140), values, headers)


@given(st.lists(parts, max_size=12))
def test_a_batch_has_the_bytes_that_aiokafka_would_write(
    written: list[tuple[bytes, bytes, list[tuple[str, bytes]]]],
) -> None:
    batch = RecordBatch(LIMIT)
    added = batch.add([Record(key, value, encoded_headers(said)) for key, value, said in written])
    builder = BatchBuilder(LIMIT, 0)
    for key, value, said in written[: added + 1]:
        builder.append(timestamp=batch._timestamp_ms, key=key, value=value, headers=said)
    assert builder.record_count() == batch.record_count() == added  # so both leave the same record to the next batch
    if not added:
        return
    for one in (batch, builder):
        one._set_producer_state(7, 2, 100_000)
    assert bytes(batch._build()) == bytes(builder._build())
    assert batch._build() is batch._build()  # sent again, it is the same


@given(st.lists(parts, min_size=1, max_size=12))
def test_what_is_read_is_what_was_written(written: list[tuple[bytes, bytes, list[tuple[str, bytes]]]]) -> None:
    read = as_read([Record(key, value, encoded_headers(said)) for key, value, said in written])
    assert [tuple(one) for one in read] == written


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=40), st.data())
def test_records_fill_one_batch_after_the_other_and_none_is_left_out(sizes: list[int], data: st.DataObject) -> None:
    records = [Record(b"%d" % place, b"v" * size, encoded_headers([])) for place, size in enumerate(sizes)]
    placed: list[bytes] = []
    while len(placed) < len(records):
        batch = RecordBatch(LIMIT)
        while added := batch.add(records[: data.draw(st.integers(len(placed) + 1, len(records)))], len(placed)):
            placed += [record.key for record in records[len(placed) : len(placed) + added]]
            if len(placed) == len(records):
                break
        assert batch.record_count()
    assert placed == [record.key for record in records]


def test_a_batch_takes_no_single_sends_and_waits_for_none() -> None:
    batch = RecordBatch(LIMIT)
    batch.add([Record(b"k", b"v", encoded_headers([]))])
    assert batch.append(key=b"k", value=b"v", timestamp=None, headers=[]) is None  # type: ignore[func-returns-value]
    assert batch.closed()
    assert batch.record_count() == 1


@given(headers.filter(bool), st.data())
def test_numbered_headers_are_the_headers_with_a_number(given: list[tuple[str, bytes]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(given) - 1))
    numbers = [b"000", b"042", b"499"]
    name, content = given[place]
    expected = [
        encoded_headers([*given[:place], (name, b"%b-%b" % (content, number)), *given[place + 1 :]])
        for number in numbers
    ]
    shared = NumberedHeaders(given, place, digits=3)
    assert [shared.before + number + shared.after for number in numbers] == expected
    whole = [Record(b"k", b"v", one) for one in expected]
    in_parts = [Record(b"k", b"v", shared.before, number, shared.after) for number in numbers]
    assert as_read(in_parts) == as_read(whole)
    assert [record.size for record in in_parts] == [record.size for record in whole]


@given(st.lists(st.tuples(names, st.binary(max_size=150), st.booleans()), max_size=8))
def test_a_filled_template_is_the_headers_with_what_was_filled_in(given: list[tuple[str, bytes, bool]]) -> None:
    template = HeaderTemplate([(name, None if varies else content) for name, content, varies in given])
    filled = template.filled(*(content for _, content, varies in given if varies))
    assert filled == encoded_headers([(name, content) for name, content, _ in given])


def test_a_batch_that_is_closed_or_on_its_way_takes_no_more() -> None:
    for end in (RecordBatch.close, lambda batch: batch._set_producer_state(1, 0, 0)):
        batch = RecordBatch(LIMIT)
        assert batch.add([Record(b"k", b"v", encoded_headers([]))]) == 1
        end(batch)
        assert batch.add([Record(b"k", b"v", encoded_headers([]))]) == 0
        assert batch.record_count() == 1
