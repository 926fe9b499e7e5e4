"""A replay on disk: what it is, which records it sends, and how far it came.

`NAME.json` and `NAME.selection` are written before the first record is sent; the selection never changes. Files are
replaced by renaming, so a kill leaves the old or the new one. The progress that they tell may lag behind what was
sent: the replay topic has the last word (checkpoint.py).
"""

import fcntl
import json
import os
import re
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from undertone.errors import CommandError, UsageProblem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Selection = Mapping[int, "array[int]"]
"""Offsets in conversations.received.v1 by partition, ascending."""


class State(StrEnum):
    """How a replay stands; one that is `sending` while no process has it was killed."""

    SENDING = "sending"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be sent."""
        return self in {State.CANCELLED, State.DONE}


@dataclass(slots=True)
class Replay:
    """What a replay is, and how far it came."""

    name: str
    replay_id: str
    created_at: str
    kafka: str
    """Bootstrap servers and topic prefix: a plan's offsets mean nothing elsewhere."""
    asked: str
    """The selection as a person wrote it."""
    analysis_version: str | None
    counts: dict[str, int]
    """Selected records by partition of conversations.received.v1."""
    positions: dict[str, int]
    """By partition of the replay topic: nothing that this replay wrote before is missing in `settled`."""
    settled: dict[str, int] = field(default_factory=dict)
    """By partition of conversations.received.v1: everything selected before this offset is settled."""
    rate: float = 0.0
    state: State = State.SENDING
    written: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """Why some were not sent, with how many: erased, superseded, undecodable, too large, expired."""
    cluster: str | None = None
    """The id of the Kafka cluster: another one at the same address has other records. Plans of old have none."""

    @property
    def selected(self) -> int:
        return sum(self.counts.values())

    @property
    def pending(self) -> int:
        """How many are neither written nor left out."""
        return self.selected - self.written - sum(self.left_out.values())

    @property
    def transactional_id(self) -> str:
        """Under which it writes, so that whoever goes on with it shuts out who wrote before."""
        return f"undertone-replay-{self.replay_id}"

    def is_of_another(self, cluster: str | None) -> bool:
        """Whether its offsets count by another Kafka than this; what is not known is taken as it is."""
        return None not in {self.cluster, cluster} and self.cluster != cluster

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Note that some will not be sent."""
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count


class Plans:
    """The replays of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Every replay there is."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def exists(self, name: str) -> bool:
        return self._path(name, "json").exists()

    def create(self, replay: Replay, selection: Selection) -> None:
        """Write down a replay before it starts."""
        self._folder.mkdir(parents=True, exist_ok=True)
        chosen = b"".join(selection[partition].tobytes() for partition in sorted(selection))
        _replace(self._path(replay.name, "selection"), chosen)
        self.save(replay)

    def save(self, replay: Replay) -> None:
        """Remember how far it is."""
        _replace(self._path(replay.name, "json"), json.dumps(asdict(replay), indent=1).encode())

    def load(self, name: str) -> Replay:
        """Raises UsageProblem when there is none of this name."""
        try:
            members: dict[str, Any] = json.loads(self._path(name, "json").read_bytes())
            return Replay(**members | {"state": State(members["state"])})
        except FileNotFoundError as error:
            known = ", ".join(self.names()) or "none yet"
            raise UsageProblem(f"There is no replay {name[:64]!r} in this folder; there are: {known}.") from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CommandError(f"{self._path(name, 'json')} is damaged: start a new replay.") from error

    def selection(self, replay: Replay) -> dict[int, "array[int]"]:
        """What it sends. Raises CommandError when the file is gone or damaged."""
        found = array("q")
        path = self._path(replay.name, "selection")
        try:
            found.frombytes(path.read_bytes())
        except (OSError, ValueError):
            found = array("q")
        if len(found) != replay.selected:
            raise CommandError(f"{path} is gone or damaged: start a new replay.")
        selection: dict[int, array[int]] = {}
        start = 0
        for partition in sorted(map(int, replay.counts)):
            count = replay.counts[str(partition)]
            selection[partition] = found[start : start + count]
            start += count
        return selection

    def ask(self, name: str, wanted: State) -> None:
        """Ask the process that sends it to pause or to cancel; it looks after every transaction."""
        _replace(self._path(name, "wanted"), wanted.value.encode())

    def asked(self, name: str) -> State | None:
        """What was asked for, if anything."""
        try:
            return State(self._path(name, "wanted").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def is_held(self, name: str) -> bool:
        """Whether a process has it now."""
        try:
            with self.held(name):
                return False
        except CommandError:
            return True

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold the replay for this process; what was asked of an earlier one is void.

        Raises CommandError when another process has it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path(name, "lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CommandError(
                    f"Another process is sending the replay {name} now; `undertone replay pause {name}` stops it."
                ) from error
            yield
        finally:
            os.close(descriptor)

    def forget_request(self, name: str) -> None:
        """What was asked for was done, or came too late."""
        with suppress(FileNotFoundError):
            self._path(name, "wanted").unlink()

    def _path(self, name: str, kind: str) -> Path:
        return self._folder / f"{check_name(name)}.{kind}"


def check_name(name: str) -> str:
    """Return the name. Raises UsageProblem for one that cannot be a file's."""
    if not _NAME.fullmatch(name) or name.endswith((".json", ".selection", ".lock", ".wanted")):
        raise UsageProblem(f"{name[:64]!r} cannot name a replay; use 1 to 64 of A-Z a-z 0-9 . _ -.")
    return name


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + ".draft")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
