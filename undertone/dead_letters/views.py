"""Dead letters as tables and pages for 80 columns."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.runtime.counting import counted
from undertone.console import harmless
from undertone.dead_letters.bytes_view import shown_block, shown_line
from undertone.dead_letters.deciding import Totals
from undertone.views.parts import moment

_STATE_STYLES = {"waiting": "yellow", "sending": "cyan", "redriven": "green", "dropped": "dim"}
_STEPS = {"redriven": "sent again", "refused": "not sent", "dropped": "dropped"}
_WIDEST = 100
"""Characters of a line that are read with ease."""

Members = Mapping[str, Any]


def groups_view(groups: Sequence[Members]) -> RenderableType:
    """What failed alike, those seen last first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("letters", justify="right")
    table.add_column("what happened", overflow="fold", ratio=1, max_width=_WIDEST)
    table.add_column("last seen", no_wrap=True)
    table.add_column("fingerprint", no_wrap=True)
    for group in groups:
        table.add_row(f"{group['count']:,}", _cause(group), moment(group["last_seen"]), _plain(group["fingerprint"]))
    return table


def _cause(group: Members) -> Text:
    state = str(group["state"])
    text = Text.assemble((_plain(group["reason"]), "bold"), "  ", (state, _STATE_STYLES.get(state, "")))
    detail = group["newest"]["detail"]
    if detail != group["reason"]:
        text.append(f"\n{_plain(detail)}")
    text.append(f"\n{_plain(group['topic'])}, by the {_plain(group['service'])}", style="dim")
    if group["first_seen"] != group["last_seen"]:
        text.append(f", since {moment(group['first_seen'])}", style="dim")
    return text


def letters_view(letters: Sequence[Members]) -> RenderableType:
    """Single letters, newest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("failed", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("dead letter", overflow="fold", ratio=1, max_width=_WIDEST)
    for letter in letters:
        state = str(letter["state"])
        about = Text(_plain(letter["dead_letter_id"]))
        about.append("\n").append_text(_why(letter, "bold"))
        about.append(f"\n{_place(letter)}", style="dim")
        table.add_row(moment(letter["failed_at"]), Text(state, style=_STATE_STYLES.get(state, "")), about)
    return table


def _why(letter: Members, style: str) -> Text:
    """The reason, and the detail where it says more."""
    if letter["detail"] in {None, "", letter["reason"]}:
        return Text.assemble((_plain(letter["reason"]), style))
    return Text.assemble((f"{_plain(letter['reason'])}: ", style), _plain(letter["detail"]))


def _place(letter: Members) -> str:
    place = f"{_plain(letter['topic'])} partition {letter['partition']} offset {letter['offset']}"
    conversation = letter.get("conversation_id")
    return f"{place}, {_plain(conversation)}" if conversation else place


def letter_view(letter: Members, most_bytes: int) -> RenderableType:
    """One letter: why it failed, what became of it, and its bytes."""
    record = letter["record"]
    value = _bytes(record["value_base64"])
    return Group(
        *_headline(letter),
        *_history(letter),
        Text("\nRecord", style="bold"),
        *_key_and_headers(record),
        Text(),
        *(Text(line) for line in shown_block(value or b"", most_bytes)),
    )


def _headline(letter: Members) -> Iterator[Text]:
    state = str(letter["state"])
    yield Text.assemble((_plain(letter["dead_letter_id"]), "bold"), "  ", (state, _STATE_STYLES.get(state, "")))
    yield _why(letter, "bold red")
    yield Text(_place(letter), style="dim")
    yield Text(
        f"failed {moment(letter['failed_at'])} in the {_plain(letter['service'])}, "
        f"{counted(letter['original_size'], 'byte')}, fingerprint {_plain(letter['fingerprint'])}",
        style="dim",
    )
    if letter.get("cannot_be_sent"):
        yield Text(f"It cannot be sent again: {_plain(letter['cannot_be_sent'])}.", style="yellow")
    for name, title in (("ancestors", "It was, oldest first:"), ("descendants", "It failed again as:")):
        if letter.get(name):
            yield Text(f"{title} {', '.join(_plain(one) for one in letter[name])}")


def _history(letter: Members) -> Iterator[Text]:
    if letter.get("history"):
        yield Text("\nHistory", style="bold")
    for step in letter.get("history") or ():
        line = Text(f"  {moment(step['at'])}  {_STEPS.get(str(step['step']), _plain(step['step']))}")
        line.append(f" by {_plain(step['done_by'])}")
        if step.get("offset") is not None:
            line.append(f", to partition {step['partition']} offset {step['offset']}", style="dim")
        for name in ("problem", "note"):
            if step.get(name):
                line.append(f"  ({_plain(step[name])})", style="dim")
        yield line


def _key_and_headers(record: Members) -> Iterator[Text]:
    key = _bytes(record["key_base64"])
    yield Text.assemble(("  key  ", "dim"), shown_line(key) if key is not None else "none")
    for header in record["headers"]:
        content = shown_line(_bytes(header["value_base64"]) or b"")
        yield Text.assemble((f"  {_plain(header['name'])}  ", "dim"), content)


def actions_view(actions: Sequence[Members]) -> RenderableType:
    """What was decided, when and by whom."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("when", "who", "what"):
        table.add_column(name, overflow="fold", no_wrap=name == "when")
    for action in actions:
        done = [f"{action[name]:,} {title}" for name, title in _COUNTED.items() if action[name]]
        what = Text(", ".join(done) or "nothing was left of it")
        what.append(f"\n{_selected(action['selection'])}", style="dim")
        if action.get("note"):
            what.append(f"\n{_plain(action['note'])}")
        table.add_row(moment(action["started_at"]), _plain(action["done_by"]), what)
    return table


_COUNTED = {"redriven": "sent again", "refused": "not sent", "dropped": "dropped"}


def _selected(selection: Members) -> str:
    named = {name: value for name, value in selection.items() if name != "state"}
    if not named:
        return "every one"
    return ", ".join(
        f"{len(value)} by id" if isinstance(value, list) else f"{name} {_plain(value)}" for name, value in named.items()
    )


def totals_lines(totals: Totals) -> Iterator[Text]:
    """What was done, in the end."""
    for count, title in (
        (totals.redriven, "sent again"),
        (totals.found_sent, "had been sent by a redrive that was interrupted"),
        (totals.dropped, "dropped"),
        (totals.cannot_be_sent, "cannot be sent again (`undertone dlq show ID` says why)"),
    ):
        if count:
            yield Text(f"{count:,} {title}")
    for one in totals.refused[:_MOST_REFUSED]:
        yield Text(f"{_plain(one['dead_letter_id'])}: {_plain(one['problem'])}", style="yellow")


_MOST_REFUSED = 10


def preview_view(answer: Members) -> RenderableType:
    """What a decision would deal with."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("letters", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("reason")
    table.add_column("topic")
    for pile in answer["piles"]:
        reason = Text(_plain(pile["reason"]))
        if not pile["can_be_sent"]:
            reason.append("  cannot be sent again", style="yellow")
        table.add_row(f"{pile['count']:,}", f"{pile['bytes']:,}", reason, _plain(pile["topic"]))
    return table


def _plain(value: object) -> str:
    """Whatever it is, as one line that no terminal obeys."""
    return harmless(str(value))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
