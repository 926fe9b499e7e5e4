"""`undertone versions trial`, `promote`, `rollback` and `retire`: what is at stake is said, asked, then decided."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.runtime.counting import counted
from services.runtime.kafka import KafkaConnection
from undertone.cli import EXIT_INTERRUPTED
from undertone.commands.replay_control import open_plans
from undertone.console import confirm, tell
from undertone.dead_letters.options import Key, Url, Yes
from undertone.errors import CommandError, UsageProblem
from undertone.replay.job import Setup
from undertone.settings import load_kafka_settings
from undertone.stopping import terminated_as_interrupted
from undertone.versions import options
from undertone.versions.api import Incomplete, Versions, is_live, is_retired
from undertone.versions.catching_up import CatchingUp, How, Paused
from undertone.versions.fleet import agree_to
from undertone.versions.options import NewVersion, Now, Rate, Version, checked_name
from undertone.versions.promoting import Promoting


def trial(  # noqa: PLR0917 - typer reads options from parameters
    version: Version,
    end: Annotated[bool, typer.Option("--end", help="Analyse live traffic under it no more.")] = False,
    new_version: NewVersion = False,
    yes: Yes = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Let live traffic be analysed under it beside the active one; readers are shown what they were.

    Every analyzer must have it, its own or by ANALYZER_FURTHER_ENGINES: one that does not holds live traffic. Where
    one is known not to have it, you are asked first.
    """
    with options.open_api(url, key) as api:
        versions = api.all_versions()
        standing = versions.of(checked_name(version))
        if standing is None and not (end or new_version):
            raise _unknown(version)
        if not end:
            agree_to(versions.lack_of(version), is_agreed=yes or is_live(standing))
        done = api.decide(f"{version}/trial{'-end' if end else ''}")
    what = "no more" if end else "too"
    anew = " It was retired and begins anew: nothing is known under it." * (not end and is_retired(standing))
    tell(f"Live traffic is analysed under {version} {what}.{anew}{_untold(done['announced'])}")


