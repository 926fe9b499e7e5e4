"""A child process of the stack: its own process group, a log file, an ordered stop, last words when it dies.

Built on Popen and conditions polled with a deadline, so that a child belongs to no event loop: a test may
start it in one and stop it in another.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from undertone.embedded.errors import NotReadyError, StackError
from undertone.embedded.identity import kill_group, process_start_time

POLL_SECONDS = 0.05
LOG_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Account:
    """The unprivileged account that a child runs under."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """How a child is started and stopped."""

    name: str
    argv: tuple[str, ...]
    log_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_seconds: float = 20
    run_as: Account | None = None
    cwd: Path | None = None


class Child:
    """One process of the stack, and after a restart the next of the same command."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at: float | None = None
        self._log_start = 0

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def started_at(self) -> float | None:
        """The system's start time of the process: with the pid it identifies the process for good."""
        return self._started_at

    @property
    def exit_code(self) -> int | None:
        """None while it runs (or never ran); negative: killed by that signal."""
        return self._process.poll() if self._process else None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; its output is appended to the log file."""
        command = self.command
        command.log_file.parent.mkdir(parents=True, exist_ok=True)
        _keep_one_old_log(command.log_file)
        account = command.run_as
        # A child of its own session gets no Ctrl-C from the terminal: we stop it, in order.
        with command.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(command.environment),
                cwd=command.cwd,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        self._started_at = process_start_time(self._process.pid)

    def last_log_lines(self, count: int = 10) -> list[str]:
        """Return what this run of the process wrote last."""
        try:
            with self.command.log_file.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, size - 64 * 1024))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return []
        return [line for line in text.splitlines() if line.strip()][-count:]

    async def exited(self) -> int:
        """Wait until the process has ended; return its exit code."""
        while (code := self.exit_code) is None:  # noqa: ASYNC110 - the condition is the system's, not ours
            await asyncio.sleep(POLL_SECONDS)
        return code

    async def stop(self) -> None:
        """Ask it to stop, wait, then insist. Returns when the whole process group is gone."""
        if self._process is None:
            return
        if self.is_alive:
            self._process.send_signal(self.command.stop_signal)
            deadline = time.monotonic() + self.command.stop_grace_seconds
            while time.monotonic() < deadline and self.exit_code is None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(POLL_SECONDS)
        self.kill()
        await self.exited()

    def kill(self) -> None:
        """End the whole process group at once, what the process itself left behind included."""
        if self._process is not None:
            kill_group(self._process.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process (a test pauses one with SIGSTOP)."""
        if self._process is not None:
            self._process.send_signal(number)


async def started(child: Child, is_ready: Callable[[], Awaitable[bool]], *, within_seconds: float) -> None:
    """Wait until a started child is ready.

    Raises StackError with its last log lines when it dies first, NotReadyError when the time is over.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if (code := child.exit_code) is not None:
            raise StackError(died_text(child, code))
        if await is_ready():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise NotReadyError(f"{child.name} is not ready after {within_seconds:g} s.{_tail_text(child)}")


def died_text(child: Child, code: int, lines: int = 10) -> str:
    """Say how a child ended, with its last log lines."""
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"{child.name} {how}.{_tail_text(child, lines)}"


def _tail_text(child: Child, count: int = 10) -> str:
    lines = child.last_log_lines(count)
    if not lines:
        return f" Its log {child.command.log_file} is empty."
    return f" The end of its log {child.command.log_file}:\n" + "\n".join(f"    {line}" for line in lines)


def _keep_one_old_log(log_file: Path) -> None:
    if log_file.exists() and log_file.stat().st_size > LOG_LIMIT_BYTES:
        log_file.replace(log_file.with_suffix(log_file.suffix + ".1"))
