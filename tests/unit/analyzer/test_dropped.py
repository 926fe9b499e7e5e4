"""Records that were dropped and that nothing follows are noticed."""

from services.analyzer.dropped import MOST_READINGS, DropWatch, Sight


def sight(expected: int, position: int, *, is_idle: bool = True) -> list[Sight[int]]:
    return [Sight(7, expected, position, is_idle)]


def test_a_partition_that_was_read_ahead_of_an_idle_lane_twice_is_read_again() -> None:
    watch: DropWatch[int] = DropWatch()
    assert watch.look(sight(10, 52)) == []
    assert watch.look(sight(10, 52)) == [(7, 10)]


def test_a_lane_that_goes_on_is_left_alone() -> None:
    watch: DropWatch[int] = DropWatch()
    assert [watch.look(sight(expected, 52)) for expected in range(10, 52)] == [[]] * 42


def test_a_lane_that_is_busy_or_has_all_that_was_read_is_left_alone() -> None:
    watch: DropWatch[int] = DropWatch()
    assert [watch.look(sight(10, 52, is_idle=False)) for _ in range(5)] == [[]] * 5
    assert [watch.look(sight(52, 52)) for _ in range(5)] == [[]] * 5
    assert [watch.look(sight(52, 40)) for _ in range(5)] == [[]] * 5  # it is being read again


def test_a_log_that_ends_in_offsets_without_a_record_is_not_read_for_ever() -> None:
    watch: DropWatch[int] = DropWatch()
    looks = [watch.look(sight(10, 12)) for _ in range(20)]
    assert sum(bool(found) for found in looks) == MOST_READINGS
    watch.look(sight(20, 30))
    assert watch.look(sight(20, 30)) == [(7, 20)]


def test_a_place_that_was_given_up_is_read_again_when_reading_goes_on() -> None:
    watch: DropWatch[int] = DropWatch()
    for _ in range(20):
        watch.look(sight(32, 33))  # a marker
    found = [watch.look(sight(32, 81)) for _ in range(20)]
    assert sum(bool(one) for one in found) == MOST_READINGS