def promote(  # noqa: PLR0917 - typer reads options from parameters
    version: Version,
    now: Now = False,
    new_version: NewVersion = False,
    yes: Yes = False,
    rate: Rate = 2000,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show it by default, and analyse live traffic under it alone, once it lacks nothing.

    Until then live traffic is analysed under both, and what it lacks is replayed. Stopped at any point, the same
    command goes on. With --now it is shown at once, and catches up afterwards.
    """
    settings = load_kafka_settings()
    with options.open_api(url, key) as api:
        standing = api.all_versions().of(checked_name(version))
        if standing is None and not new_version:
            raise _unknown(version)
        if is_retired(standing):
            raise UsageProblem(
                f"{version} is retired: `undertone versions trial {version}` lets it begin anew, then promote it."
            )
        setup = Setup(KafkaConnection.from_settings(settings), api, open_plans())
        catching_up = CatchingUp(setup, api, checked_name(version), How(is_agreed=yes, rate=rate))
        promoting = Promoting(api, version, catching_up)
        try:
            with terminated_as_interrupted():
                asyncio.run(promoting.run(now=now))
        except (Paused, KeyboardInterrupt) as stopped:
            tell(promoting.stopped())
            raise typer.Exit(EXIT_INTERRUPTED) from stopped


def rollback(now: Now = False, yes: Yes = False, url: Url = None, key: Key = None) -> None:
    """Show the version that was active before, and analyse live traffic under it.

    Where an analyzer is known not to have it, you are asked first: live traffic would wait.
    """
    with options.open_api(url, key) as api:
        versions = api.all_versions()
        previous = versions.previous
        _agree_to_go_back(versions, is_agreed=yes, now=now)
        try:
            done = api.decide("rollback", now=now)
        except Incomplete as error:
            raise CommandError(
                f"{previous} has no outcome of {counted(error.missing, 'conversation')}: `undertone versions promote "
                f"{previous}` replays what it lacks first, --now goes back at once."
            ) from error
    lacking = _lacking(done["missing"])
    tell(
        f"{done['analysis_version']} is what readers are shown by default from now on.{lacking}"
        f"{_untold(done['announced'])}"
    )


def _agree_to_go_back(versions: Versions, *, is_agreed: bool, now: bool) -> None:
    """Ask only about what the API would do: it refuses to go back to what lacks conversations, unless at once."""
    standing = None if versions.previous is None else versions.of(versions.previous)
    if standing is not None and (now or not standing["missing"]):
        lack = versions.lack_of(standing["analysis_version"])
        agree_to(lack, is_agreed=is_agreed or is_live(standing))


def retire(
    version: Version,
    now: Annotated[bool, typer.Option("--now", help="Although it may have the only result of some.")] = False,
    yes: Yes = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Hide it at once, and delete what it found. Neither the active version nor one on trial can be retired.

    What waits for it on the replay lane is not analysed any more. One that never had anything leaves the list. With
    --now it is retired all the same, known or not, so that the replay lane does not wait for it; without --now it then
    leaves the list.
    """
    with options.open_api(url, key) as api:
        found = api.all_versions().of(checked_name(version))
        if found is None and not now:
            raise UsageProblem(
                f"Nothing is known under the analysis version {version}; `undertone versions list` says what there is. "
                f"If copies for it wait on the replay lane, --now lets them go."
            )
        _refuse_in_use(found)
        if not yes and not is_retired(found):
            confirm(_what_retiring_does(version, found))
        try:
            done = api.decide(f"{version}/retirement", now=now)
        except Incomplete as error:
            raise CommandError(
                f"The active version has no outcome of {counted(error.missing, 'conversation')}, and {version} may "
                f"have the only one: `undertone versions promote` the active version to replay those, or say --now."
            ) from error
    if done.get("removed"):
        what = "leaves the list: nothing was ever found under it."
    elif not done["changed"]:
        what = "was retired before."
    elif not _count_of(found):
        what = (
            f"is retired: what waits for it on the replay lane is not analysed. `undertone versions retire {version}`, "
            f"without --now, takes it off the list, once nothing waits for it there any more."
        )
    else:
        what = "is retired. What it found is deleted in the background; what is asked for under it is not analysed."
    tell(f"{version} {what}{_untold(done['announced'])}")


def _refuse_in_use(found: Mapping[str, Any] | None) -> None:
    """Before anybody is asked about it: the API would refuse it afterwards."""
    if found is None:
        return
    version = found["analysis_version"]
    if found["state"] == "active":
        raise CommandError(f"{version} is active: promote another version first.")
    if found["is_on_trial"]:
        raise CommandError(f"{version} is on trial: end that by `undertone versions trial {version} --end`.")


def _what_retiring_does(version: str, found: Mapping[str, Any] | None) -> str:
    count = _count_of(found)
    if not count:
        return f"Nothing was found under {version}. Retire it, and let go of what waits for it on the replay lane?"
    return f"Delete what {version} found of {counted(count, 'conversation')}?"


def _count_of(found: Mapping[str, Any] | None) -> int:
    return 0 if found is None else sum(found["counts"].values())


def _lacking(count: int) -> str:
    return f" It lacks {counted(count, 'conversation')}: what is shown of that is as before." * bool(count)


def _unknown(version: str) -> UsageProblem:
    """A slip of the pen would stop live traffic: no analyzer has what it names."""
    return UsageProblem(
        f"Nothing is known under the analysis version {version}; `undertone versions list` says what there is. "
        f"If a new one is meant, add --new-version: every analyzer must have it (ANALYZER_FURTHER_ENGINES), or "
        f"live traffic waits until `undertone versions trial {version} --end`."
    )


def _untold(announced: bool) -> str:
    return "" if announced else " Kafka does not answer: the analyzers hear of it as soon as it does."
