"""Offsets that do not follow each other: the partition is read again before anything behind the gap is believed."""

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.gaps import Gaps, Verdict


def _gaps(start: int = 10) -> Gaps[str]:
    gaps: Gaps[str] = Gaps()
    gaps.begin_generation({"p": start})
    return gaps


def test_offsets_that_follow_each_other_are_taken() -> None:
    gaps = _gaps()
    assert [gaps.judge("p", offset) for offset in (10, 11, 12)] == [Verdict.NEXT] * 3


def test_at_a_gap_the_partition_is_read_again_and_what_was_skipped_comes() -> None:
    gaps = _gaps()
    assert gaps.judge("p", 13) is Verdict.SEEK
    assert gaps.expected("p") == 10
    assert gaps.judge("p", 14) is Verdict.AGAIN
    assert [gaps.judge("p", offset) for offset in (10, 11, 12, 13, 14)] == [Verdict.NEXT] * 5


def test_a_gap_that_is_in_the_log_is_believed_the_second_time() -> None:
    gaps = _gaps()
    assert gaps.judge("p", 13) is Verdict.SEEK
    assert gaps.judge("p", 15) is Verdict.AGAIN
    assert [gaps.judge("p", offset) for offset in (13, 15)] == [Verdict.NEXT, Verdict.SEEK]


def test_a_repeated_record_is_no_gap() -> None:
    gaps = _gaps()
    assert [gaps.judge("p", offset) for offset in (10, 11, 10, 11, 12)] == [Verdict.NEXT] * 5


def test_a_partition_whose_start_is_unknown_begins_anywhere() -> None:
    gaps = _gaps()
    assert gaps.judge("q", 500) is Verdict.NEXT
    assert gaps.judge("q", 502) is Verdict.SEEK


def test_a_new_generation_forgets_the_doubts_of_the_old_one() -> None:
    gaps = _gaps()
    assert gaps.judge("p", 20) is Verdict.SEEK
    gaps.begin_generation({"p": 5})
    assert gaps.judge("p", 5) is Verdict.NEXT


@given(st.sets(st.integers(0, 60), min_size=1), st.data())
def test_whatever_a_consumer_skips_on_its_way_every_record_of_the_log_is_taken_in_order(
    log: set[int], data: st.DataObject
) -> None:
    """Any stretch is skipped once; the log's own holes and its last record are where they are."""
    offsets = [*sorted(log), 100]
    skipped = data.draw(st.sets(st.sampled_from(sorted(log))))
    gaps = _gaps(0)
    taken: list[int] = []
    queue = [offset for offset in offsets if offset not in skipped]
    while queue:
        offset = queue.pop(0)
        verdict = gaps.judge("p", offset)
        if verdict is Verdict.NEXT:
            taken.append(offset)
        elif verdict is Verdict.SEEK:
            buffered = queue[: data.draw(st.integers(0, 3))]
            queue = buffered + [again for again in offsets if again >= gaps.expected("p")]
    assert taken == offsets
