"""A bad deployment upstream must not drain a topic."""

from services.analyzer.undecodable_limit import UndecodableLimit


def _after(*, undecodable: int, good: int) -> UndecodableLimit:
    limit = UndecodableLimit()
    for _ in range(good):
        limit.note(is_undecodable=False)
    for _ in range(undecodable):
        limit.note(is_undecodable=True)
    return limit


def test_a_few_bad_records_are_put_aside_even_when_nothing_else_came() -> None:
    assert not _after(undecodable=49, good=0).is_exceeded


def test_fifty_bad_records_of_fifty_hold_the_lane() -> None:
    assert _after(undecodable=50, good=0).is_exceeded


def test_exactly_five_percent_of_the_last_thousand_do_not_hold_it() -> None:
    limit = _after(undecodable=50, good=950)
    assert not limit.is_exceeded
    limit.note(is_undecodable=True)
    assert limit.is_exceeded
    assert limit.describe() == "51 of the last 1000 records could not be decoded"


def test_old_bad_records_are_forgotten() -> None:
    limit = _after(undecodable=49, good=0)
    for _ in range(1000):
        limit.note(is_undecodable=False)
    for _ in range(50):
        limit.note(is_undecodable=True)
    assert not limit.is_exceeded


def test_a_person_who_ends_the_hold_starts_the_count_anew() -> None:
    limit = _after(undecodable=60, good=0)
    limit.forget()
    assert not limit.is_exceeded
    assert limit.describe() == "0 of the last 0 records could not be decoded"
