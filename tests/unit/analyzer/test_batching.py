"""The batching window: it closes at the permit, and what goes into a batch."""

import pytest

from schemas.event import Lane
from services.analyzer.batch_size import BatchSize
from tests.unit.analyzer.windows import V1, V2, WINDOW, a_window, add, contents_of, queues


def test_work_waits_for_companions_until_the_oldest_has_waited_long_enough() -> None:
    window = a_window()
    add(window, "a", now=0.0)
    add(window, "b", now=0.2)
    assert window.ready_at(queues()) == WINDOW
    assert window.close(0.24, queues()) is None
    assert contents_of(window.close(WINDOW, queues())) == ["a", "b"]
    assert window.ready_at(queues()) is None


def test_a_full_batch_does_not_wait() -> None:
    window = a_window(start=2)
    add(window, "a", now=1.0)
    add(window, "b", now=1.0)
    batch = window.close(1.0, queues())
    assert contents_of(batch) == ["a", "b"]
    assert batch is not None
    assert batch.is_full


def test_a_burst_becomes_batches_of_the_adaptive_maximum_oldest_first() -> None:
    window = a_window(start=3)
    for place in range(7):
        add(window, str(place), now=place / 100)
    assert contents_of(window.close(1, queues())) == ["0", "1", "2"]
    assert contents_of(window.close(1, queues())) == ["3", "4", "5"]
    assert contents_of(window.close(1, queues())) == ["6"]


def test_a_batch_keeps_the_token_budget_but_is_never_empty() -> None:
    window = a_window(tokens=100)
    add(window, "huge", tokens=500)
    add(window, "a", tokens=60)
    add(window, "b", tokens=60)
    assert [contents_of(window.close(1, queues())) for _ in range(3)] == [["huge"], ["a"], ["b"]]


def test_live_goes_before_replay_and_batches_are_never_mixed() -> None:
    window = a_window()
    add(window, "r", lane=Lane.REPLAY, now=0)
    add(window, "l", now=1)
    add(window, "other version", now=1, version=V2)
    batches = [window.close(5, queues()) for _ in range(3)]
    assert [contents_of(batch) for batch in batches] == [["other version"], ["l"], ["r"]] or [
        contents_of(batch) for batch in batches
    ] == [["l"], ["other version"], ["r"]]
    assert window.close(5, queues()) is None


def test_replay_uses_a_permit_that_live_is_not_ready_for() -> None:
    window = a_window()
    add(window, "r", lane=Lane.REPLAY, now=0)
    add(window, "l", now=1)
    assert contents_of(window.close(1.0, queues())) == ["r"]


def test_a_held_lane_does_not_hold_the_other() -> None:
    window = a_window()
    add(window, "r", lane=Lane.REPLAY)
    add(window, "l")
    assert contents_of(window.close(1, queues({Lane.LIVE}))) == ["r"]
    assert window.ready_at(queues({Lane.LIVE})) is None
    assert contents_of(window.close(1, queues({Lane.REPLAY}))) == ["l"]


def test_a_retry_waits_in_the_place_of_its_arrival() -> None:
    window = a_window(start=1)
    add(window, "old", now=0)
    batch = window.close(1, queues())
    assert batch is not None
    add(window, "young", now=1)
    window.send_again(batch.works[0])
    assert contents_of(window.close(2, queues())) == ["old"]
    assert contents_of(window.close(2, queues())) == ["young"]


def test_a_rebalance_drops_what_waits_and_keeps_what_is_in_a_call_for_others_to_join() -> None:
    window = a_window(start=1)
    add(window, "sent", of="x")
    batch = window.close(1, queues())
    assert batch is not None
    add(window, "waiting", of="y")
    assert window.drop_waiting() == 1
    assert window.ready_at(queues()) is None
    again, _ = add(window, "sent", of="x")
    assert batch.works[0].waiters[-1] is again
    add(window, "waiting", of="y")
    assert contents_of(window.close(9, queues())) == ["waiting"]
    assert window.oldest_arrival() is None


def test_the_maximum_halves_and_grows_by_one_within_its_bounds() -> None:
    size = BatchSize(1, 5, 6)
    size.grow()
    size.grow()
    assert size.current == 6
    for expected in (3, 1, 1):
        size.shrink()
        assert size.current == expected


@pytest.mark.parametrize("version", [V1, V2])
def test_the_same_content_under_two_versions_is_two_works(version: str) -> None:
    window = a_window()
    add(window, "same", version=V2 if version == V1 else V1)
    add(window, "same", version=version)
    assert window.waiting(Lane.LIVE) == 2


def test_each_version_has_a_maximum_of_its_own() -> None:
    window = a_window(start=4)
    window.sizes.of(V1).shrink()
    for version in (V1, V2):
        for place in range(4):
            add(window, str(place), version=version)
    first, second, third = (window.close(9, [(Lane.LIVE, version)]) for version in (V1, V1, V2))
    assert [len(contents_of(batch)) for batch in (first, second, third)] == [2, 2, 4]


def test_a_version_that_may_not_call_keeps_no_other_waiting() -> None:
    window = a_window()
    add(window, "a", version=V1, now=0)
    add(window, "b", version=V2, now=1)
    assert window.ready_at([(Lane.LIVE, V2)]) == 1 + WINDOW
    assert contents_of(window.close(2, [(Lane.LIVE, V2)])) == ["b"]
    assert window.close(2, []) is None
