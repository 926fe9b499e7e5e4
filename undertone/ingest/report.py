"""The report of an ingest: one JSON line for each problem, with its place in the file. It quotes no text."""

import json
import os
from collections.abc import Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import IO

from undertone.console import harmless
from undertone.errors import UsageProblem
from undertone.ingest.batches import Rejection

_NOT_KNOWN = "is not a known member"
"""As the ingress says it (services/ingress/refusals.py)."""
_MOST_PROBLEMS = 1_000
"""Of one entry, that are looked at."""


def check_report_path(path: Path, inputs: Sequence[Path]) -> None:
    """Refuse a place for the report where it would destroy something or cannot be written. Raises UsageProblem."""
    if path.is_dir():
        raise UsageProblem(f"--report {path} is a folder; give the name of a file.")
    if path.resolve() in {file.resolve() for file in inputs}:
        raise UsageProblem(f"--report {path} is one of the files to ingest; it would be overwritten.")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise UsageProblem(f"--report {path} cannot be written; does its folder exist?")
    if path.exists() and not _is_report(path):
        raise UsageProblem(f"--report {path} exists and is no earlier report; it would be overwritten.")


def _is_report(path: Path) -> bool:
    """Whether the file is empty or begins with a line that a report would have."""
    with path.open("rb") as stream:
        line = stream.readline(1024 * 1024)
    try:
        return not line or "problem" in json.loads(line)
    except (ValueError, TypeError):
        return False


def first_problem(path: Path) -> str:
    """The first problem of a report for a person: its place in the file, the field, and what is wrong.

    Of those of one entry it is a member that is not known: a slip there is why others are missing.
    """
    with path.open(encoding="utf-8") as stream:
        members = json.loads(stream.readline())
        unit = next(name for name in members if name not in {"file", "conversation_id", "field", "problem"})
        of_the_same = takewhile(lambda one: one.get(unit) == members[unit], map(json.loads, stream))
        problems = [members, *islice(of_the_same, _MOST_PROBLEMS)]
    members = next((one for one in problems if str(one["problem"]).startswith(_NOT_KNOWN)), members)
    place = [str(members["file"]), f"{unit} {members[unit]}", str(members.get("field") or "")]
    return harmless(f"{', '.join(filter(None, place))}: {members['problem']}")


class Report:
    """Opened at the first rejection, so that an ingest without problems leaves no file."""

    def __init__(self, path: Path, source: Path, unit: str, *, keep_bytes: int = 0) -> None:
        """`keep_bytes` is how much of an interrupted ingest's report still holds."""
        self.path = path
        self._source = source
        self._unit = unit
        self._keep_bytes = keep_bytes
        self._stream: IO[bytes] | None = None

    def write(self, rejections: Sequence[Rejection]) -> int:
        """Add the problems; return the report's size in bytes, once they are in the file."""
        if not rejections:
            return self._keep_bytes if self._stream is None else self._stream.tell()
        stream = self._stream or self._open()
        for rejection in rejections:
            for field, problem in rejection.problems:
                stream.write(self._line(rejection, field, problem))
        stream.flush()
        return stream.tell()

    def _line(self, rejection: Rejection, field: str, problem: str) -> bytes:
        members = {
            "file": str(self._source),
            self._unit: rejection.number,
            "conversation_id": rejection.conversation_id,
            "field": field or None,
            "problem": problem,
        }
        present = {name: value for name, value in members.items() if value is not None}
        # An id may hold anything that the file held, a lone surrogate too.
        return json.dumps(present, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"

    def _open(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stream = self.path.open("r+b" if self.path.exists() and self._keep_bytes else "wb")
        stream.truncate(self._keep_bytes)
        stream.seek(0, 2)
        self._stream = stream
        return stream

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
