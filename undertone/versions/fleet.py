"""Whether the analyzers have the engine of a version, before anything is to be analysed under it.

The read API says what each analyzer has (services/sink/versioning/offers.py). Where it says nothing, as of older
analyzers or while Kafka does not answer, nobody is warned.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.runtime.counting import counted
from undertone.console import confirm, harmless, say

LIVE_TRAFFIC = "live traffic"
REPLAY_LANE = "the replay lane"
_NAMED = 3
_HELP = "(ANALYZER_FURTHER_ENGINES)"

Analyzers = Sequence[Mapping[str, Any]]


def lack_of(version: str, analyzers: Analyzers | None, waiting: str = LIVE_TRAFFIC) -> str | None:
    """What live traffic would wait for under a version, as one sentence; None when it would not, as far as is known.

    `waiting` names what else would wait, such as the replay lane.
    """
    if not analyzers:
        return None
    having = [one for one in analyzers if version in one["analysis_versions"]]
    heard_of = [one for one in having if not one["is_overdue"]]
    late = [one for one in having if one["is_overdue"]]
    lacking = [one for one in analyzers if one not in having and not one["is_overdue"]]
    if heard_of:
        return _of_some(version, lacking, waiting) if lacking else None
    if late:
        return (
            f"{_names(late)}, which {_verb(late, 'has', 'have')} {version}, {_verb(late, 'was', 'were')} last heard of "
            f"{_minutes(late)} ago, and nothing else has it: without it {waiting} waits {_HELP}."
        )
    if lacking:
        return f"No analyzer has {version}: {waiting} waits until the analyzers are started with it {_HELP}."
    return None


def agree_to(lack: str | None, *, is_agreed: bool) -> None:
    """Say what live traffic would wait for, and ask, unless that is agreed. Raises what `confirm` raises."""
    if lack is None:
        return
    if is_agreed:
        say(lack)
    else:
        confirm(f"{lack} Go on all the same?", "Nothing was changed.")


def _of_some(version: str, lacking: Analyzers, waiting: str) -> str:
    if len(lacking) == 1:
        return (
            f"{_names(lacking)} does not have {version}: its part of {waiting} waits until it is started with it "
            f"{_HELP}."
        )
    return (
        f"{_names(lacking)} do not have {version}: their part of {waiting} waits until they are started with it "
        f"{_HELP}."
    )


def _names(analyzers: Analyzers) -> str:
    names = [harmless(str(one["instance"])) for one in analyzers]
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(names) - _NAMED:,} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(analyzers: Analyzers, of_one: str, of_several: str) -> str:
    return of_one if len(analyzers) == 1 else of_several


def _minutes(analyzers: Analyzers) -> str:
    minutes = round(min(one["age_seconds"] for one in analyzers) / 60)
    return counted(minutes, "minute")
