"""The folder in which the processes of one ingress count together, gone with it also after a kill.

A folder is held by a lock that the system lets go of however its process ends; whoever starts removes the folders that
nobody holds any more. That tells the dead from the living also where process ids do not: in containers that share /tmp.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "undertone-ingress-metrics-"
_PREFIX_UNHELD = "undertone-ingress-starting-"
"""Until it is locked nobody else may find it."""
_LOCK = "held"


@contextmanager
def metrics_folder() -> Iterator[str]:
    """A new folder, removed at the end; what killed processes left is removed first."""
    parent = Path(tempfile.gettempdir())
    _remove_left(parent)
    unheld = Path(tempfile.mkdtemp(prefix=_PREFIX_UNHELD, dir=parent))
    with _lock(unheld, os.O_CREAT):
        folder = unheld.rename(parent / unheld.name.replace(_PREFIX_UNHELD, _PREFIX))
        try:
            yield str(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # Another user's, another start's that removes it too, or one that is held.
        with suppress(OSError), _lock(folder):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lock(folder: Path, flags: int = 0) -> Iterator[None]:
    """Hold the folder. Raises OSError when another process does, and when its lock is not there."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
