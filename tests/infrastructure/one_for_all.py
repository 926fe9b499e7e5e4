"""One server for all workers of a run: the first that needs it starts it, and stops it when nobody uses it any more."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def one_for_all(address_file: Path, started: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Yield the address of the server that all processes share which name this file; `started` starts one.

    Whoever started it waits at the end until the others are done or dead: the locks are the system's.
    """
    with (
        address_file.with_suffix(".entering").open("w") as entering,
        address_file.with_suffix(".using").open("w") as using,
        ExitStack() as server,
    ):
        with _alone(entering):
            is_ours = not address_file.exists()
            if is_ours:
                address_file.write_text(server.enter_context(started()))
            fcntl.flock(using, fcntl.LOCK_SH)
        try:
            yield address_file.read_text()
        finally:
            if is_ours:
                with _alone(entering):  # who comes now waits, and starts one of its own
                    fcntl.flock(using, fcntl.LOCK_EX)
                    address_file.unlink()


@contextmanager
def _alone(file: IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
