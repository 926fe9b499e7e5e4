"""What an `up` leaves for `down` and `status`: addresses and processes in a file, and a lock while it lives.

A process is known by its pid and its start time, so that a state file which a killed `up` left behind never
points at somebody else's process.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from undertone.embedded.errors import AlreadyRunningError, WrongSettingError
from undertone.embedded.identity import is_same_process, process_start_time

STATE_FILE = "state.json"
LOCK_FILE = "lock"

Phase = Literal["starting", "running", "stopping", "stopped"]


@dataclass(frozen=True)
class ProcessState:
    """A process as the state file knows it; `started_at` is the system's start time of that pid."""

    pid: int
    started_at: float | None
    restarts: int
    log: str

    @property
    def is_alive(self) -> bool:
        return is_same_process(self.pid, self.started_at)


@dataclass(frozen=True)
class StackState:
    """One run of the stack. `addresses` are URLs, and HOST:PORT for Kafka."""

    phase: Phase
    pid: int
    started_at: float | None
    addresses: dict[str, str]
    processes: dict[str, ProcessState] = field(default_factory=dict)
    postgres_data: str | None = None

    @property
    def is_alive(self) -> bool:
        """Tell whether the `up` that wrote this still runs."""
        return is_same_process(self.pid, self.started_at)

    @property
    def survivors(self) -> dict[str, ProcessState]:
        """Processes that still run, in the order in which they were started."""
        return {name: process for name, process in self.processes.items() if process.is_alive}


def own_identity() -> tuple[int, float | None]:
    """Return the pid and start time of this process."""
    return os.getpid(), process_start_time(os.getpid())


def read_state(home: Path) -> StackState | None:
    """Return what the last `up` on this folder wrote; None when there was none (or it is not readable)."""
    try:
        members: dict[str, Any] = json.loads((home / STATE_FILE).read_text())
        processes = {name: ProcessState(**process) for name, process in members.pop("processes").items()}
        return StackState(**members, processes=processes)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_state(home: Path, state: StackState) -> None:
    """Replace the state file in one step: a reader sees the old or the new one."""
    unfinished = home / f"{STATE_FILE}.unfinished"
    unfinished.write_text(json.dumps(asdict(state), indent=2) + "\n")
    unfinished.replace(home / STATE_FILE)


def make_home(home: Path) -> None:
    """Make the state folder. Raises WrongSettingError when it cannot be one."""
    try:
        str(home).encode()
    except UnicodeEncodeError:
        raise WrongSettingError(
            f"The state folder {str(home)!r} has a name that is not UTF-8, which Kafka and Postgres cannot be given; "
            "name another one with --home or UNDERTONE_HOME."
        ) from None
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file" if home.is_file() else f"cannot be made: {error.strerror}"
        raise WrongSettingError(
            f"The state folder {home} {reason}; name another one with --home or UNDERTONE_HOME."
        ) from None


@contextmanager
def hold_home(home: Path) -> Iterator[None]:
    """Make the state folder and hold it; the system lets go of it however this process ends.

    Raises AlreadyRunningError when another process holds it, WrongSettingError for a place where none can be.
    """
    make_home(home)
    with (home / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(home)
            who = f" (pid {state.pid})" if state and state.is_alive else ""
            raise AlreadyRunningError(
                f"Undertone runs already on {home}{who}: see `undertone status`, stop it with `undertone down`."
            ) from None
        yield
