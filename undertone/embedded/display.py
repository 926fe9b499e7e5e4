"""How the stack looks to a person: where everything is, and how it is."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from services.runtime.counting import counted
from undertone.command_path import activation
from undertone.console import harmless
from undertone.embedded.status import PartStatus, StackStatus

COMMAND = "undertone"
_NUMBERS = "{:>7} {:>8} {:>9} {:>9}"
_LINE = "  {:<10}{:<7}" + _NUMBERS


def show_running(console: Console, status: StackStatus, logs: str) -> None:
    """Print that it runs, what of it is not ready, and where everything is."""
    addresses, engines = status.addresses, _engines(status)
    lines = [
        ("send", f"{addresses['ingress']}/api/v1/conversations", "POST; see /docs"),
        ("read", f"{addresses['read_api']}/api/v1/insights", "GET; see /docs"),
        ("analyzer", f"{addresses['analyzer']}/readyz", f"engine: {engines}" if engines else ""),
        ("kafka", addresses["kafka"], ""),
        ("postgres", addresses["postgres"], ""),
        ("logs", logs, ""),
    ]
    console.print()
    if all(part.ready for part in status.processes.values()):
        console.print(Text("Undertone runs.", style="bold green"))
    else:
        console.print(Text("Undertone runs, but is not ready:", style="bold yellow"))
        for problem in status.problems_of_parts:
            _warn(console, problem)
    if status.version_objection:
        _warn(console, status.version_objection)
    for name, where, remark in lines:
        console.print(
            Text.assemble(f"  {name:<10}", (where, "cyan"), (f"  {remark}" if remark else "", "dim")), soft_wrap=True
        )
    console.print()


def _warn(console: Console, sentence: str) -> None:
    told = Text.assemble(("! ", "bold red"), harmless(sentence))
    if console.is_terminal:
        console.print(Padding(told, (0, 0, 0, 2)))
    else:
        console.print(Text("  ").append_text(told), soft_wrap=True)


def _engines(status: StackStatus) -> str | None:
    """Each engine with the version that it makes."""
    return ", ".join(_engine(name, version) for version, name in status.engines.items()) or status.engine


def _engine(name: str, version: str) -> str:
    """`offline (offline-2)`, `llm (grok-4.3, grok-4.3-p1)`."""
    return f"{name[:-1]}, {version})" if name.endswith(")") else f"{name} ({version})"


def show_next_steps(console: Console, *, detached: bool) -> None:
    """Print the commands to go on with, and how to get at them from another shell."""
    activate = activation()
    if activate is not None:
        effect = f"puts `{COMMAND}` on your path" if detached else f"in another terminal, for `{COMMAND}`"
        console.print(Text.assemble("  ", (f"{activate:<34}", "bold"), (effect, "dim")))
    for command, effect in (
        (f"{COMMAND} ingest FILE", "send conversations"),
        (f"{COMMAND} insights --since 8d", "see what was found"),
        (f"{COMMAND} status", "see how everything is"),
    ):
        console.print(Text.assemble("  ", (f"{command:<34}", "bold"), (effect, "dim")))
    stop = f"{COMMAND} down" if detached else "Ctrl-C"
    console.print(Text.assemble("  ", (f"{stop:<34}", "bold"), ("stop; the data stays", "dim")))
    console.print()


def show_status(console: Console, status: StackStatus) -> None:
    """Print the whole status as tables."""
    if not status.running:
        console.print(
            f"No stack runs in {status.home}: start one with `{COMMAND} up`, or name its folder with --home or "
            f"UNDERTONE_HOME.",
            soft_wrap=not console.is_terminal,
        )
        return
    mood = Text("healthy", style="bold green") if status.healthy else Text("not healthy", style="bold red")
    uptime = f", up {_duration(status.uptime_seconds)}" if status.uptime_seconds is not None else ""
    console.print(Text.assemble("Undertone is ", mood, f"{uptime}, in {status.home}"), soft_wrap=True)
    for line, address in _process_lines(status):
        shown = f"{line.plain}  {address}"
        if len(shown) <= console.width:
            console.print(line, Text(f" {address}"), soft_wrap=True)
        else:  # an address must be whole, to be copied
            console.print(line, soft_wrap=True)
            console.print(Text(f"{'':<12}{address}"), soft_wrap=True)
    for line in _facts(status):
        console.print(line, soft_wrap=not console.is_terminal)
    for sentence in (*status.problems, *filter(None, [status.version_objection])):
        _warn(console, sentence)


def _process_lines(status: StackStatus) -> Iterator[tuple[Text, str]]:
    """Each part's line, and its address."""
    yield Text(_LINE.format("", "ready", "pid", "memory", "uptime", "restarts"), style="dim"), "address"
    for name, part in status.processes.items():
        address = status.addresses.get("read_api" if name == "sink" else name, "")
        yield Text.assemble(f"  {name:<10}", _ready(part), _NUMBERS.format(*_numbers(part))), address
    for name in ("kafka", "postgres"):
        if name not in status.processes:
            yield Text.assemble(f"  {name:<10}", (f"{'external':<43}", "dim")), status.addresses.get(name, "")


