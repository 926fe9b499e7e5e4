"""`undertone versions`: how results by another model or prompt stand beside the active ones, and which are shown."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from undertone.commands.version_decisions import promote, retire, rollback, trial
from undertone.console import output, print_json, tell
from undertone.dead_letters.options import AsJson, Key, Url
from undertone.times import parse_moment
from undertone.versions import options
from undertone.versions.api import is_live
from undertone.versions.options import checked_name
from undertone.views.versions import diff_view, versions_table

_HELP = """Analysis versions: engine, model and prompt, such as offline-2 or grok-4.3-p2.

Replay some conversations under another one, compare, then promote it, or retire it."""


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command("list")(list_versions)
    group.command("diff", no_args_is_help=True)(diff)
    group.command("trial", no_args_is_help=True)(trial)
    group.command("promote", no_args_is_help=True)(promote)
    group.command("rollback")(rollback)
    group.command("retire", no_args_is_help=True)(retire)
    app.add_typer(group, name="versions")


def list_versions(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List every version: whether it is shown, whether live traffic is analysed under it, how much it covers."""
    with options.open_api(url, key) as api:
        versions = api.all_versions()
    if as_json:
        print_json(versions.members)
    elif versions.members["versions"]:
        output().print(versions_table(versions.members))
        for one in versions.members["versions"]:
            if is_live(one) and (lack := versions.lack_of(one["analysis_version"])) is not None:
                tell(lack)
    else:
        tell("Nothing was analysed yet.")


def diff(  # noqa: PLR0917 - typer reads options from parameters
    a: Annotated[str, typer.Argument(metavar="A", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", show_default=False)],
    since: Annotated[str, typer.Option(help="Occurred since: 24h, 7d, a date or a time.")] = "30d",
    until: Annotated[str | None, typer.Option(help="Occurred before; as --since.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=0, max=100, help="Conversations they disagree on most.")] = 5,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions on the conversations that both have: sentiment, scores, subjects, quotes, cost."""
    now = datetime.now(UTC)
    parameters = {
        "start_time": parse_moment(since, "--since", now).isoformat(),
        "end_time": parse_moment(until, "--until", now).isoformat() if until else None,
        "limit": limit,
    }
    with options.open_api(url, key) as api:
        found = api.diff(checked_name(a), checked_name(b), parameters)
    if as_json:
        print_json(found)
    else:
        output().print(diff_view(found))
