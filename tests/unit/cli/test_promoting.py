"""The steps of a promotion, and what is told to whoever stops it."""

import asyncio

import pytest

from tests.unit.cli.versions import Stage, a_version, all_versions, promote
from undertone.errors import CommandError
from undertone.versions.catching_up import Paused
from undertone.versions.promoting import Promoting


def test_a_promotion_is_a_trial_a_catching_up_and_a_decision() -> None:
    stage = Stage(all_versions(a_version("old", state="active")))
    assert promote(stage) == ["asked", "new/trial now=None", "caught up", "new/promotion now=False", "caught up"]


def test_what_comes_to_lack_meanwhile_is_caught_up_before_it_is_tried_again() -> None:
    on_trial = a_version("new", is_live=True, is_on_trial=True, is_seen_live=True)
    stage = Stage(all_versions(a_version("old", state="active"), on_trial), refusals=2)
    assert promote(stage) == ["asked", *["caught up", "new/promotion now=False"] * 3, "caught up"]


def test_now_promotes_first_and_catches_up_afterwards() -> None:
    stage = Stage(all_versions(a_version("old", state="active"), a_version("new", missing=5)))
    assert promote(stage, now=True) == ["asked", "new/promotion now=True", "caught up"]


def test_what_is_active_already_only_catches_up() -> None:
    assert promote(Stage(all_versions(a_version("new", state="active"), active="new"))) == ["asked", "caught up"]


@pytest.mark.parametrize("now", [True, False])
def test_who_does_not_agree_has_changed_nothing(now: bool) -> None:
    stage = Stage(all_versions(a_version("old", state="active")), is_agreed=False)
    with pytest.raises(CommandError, match="Nothing was changed"):
        promote(stage, now=now)
    assert stage.said == ["asked"]


@pytest.mark.parametrize(
    ("now", "is_agreed", "said", "not_said"),
    [
        (False, True, "still analysed under both: `undertone versions promote new` goes on", "changed"),
        (False, True, "`undertone versions trial new --end` gives it up", "changed"),
        (True, True, "`undertone versions promote new` goes on", "--end"),
        (False, False, "Nothing was changed", "goes on"),
    ],
)
def test_whoever_stops_a_promotion_is_told_how_things_stand(
    now: bool, is_agreed: bool, said: str, not_said: str
) -> None:
    stage = Stage(all_versions(a_version("old", state="active")), is_agreed=is_agreed, is_stopped=True)
    if now:
        stage.versions["versions"].append(a_version("new"))
    promoting = Promoting(stage, "new", stage)  # type: ignore[arg-type]
    with pytest.raises((Paused, CommandError)):
        asyncio.run(promoting.run(now=now))
    assert said in promoting.stopped()
    assert not_said not in promoting.stopped()
