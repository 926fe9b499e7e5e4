"""`undertone up --detach`: the same `up` as a process of its own, which outlives the shell."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from undertone.embedded.errors import StackError
from undertone.embedded.process import POLL_SECONDS, Child, Command
from undertone.embedded.reporter import Reporter
from undertone.embedded.services import PYTHON
from undertone.embedded.state import StackState, read_state

START_SECONDS = 300
PROGRAM = "undertone: "


def start_in_background(
    home: Path, arguments: Sequence[str], environment: Mapping[str, str], reporter: Reporter
) -> StackState:
    """Start `undertone up` with these arguments and return its state once everything is ready.

    Raises StackError with what it said when it ends before; Ctrl-C stops it again.
    """
    up = Child(
        Command(
            name="undertone up",
            argv=(*PYTHON, "undertone", "up", *arguments),
            log_file=home / "logs" / "up.log",
            environment={**os.environ, **environment},
        )
    )
    up.start()
    reporter.begins("undertone", "starting")
    try:
        state = _wait_until_running(up, home)
    except BaseException:
        _end(up)
        raise
    reporter.done("undertone", f"runs in the background, pid {up.pid}")
    return state


def _wait_until_running(up: Child, home: Path) -> StackState:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        state = read_state(home)
        if state and state.pid == up.pid and state.phase == "running":
            return state
        if up.exit_code is not None:
            raise StackError(_complaint(up) or f"`undertone up` ended with exit code {up.exit_code} and said nothing.")
        time.sleep(POLL_SECONDS)
    raise StackError(f"The stack is not ready after {START_SECONDS} s: see {up.command.log_file}.")


def _complaint(up: Child) -> str:
    """Return what `up` said last: from the line that begins with the program's name."""
    lines = up.last_log_lines(40)
    starts = [number for number, line in enumerate(lines) if line.startswith(PROGRAM)]
    return "\n".join(lines[starts[-1] :] if starts else lines[-10:]).removeprefix(PROGRAM)


def _end(up: Child) -> None:
    """Let it stop in order; its children are in process groups of their own."""
    if up.is_alive:
        up.signal(signal.SIGTERM)
    while up.is_alive:
        time.sleep(POLL_SECONDS)
