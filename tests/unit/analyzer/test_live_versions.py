"""What live traffic is analysed under, by the control log."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.analysis_control import ActiveVersionChanged
from schemas.event import Lane
from services.analyzer.live_versions import REPEAT_SECONDS, LiveVersions, describe_missing
from tests.unit.analyzer.fakes import FakeClock

OWN, OTHER = "offline-2", "grok-4.3-p1"


def _decision(active: str, *also: str, serial: int | None = None) -> ActiveVersionChanged:
    return ActiveVersionChanged(analysis_version=active, also_analysed_under=also, serial=serial, changed_by="mia")


def _versions(clock: FakeClock | None = None) -> LiveVersions:
    return LiveVersions(OWN, [OWN, OTHER], (clock or FakeClock()).clocks)


def test_without_a_decision_it_is_the_version_of_the_own_engine() -> None:
    versions = _versions()
    assert (versions.active, versions.also, versions.all, versions.missing) == (OWN, (), (OWN,), ())
    assert versions.to_repeat() is None


def test_the_newest_decision_counts_and_names_each_version_once() -> None:
    versions = _versions()
    assert versions.apply(_decision(OWN, OTHER, OWN, OTHER), 0)
    assert versions.all == (OWN, OTHER)
    assert versions.apply(_decision(OTHER), 1)
    assert [*versions.all, "also", *versions.also] == [OTHER, "also"]
    assert not versions.apply(_decision(OTHER), 2), "a repetition changes nothing"


def test_a_version_that_no_engine_has_is_named_with_what_gives_it() -> None:
    versions = _versions()
    versions.apply(_decision(OWN, "grok-5-p1"), 0)
    assert versions.missing == ("grok-5-p1",)
    said = describe_missing(versions.missing, versions.known)
    assert "grok-5-p1" in said
    assert "ANALYZER_FURTHER_ENGINES" in said
    assert "retire" not in said, "live traffic is let go of by nobody"
    held = describe_missing(versions.missing, versions.known, Lane.REPLAY)
    assert held.startswith(said)
    assert "`undertone versions retire grok-5-p1 --now` lets go" in held
    versions.apply(_decision(OWN), 1)
    assert not versions.missing


def test_an_old_decision_that_is_repeated_behind_a_newer_one_changes_nothing() -> None:
    versions = _versions()
    old, new = _decision(OWN, OTHER, serial=4), _decision(OTHER, serial=5)
    versions.apply(old, 0)
    versions.apply(new, 1)
    assert not versions.apply(old, 2)
    assert versions.all == (OTHER,)
    assert versions.apply(_decision(OWN), 3), "who counts nothing is taken at the log's word"
    assert not versions.apply(old, 4)


def test_a_retirement_is_news_until_the_version_begins_anew() -> None:
    versions = _versions()
    retiring = _decision(OWN).model_copy(update={"retired": (OTHER,)})
    assert versions.apply(retiring, 0)
    assert versions.retired == {OTHER}
    assert not versions.apply(retiring, 1), "a repetition changes nothing"
    assert versions.apply(_decision(OWN, OTHER), 2)
    assert not versions.retired


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([(OWN,), (OTHER,), (OWN, OTHER)])), max_size=12))
def test_all_readers_come_to_the_verdict_of_the_highest_serial(
    decisions: Sequence[tuple[int, tuple[str, ...]]],
) -> None:
    by_serial = dict(decisions)  # one serial is one decision, however often it is written
    versions = _versions()
    for serial, _ in decisions:
        versions.apply(_decision(*by_serial[serial], serial=serial), 0)
    wanted = by_serial[max(by_serial)] if by_serial else (OWN,)
    assert versions.all == wanted


def test_a_decision_of_a_day_ago_is_repeated_word_for_word_and_once() -> None:
    clock = FakeClock()
    versions = _versions(clock)
    decision = _decision(OWN, OTHER, serial=9)
    versions.apply(decision, clock.wall())
    clock.advance(REPEAT_SECONDS - 1)
    assert versions.to_repeat() is None
    clock.advance(1)
    assert versions.to_repeat() == decision
    assert versions.to_repeat() is None, "it is on its way"
    versions.apply(decision, clock.wall())
    clock.advance(REPEAT_SECONDS)
    assert versions.to_repeat() == decision


def test_a_clock_that_is_far_ahead_of_the_brokers_repeats_once_a_day_at_the_most() -> None:
    clock = FakeClock()
    versions = _versions(clock)
    decision = _decision(OWN)
    ahead = 3 * REPEAT_SECONDS
    versions.apply(decision, clock.wall() - ahead)
    repeated = 0
    for _ in range(48):
        clock.advance(3_600)
        if versions.to_repeat() is not None:
            repeated += 1
            versions.apply(decision, clock.wall() - ahead)
    assert repeated == 2
