"""What the commands say of a replay."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from services.runtime.counting import counted
from undertone.replay.plans import Replay, State
from undertone.views.parts import TableOrLines


def end_lines(replay: Replay) -> list[str]:
    """How a session ended, and what to do next."""
    of_how_many = f"{counted(replay.selected, 'conversation')} {'is' if replay.selected == 1 else 'are'}"
    lines = [f"{replay.name}: {replay.written:,} of {of_how_many} on the replay lane."]
    if replay.left_out:
        lines.append(f"Left out: {reasons(replay.left_out)}.")
    match replay.state:
        case State.DONE:
            lines.append("Done. Analyzers take them behind live traffic; `undertone status` shows how many wait.")
        case State.CANCELLED:
            lines.append(
                "Cancelled: nothing more is sent. What is on the lane already will still be analysed, unless its "
                "version is retired."
            )
        case _:
            lines.append(
                f"Paused. `undertone replay resume {replay.name}` goes on, "
                f"`undertone replay cancel {replay.name}` ends it."
            )
    return lines


def reasons(left_out: Mapping[str, int]) -> str:
    """`3 erased, 1 superseded`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items()))


def standing(replay: Replay, *, is_held: bool) -> str:
    """One word for how it stands now."""
    if replay.state is State.SENDING and not is_held:
        return "interrupted"
    return replay.state.value


def replays_table(found: list[tuple[Replay, str]]) -> RenderableType:
    """Every replay, newest last; names are never broken, for they are copied."""
    return TableOrLines(_table(found), [_in_lines(*one) for one in found], [replay.asked for replay, _ in found])


def _in_lines(replay: Replay, state: str) -> RenderableType:
    left_out = sum(replay.left_out.values())
    told = [
        f"{replay.written:,} of {replay.selected:,} sent" + f", {left_out:,} left out" * bool(left_out),
        f"under {replay.analysis_version or 'the active version'}, begun {_begun(replay)}",
        f"selection: {replay.asked}",
    ]
    headline = Text(f"{replay.name}  {state}", overflow="fold")
    details = (Padding(Text(line, overflow="fold"), (0, 0, 0, 2), expand=False) for line in told)
    return Group(headline, *details)


def _begun(replay: Replay) -> str:
    return f"{replay.created_at[:16].replace('T', ' ')} UTC"


def _table(found: list[tuple[Replay, str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in ("NAME", "STATE", "SENT", "OF", "LEFT OUT", "VERSION", "BEGUN", "SELECTION"):
        table.add_column(
            column,
            justify="right" if column in {"SENT", "OF", "LEFT OUT"} else "left",
            no_wrap=column != "SELECTION",
            overflow="fold",
        )
    for replay, state in found:
        table.add_row(
            replay.name,
            state,
            f"{replay.written:,}",
            f"{replay.selected:,}",
            f"{sum(replay.left_out.values()):,}",
            replay.analysis_version or "active",
            _begun(replay),
            replay.asked,
        )
    return table


def replay_members(replay: Replay, state: str) -> dict[str, Any]:
    """A replay for programs."""
    return {
        "name": replay.name,
        "replay_id": replay.replay_id,
        "state": state,
        "selected": replay.selected,
        "written": replay.written,
        "left_out": dict(replay.left_out),
        "pending": replay.pending,
        "analysis_version": replay.analysis_version,
        "created_at": replay.created_at,
        "kafka": replay.kafka,
        "asked": replay.asked,
    }