def _ready(part: PartStatus) -> Text:
    if part.pid is None:
        return Text(f"{'dead':<7}", style="bold red")
    return Text(f"{'yes':<7}", style="green") if part.ready else Text(f"{'no':<7}", style="bold red")


def _numbers(part: PartStatus) -> tuple[str, str, str, str]:
    memory = f"{part.rss_bytes / 1e6:.0f} MB" if part.rss_bytes is not None else ""
    uptime = _duration(part.uptime_seconds) if part.uptime_seconds is not None else ""
    return str(part.pid or ""), memory, uptime, str(part.restarts)


def _facts(status: StackStatus) -> Iterator[Text]:
    if (engines := _engines(status)) is not None:
        yield _fact("engine", harmless(engines))
    if status.active_version:
        yield _fact("active version", harmless(status.active_version))
    if status.conversations is not None:
        yield _fact("conversations", ", ".join(f"{count:,} {name}" for name, count in status.conversations.items()))
    if status.oldest_unfinished:
        oldest = status.oldest_unfinished
        yield _fact("oldest", f"{oldest.get('conversation_id')}, unfinished for {_duration(oldest.get('age_seconds'))}")
    for part, lag in (("analyzer", status.analyzer_lag), ("sink", status.lag)):
        if lag is not None:
            behind = [f"{topic} {records:,}" for topic, records in lag.items() if records]
            yield _fact(f"{part} lag", ", ".join(behind) or "none")
    yield from _held(status)
    if status.budget_used_up:
        yield _fact("held", status.budget_used_up)
    if status.today is not None:
        today = status.today
        cost = f"{today.get('cost_usd') or 0:.4f} USD"
        yield _fact(
            "today", f"{counted(today.get('calls') or 0, 'call')}, {counted(today.get('tokens') or 0, 'token')}, {cost}"
        )


def _held(status: StackStatus) -> Iterator[Text]:
    """Which lanes start no analyses, why, until when, and what ends that; of a blocked lane the reason says it."""
    told = {lane: f"{_until(status.held_until.get(lane))}: {harmless(reason)}" for lane, reason in status.holds.items()}
    if len(told) > 1 and len(set(told.values())) == 1 and not status.blocked:
        yield _fact("held", f"both lanes{next(iter(told.values()))}; end it with `{COMMAND} release`")
        return
    for lane, what in told.items():
        end = "" if lane in status.blocked else f"; end it with `{COMMAND} release --lane {lane}`"
        yield _fact("held", f"{lane} lane{what}{end}")


def _until(end: str | None) -> str:
    """The first whole minute at which it is over, local time; nothing where the end is not known."""
    if end is None:
        return ""
    return f" until {datetime.fromisoformat(end).astimezone() + timedelta(seconds=59):%H:%M %Z}"


def _fact(name: str, value: str) -> Text:
    return Text.assemble("  ", (f"{name:<15}", "dim"), value)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return str(timedelta(seconds=round(seconds))) if seconds >= 60 else f"{seconds:.0f} s"
