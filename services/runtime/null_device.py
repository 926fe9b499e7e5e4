"""The null device in the place of a standard stream: nobody who reads, and nothing to read."""

import os
from typing import Final

_STANDARD_OUTPUT: Final = 1


def replace_by_null_device(descriptor: int, flags: int) -> None:
    """Let a descriptor, open or not, lead to the null device; `flags` as `os.open` takes them."""
    opened = os.open(os.devnull, flags)
    if opened == descriptor:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - it takes no names
    else:
        os.dup2(opened, descriptor)
        os.close(opened)


def discard_output() -> None:
    """For output that nobody takes any more: Python flushes it at exit once more, and would complain."""
    replace_by_null_device(_STANDARD_OUTPUT, os.O_WRONLY)
