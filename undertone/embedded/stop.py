"""Stop a stack from outside: ask its `up`, or end what a killed `up` left behind; remove its data when asked."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from undertone.embedded.accounts import choose_postgres_place
from undertone.embedded.errors import NotRunningError, StackError
from undertone.embedded.identity import is_same_process, kill_group
from undertone.embedded.postgres import find_binaries
from undertone.embedded.process import POLL_SECONDS
from undertone.embedded.reporter import Reporter
from undertone.embedded.state import LOCK_FILE, STATE_FILE, ProcessState, StackState, hold_home, read_state

STOP_ORDER = (("ingress", "analyzer"), ("sink",), ("kafka", "postgres"))
"""Nothing new comes in, outcomes are published, stored; then the servers."""

UP_STOP_SECONDS = 120
SURVIVOR_STOP_SECONDS = 40


def stop_running(home: Path, reporter: Reporter) -> None:
    """Stop the stack of this state folder, whether its `up` lives or was killed.

    Raises NotRunningError when nothing runs.
    """
    state = read_state(home)
    if state is None or not (state.is_alive or state.survivors):
        raise NotRunningError(f"No stack runs in {home}; --home or UNDERTONE_HOME names another folder.")
    if state.is_alive:
        reporter.begins("undertone", "stopping")
        os.kill(state.pid, signal.SIGTERM)
        if not _wait_until(lambda: not is_same_process(state.pid, state.started_at), UP_STOP_SECONDS):
            kill_group(state.pid)
        reporter.done("undertone", "stopped")
    stop_survivors(read_state(home) or state, reporter)


def stop_survivors(state: StackState, reporter: Reporter) -> None:
    """Stop, in order, the processes whose `up` is gone."""
    for names in STOP_ORDER:
        alive = {name: process for name, process in state.survivors.items() if name in names}
        for name, process in alive.items():
            reporter.begins(name, "stopping")
            _ask_to_stop(name, process)
        for name, process in alive.items():
            _wait_until(lambda process=process: not process.is_alive, SURVIVOR_STOP_SECONDS)  # type: ignore[misc]
            kill_group(process.pid)
            reporter.done(name, "stopped")


def purge(home: Path, reporter: Reporter) -> None:
    """Remove what the stack keeps, and nothing else that may lie in the folder.

    How far replays and ingests came goes, too: it counts by a Kafka that is no more.
    Raises AlreadyRunningError while an `up` holds it.
    """
    if not home.exists():
        return
    with hold_home(home):
        choose_postgres_place(home, find_binaries()).remove()
        for folder in ("postgres", "kafka", "logs", "replays", "ingest"):
            shutil.rmtree(home / folder, ignore_errors=True)
        (home / STATE_FILE).unlink(missing_ok=True)
        (home / LOCK_FILE).unlink(missing_ok=True)
    if not any(home.iterdir()):
        home.rmdir()
    reporter.note(f"Removed the data of {home}.")


def _ask_to_stop(name: str, process: ProcessState) -> None:
    try:
        os.kill(process.pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise StackError(f"{name} (pid {process.pid}) belongs to another user: stop it as that user.") from None


def _wait_until(condition: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
