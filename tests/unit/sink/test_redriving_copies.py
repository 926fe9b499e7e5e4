from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import REDRIVEN_FROM, DeadLetterReason, Origin, bury, exhume
from schemas.topics import RECEIVED
from services.sink.redriving.copies import copy_of, letter_of, why_not_sendable
from services.sink.redriving.settling import interrupted
from tests.builders import NOW

names = st.text(min_size=1, max_size=12).filter(lambda name: not name.startswith("undertone_"))
headers = st.lists(st.tuples(names, st.binary(max_size=20)), max_size=5)


def _row(value: bytes, kept: list[tuple[str, bytes]], offset: int) -> dict[str, Any]:
    origin = Origin(RECEIVED.name, 1, offset, 1_000)
    buried, all_headers = bury(
        value, kept, origin=origin, reason=DeadLetterReason.UNKNOWN, detail="", failed_at=NOW, service="analyzer"
    )
    own = all_headers[: len(kept)]
    return {
        "dead_letter_id": exhume(all_headers).id,
        "origin_topic": origin.topic,
        "origin_timestamp_ms": origin.timestamp_ms,
        "origin_offset": origin.offset,
        "record_key": b"c1",
        "record_value": buried,
        "header_names": [name for name, _ in own],
        "header_values": [content for _, content in own],
    }


@given(value=st.binary(max_size=100), kept=headers, times=st.integers(1, 4))
def test_however_often_a_record_fails_its_bytes_stay_and_its_ancestors_are_known_in_order(
    value: bytes, kept: list[tuple[str, bytes]], times: int
) -> None:
    carried = kept
    ancestors: list[UUID] = []
    for offset in range(times):
        row = _row(value, list(carried), offset)
        copy = copy_of(row)
        assert (copy.key, copy.value) == (b"c1", value)
        assert list(copy.headers)[: len(carried)] == list(carried)
        assert letter_of(copy.headers) == row["dead_letter_id"]
        ancestors.append(row["dead_letter_id"])
        carried = list(copy.headers)
    revisions = [content for name, content in carried if name == "undertone_revision"]
    assert revisions == [b"1000-0"], "the revision is the first record's, however often it is sent again"
    assert [UUID(content.decode()) for name, content in carried if name == REDRIVEN_FROM] == ancestors


def test_a_header_that_names_no_letter_makes_no_copy() -> None:
    assert letter_of([(REDRIVEN_FROM, b"\xff")]) is None
    assert letter_of([(REDRIVEN_FROM, b"nonsense")]) is None
    assert letter_of([("other", b"1")]) is None


def test_what_cannot_be_sent_whole_says_why() -> None:
    whole = {"origin_topic": RECEIVED.name, "is_truncated": False, "key_size": 2}
    assert why_not_sendable(whole) is None
    assert "beginning" in str(why_not_sendable({**whole, "is_truncated": True}))
    assert "beginning" in str(why_not_sendable({**whole, "key_size": 65_536}))
    assert "by hand" in str(why_not_sendable({**whole, "origin_topic": "conversations.dead-letter.v1"}))


def test_letters_that_were_left_are_settled_action_by_action() -> None:
    first, second = UUID(int=1), UUID(int=2)
    rows = [
        {
            "dead_letter_id": UUID(int=10 + number),
            "origin_topic": RECEIVED.name,
            "action_id": action,
            "log_ends": '{"conversations.received.v1": {"0": 5}}',
            "age_seconds": 1.5,
        }
        for number, action in enumerate((first, second, first))
    ]
    found = {one.action_id: one for one in interrupted(rows)}
    assert {action: len(one.letters) for action, one in found.items()} == {first: 2, second: 1}
    assert found[first].log_ends == {RECEIVED.name: {"0": 5}}
