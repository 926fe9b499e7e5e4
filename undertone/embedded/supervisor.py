"""Keeps the parts of a running stack alive: one that dies is reported with its last words and started again.

The pause before a restart doubles from one second to thirty and is forgotten after a good minute. A part that
says that a setting is wrong (exit code 2) is not started again: it would say the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from undertone.embedded.errors import StackError, WrongSettingError
from undertone.embedded.process import Child, died_text
from undertone.embedded.reporter import Reporter
from undertone.embedded.services import WRONG_SETTING_EXIT_CODE

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
GOOD_MINUTE_SECONDS = 60.0


Start = Callable[[], Awaitable[str | None]]
"""Starts a part and waits until it is ready; returns what is worth saying beyond that."""


@dataclass(frozen=True)
class Part:
    """A child and how it is brought to readiness; `start` raises StackError when it does not come up."""

    child: Child
    start: Start


class Backoff:
    """How long to wait before the next restart, in seconds."""

    def __init__(self) -> None:
        self._next_seconds = FIRST_PAUSE_SECONDS

    def pause_after(self, lived_seconds: float) -> float:
        """Return the pause for a part that died after so many seconds of life."""
        if lived_seconds >= GOOD_MINUTE_SECONDS:
            self._next_seconds = FIRST_PAUSE_SECONDS
        pause = self._next_seconds
        self._next_seconds = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return pause


async def supervise(parts: list[Part], reporter: Reporter, changed: Callable[[], None]) -> None:
    """Watch all parts until cancelled; `changed` is called after each death and each restart.

    Raises WrongSettingError when a part cannot run with its settings.
    """
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(_keep_alive(part, reporter, changed))


async def _keep_alive(part: Part, reporter: Reporter, changed: Callable[[], None]) -> None:
    backoff = Backoff()
    while True:
        born = time.monotonic()
        code = await part.child.exited()
        part.child.kill()  # what it left behind in its process group would hold its port or its memory
        changed()
        if code == WRONG_SETTING_EXIT_CODE:
            raise wrong_setting(part.child)
        pause_seconds = backoff.pause_after(time.monotonic() - born)
        reporter.note(
            f"{died_text(part.child, code, lines=4)}\nStarting {part.child.name} again in {pause_seconds:g} s."
        )
        await asyncio.sleep(pause_seconds)
        await _start_again(part, reporter)
        changed()


async def _start_again(part: Part, reporter: Reporter) -> None:
    part.child.restarts += 1
    reporter.begins(part.child.name, "starting again")
    try:
        said = await part.start()
    except StackError as error:
        if part.child.exit_code is None:  # alive and not ready yet: it may be waiting for another part
            reporter.note(str(error))
        return  # dead: the next turn says so
    reporter.done(part.child.name, said or "ready again")


def wrong_setting(child: Child) -> WrongSettingError:
    """Return the error for a part that ended with exit code 2: its own last line says what is wrong."""
    said = child.last_log_lines(1)
    return WrongSettingError(f"{child.name}: {said[0] if said else 'a setting is wrong'}")
