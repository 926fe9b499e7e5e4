"""Dead letters keep the record byte for byte, and say why."""

import hashlib
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import (
    MAX_WHOLE_BYTES,
    REDRIVEN_FROM,
    TRUNCATED_BYTES,
    DeadLetterReason,
    Headers,
    Origin,
    bury,
    dead_letter_id_of,
    exhume,
    is_dead_letter_header,
)
from schemas.topics import MAX_DEAD_LETTER_BYTES
from tests.builders import NOW

ORIGIN = Origin("conversations.received.v1", 4, 99, 1772443033204)


def buried(value: bytes | None, headers: Headers = ()) -> tuple[bytes, list[tuple[str, bytes]]]:
    return bury(
        value,
        headers,
        origin=ORIGIN,
        reason=DeadLetterReason.UNDECODABLE,
        detail="turns: Field required",
        failed_at=NOW,
        service="analyzer",
    )


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=4))
def test_the_original_bytes_and_headers_are_untouched(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    kept, all_headers = buried(value, headers)
    assert kept == value
    assert [header for header in all_headers if not is_dead_letter_header(header[0])] == headers


def test_what_is_buried_says_where_it_came_from_and_why() -> None:
    letter = exhume(buried(b"{}")[1])
    assert letter.origin == ORIGIN
    assert letter.reason is DeadLetterReason.UNDECODABLE
    assert letter.id == dead_letter_id_of(ORIGIN)
    assert (letter.failed_at, letter.service, letter.is_truncated) == (NOW, "analyzer", False)


def test_a_huge_record_keeps_its_head_and_the_digest_of_the_whole() -> None:
    value = b"x" * (MAX_WHOLE_BYTES + 1)
    kept, headers = buried(value)
    letter = exhume(headers)
    assert len(kept) == TRUNCATED_BYTES
    assert letter.is_truncated
    assert letter.sha256 == hashlib.sha256(value).hexdigest()
    assert letter.original_size == len(value)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([("trace", b"1"), ("huge", b"x" * (9 * 1024 * 1024)), ("after", b"2")], ["trace"]),
        ([("half", b"x" * (512 * 1024)), ("other", b"x" * (512 * 1024 - 100))], ["half", "other"]),
        ([(f"h{number}", b"") for number in range(300_000)], None),
    ],
)
def test_headers_that_no_record_can_carry_are_cut(headers: list[tuple[str, bytes]], kept: list[str] | None) -> None:
    value, all_headers = buried(b"x" * MAX_WHOLE_BYTES, headers)
    names = [name for name, _ in all_headers if not is_dead_letter_header(name)]
    assert kept is None or names == kept
    assert exhume(all_headers).is_truncated == (len(names) < len(headers))
    size = len(value) + sum(len(name) + len(content) for name, content in all_headers)
    assert size < MAX_DEAD_LETTER_BYTES


def test_a_record_that_fails_again_knows_its_ancestors() -> None:
    first, second = uuid4(), uuid4()
    headers = [(REDRIVEN_FROM, str(first).encode()), (REDRIVEN_FROM, str(second).encode())]
    assert exhume(buried(b"{}", headers)[1]).ancestors == (first, second)


def test_a_dead_letter_that_is_buried_again_does_not_grow_headers() -> None:
    once = buried(b"{}", [("ce_id", b"1")])[1]
    assert len(buried(b"{}", once)[1]) == len(once)


def test_a_record_without_our_headers_is_no_dead_letter() -> None:
    with pytest.raises(ValueError, match="undertone_dead_letter_id"):
        exhume([("ce_id", b"1")])
