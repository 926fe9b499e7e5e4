"""The resume file: how far an ingest came, so that the same command goes on there.

It is written by renaming, so a kill leaves the old or the new one. It may lag behind what was sent by a second:
what is sent twice has the same ids and changes nothing.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from undertone.errors import CommandError
from undertone.ingest.opening import open_bytes

_EDGE_BYTES = 64 * 1024


@dataclass(slots=True)
class Progress:
    """How far a file is done, and with what result; `anchor` is the `now` that dates were computed from."""

    source: str
    anchor: str
    entries: int = 0
    accepted: int = 0
    rejected: int = 0
    report_bytes: int = 0

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.anchor)


def fingerprint(path: Path, *, destination: str, options: str) -> str:
    """The name under which an ingest of this file, to this place, with these options is remembered."""
    described = "\n".join((str(path.resolve()), destination, options))
    return hashlib.sha256(os.fsencode(described)).hexdigest()[:16]  # a file's name may be no UTF-8


def describe_source(path: Path) -> str:
    """What tells a changed file from the same one: size, time of change, and both ends of its content.

    Raises UsageProblem when it cannot be read.
    """
    status = path.stat()
    digest = hashlib.sha256()
    with open_bytes(path) as stream:
        digest.update(stream.read(_EDGE_BYTES))
        stream.seek(max(0, status.st_size - _EDGE_BYTES))
        digest.update(stream.read(_EDGE_BYTES))
    return f"{status.st_size} bytes, changed {status.st_mtime_ns}, {digest.hexdigest()[:16]}"


class Checkpoint:
    """The resume file of one ingest."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Progress | None:
        """What an interrupted ingest left; None when there was none, or its file is damaged."""
        try:
            members = json.loads(self._path.read_text(encoding="utf-8"))
            progress = Progress(**members)
            _ = progress.now
        except (OSError, ValueError, TypeError):
            return None
        return progress

    def save(self, progress: Progress) -> None:
        """Remember how far the ingest is."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        draft.replace(self._path)

    def forget(self) -> None:
        """The file was ingested whole."""
        self._path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this ingest for this process. Raises CommandError when another one is at it."""
        path = self._path.with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held: whoever waits for this file sees that it is gone
            os.close(descriptor)


def _lock(path: Path) -> int:
    """Make the file and lock it. Raises CommandError when another process holds it.

    A file that its holder removed between our opening and our locking locks nobody out: then it is made anew.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise CommandError("Another process is ingesting this file at this moment; wait for it.") from error
        if _is_file_at(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_file_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
