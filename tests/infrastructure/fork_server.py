"""Our own programs as real processes that begin in milliseconds: forked from one that has imported everything.

Half the CPU of the tests went into Python importing services and commands: up to two seconds each time, hundreds of
times. Once installed, `subprocess` asks a fork server for `python -m services.…` and `python -m undertone`; everything
else starts as ever. What comes is a process like any other, a child of the test's own, with its pid, environment,
folder, files and session: it can be signalled, killed with -9 and waited for.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

PROGRAMS: Final = ("services.ingress", "services.analyzer", "services.sink", "services.sink.migrate", "undertone")
READ_AT_START: Final = ("PYTHON", "LC_", "LANG", "TZ", "PROMETHEUS_MULTIPROC", "FAUST_", "MODE_")
"""Variables that matter before a program's first line: whoever gives one another value gets a new interpreter."""
_PR_SET_CHILD_SUBREAPER: Final = 36
_STANDARD_FILES: Final = 3
_LONGEST_ANSWER: Final = 32


@dataclass(frozen=True, slots=True)
class Start:
    """What a process is to be."""

    module: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    has_own_session: bool


class ForkServer:
    """A process that has imported our programs, and forks itself on request."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "tests.infrastructure.fork_server_process", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd=Path(__file__).parents[2],
            )

    def start(self, start: Start, files: Sequence[int]) -> int:
        """Begin a process whose standard input, output and error are these files; returns its pid."""
        request = json.dumps(asdict(start)).encode()
        _adopt_orphans(True)
        try:
            socket.send_fds(self._ours, [len(request).to_bytes(_STANDARD_FILES + 1, "big")], list(files))
            self._ours.sendall(request)
            answer = self._ours.recv(_LONGEST_ANSWER)
        finally:
            _adopt_orphans(False)
        if not answer:
            raise ChildProcessError(f"the fork server of the tests ended with {self._process.wait()}")
        return int(answer)


def _adopt_orphans(wanted: bool) -> None:
    """Whether a descendant that has lost its parent becomes our child, and with it ours to wait for.

    Only while the server hands a process over: what a test leaves behind must not become ours.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


_Popen = subprocess.Popen
_server: ForkServer | None = None


class _ForkingPopen(_Popen[Any]):
    """`Popen` that asks the fork server where it can."""

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, *rest: Any) -> None:
        given = _by_name(rest)
        start = None if executable or preexec_fn or given is None else _start_of(args, given)
        if start is None:
            super()._execute_child(args, executable, preexec_fn, *rest)  # type: ignore[misc]  # typeshed hides it
            return
        assert given is not None
        global _server  # noqa: PLW0603 - one a process, begun when it is needed
        _server = _server or ForkServer()
        ends = (given["p2cread"], given["c2pwrite"], given["errwrite"])
        self.pid = _server.start(start, [own if end == -1 else end for own, end in enumerate(ends)])
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[name] for name in pipes))  # type: ignore[attr-defined]  # as above


def _by_name(rest: Sequence[Any]) -> dict[str, Any] | None:
    """The arguments of Python's private method; None when this Python has others."""
    names = (
        *("close_fds", "pass_fds", "cwd", "env", "startupinfo", "creationflags", "shell"),
        *("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite", "restore_signals"),
        *("gid", "gids", "uid", "umask", "start_new_session", "process_group"),
    )
    return dict(zip(names, rest, strict=True)) if len(names) == len(rest) else None


def _start_of(args: Any, given: Mapping[str, Any]) -> Start | None:
    """What the server is asked for; None for what it has no answer to."""
    given_words = [args] if isinstance(args, str | bytes | os.PathLike) else args
    words = [os.fsdecode(word) for place, word in enumerate(given_words) if (place, word) != (1, "-P")]
    environment = dict(os.environ if given["env"] is None else given["env"])
    is_ordinary = (
        words[:2] != [sys.executable, "-m"]
        or words[2] not in PROGRAMS
        or given["shell"]
        or given["pass_fds"]
        or any(given[name] is not None for name in ("uid", "gid", "gids"))
        or given["process_group"] != -1
        or _read_at_start(environment) != _read_at_start(os.environ)
    )
    if is_ordinary:
        return None
    folder = Path(given["cwd"] or ".").resolve()
    return Start(words[2], words[3:], environment, str(folder), has_own_session=given["start_new_session"])


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def install() -> None:
    """From here on `subprocess`, and asyncio with it, forks our programs where Linux lets it."""
    if sys.platform == "linux":
        subprocess.Popen = _ForkingPopen  # type: ignore[misc]  # that is the point
