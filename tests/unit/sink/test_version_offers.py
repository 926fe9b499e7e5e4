"""What analyzers say that they have, as of a moment."""

from datetime import UTC, datetime, timedelta

from schemas.analysis_control import EnginesOffered
from services.sink.versioning.offers import Offers

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STANDS = timedelta(minutes=30)


def said(instance: str, *versions: str) -> EnginesOffered:
    return EnginesOffered(analysis_versions=versions, stands_seconds=STANDS.total_seconds(), offered_by=instance)


def standing(offers: Offers, after: timedelta) -> dict[str, tuple[str, ...]]:
    return {offer.instance: offer.versions for offer in offers.standing(AT + after)}


def test_of_each_analyzer_the_newest_word_counts() -> None:
    offers = Offers()
    offers.apply(said("b", "offline-2"), AT)
    offers.apply(said("a", "offline-2"), AT)
    offers.apply(said("b", "offline-2", "grok-4.3-p1"), AT + timedelta(minutes=10))
    assert standing(offers, timedelta(minutes=20)) == {"a": ("offline-2",), "b": ("offline-2", "grok-4.3-p1")}


def test_who_stopped_has_nothing_any_more() -> None:
    offers = Offers()
    offers.apply(said("a", "offline-2"), AT)
    offers.apply(said("a"), AT + timedelta(seconds=1))
    assert standing(offers, timedelta(seconds=2)) == {}


def test_the_word_of_one_that_was_killed_is_overdue_and_then_over() -> None:
    offers = Offers()
    offers.apply(said("a", "offline-2"), AT)
    (offer,) = offers.standing(AT + STANDS / 3)
    assert not offer.is_overdue(AT + STANDS / 3)
    assert offer.is_overdue(AT + STANDS / 2)
    assert standing(offers, STANDS) == {}


def test_a_broker_whose_clock_is_ahead_says_nothing_of_the_future() -> None:
    offers = Offers()
    offers.apply(said("a", "offline-2"), AT)
    (offer,) = offers.standing(AT - timedelta(seconds=3))
    assert offer.age(AT - timedelta(seconds=3)) == timedelta(0)
