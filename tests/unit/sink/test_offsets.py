"""Which offset an operator may name for a partition."""

import pytest

from services.sink.batch import Place
from services.sink.offsets import CannotSet, target_of
from services.sink.partitions import LogRange


@pytest.mark.parametrize("word", ["middle", "9", "21", "-1"])
def test_an_offset_that_the_log_does_not_hold_is_refused(word: str) -> None:
    with pytest.raises(CannotSet, match="holds 10 to 20"):
        target_of(word, Place("received", 3), LogRange(10, 20))


def test_the_ends_of_the_log_are_known_by_name() -> None:
    log = LogRange(10, 20)
    assert [target_of(word, Place("received", 3), log) for word in ("beginning", "15", "end")] == [10, 15, 20]
