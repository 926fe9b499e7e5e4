"""Standard input, output and error as every command may rely on them, however the shell has left them.

A stream that was closed (`>&-`, `<&-`) is nobody who reads, and nothing to read: the null device takes its place, for
the processes that a command starts, too. What the encoding of standard output cannot hold is replaced: a command that
has done its work does not fail over a quotation mark.
"""

import contextlib
import io
import os
import sys

from services.runtime.null_device import discard_output, replace_by_null_device

_OPENED = {0: os.O_RDONLY, 1: os.O_WRONLY, 2: os.O_WRONLY}


def prepare() -> None:
    """Before anything is read or written. Done again, it changes nothing."""
    for number, flags in _OPENED.items():
        _open_if_closed(number, flags)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process lives
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # standard error does the like by itself: "backslashreplace"


def give_up_output() -> None:
    """Let go of what standard output does not take any more, if there is such."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        discard_output()


def _open_if_closed(number: int, flags: int) -> None:
    """Give the descriptor to the null device, so that no file that is opened later becomes our output."""
    with contextlib.suppress(OSError):
        os.fstat(number)
        return
    replace_by_null_device(number, flags)
