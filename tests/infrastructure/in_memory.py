"""The files of a run in memory, where the machine has some to spare.

A database is a thousand files and a test has one of its own: on a disk each file costs half a millisecond of CPU, in
memory a thirtieth of that.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

SHARED_MEMORY: Final = Path("/dev/shm")
LEAST_FREE_BYTES: Final = 6 * 2**30
"""Several times what a run takes, since the tests need memory, too."""
_PREFIX: Final = "undertone-tests-"


def use_memory_for_temporary_files(memory: Path = SHARED_MEMORY) -> Callable[[], None] | None:
    """Make `tempfile` and every process started from now on use a folder in memory; returns what removes it.

    None, and nothing is changed, when somebody chose a folder (TMPDIR), or where programs could not run from it, or
    less than LEAST_FREE_BYTES are free there.
    """
    if "TMPDIR" in os.environ or not _has_room(memory):
        return None
    _remove_those_of_the_dead(memory)
    folder = memory / f"{_PREFIX}{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o755)  # in a root shell Postgres walks here as another account
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None

    def remove() -> None:
        del os.environ["TMPDIR"]
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)

    return remove


def _has_room(memory: Path) -> bool:
    try:
        told = os.statvfs(memory)
    except OSError:
        return False
    return not told.f_flag & os.ST_NOEXEC and told.f_bavail * told.f_frsize >= LEAST_FREE_BYTES


def _remove_those_of_the_dead(memory: Path) -> None:
    """A run that was killed could not tidy up after itself."""
    for folder in memory.glob(f"{_PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(_PREFIX)).exists():
            shutil.rmtree(folder, ignore_errors=True)
