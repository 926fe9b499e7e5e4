"""An ingest of several files: opening, resuming and dating each, and adding up what became of them."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from schemas.conversation_received import CLOCK_TOLERANCE
from undertone.console import say
from undertone.errors import UsageProblem
from undertone.ingest.checkpoint import Checkpoint, Progress, describe_source, fingerprint
from undertone.ingest.entries import Entry
from undertone.ingest.formats import AnyReader, open_reader
from undertone.ingest.outgoing import Dating, newest_until
from undertone.ingest.report import Report
from undertone.ingest.run import Ingest, Options, Watcher
from undertone.ingest.sending import Sender
from undertone.ingest.twitter_csv import TwitterCsv
from undertone.ingest.watching import Unwatched, watching


@dataclass(frozen=True, slots=True)
class Job:
    """What the command was asked: which files, where to, and how to date and cut them."""

    files: Sequence[Path]
    destination: str
    state_folder: Path
    report_path: Path | None = None
    format_name: str = "auto"
    spread: timedelta = timedelta(0)
    shift_to_now: bool = False
    limit: int | None = None
    restart: bool = False
    is_dry_run: bool = False
    is_quiet: bool = False
    options: Options = field(default_factory=Options)

    def describe_options(self) -> str:
        """What makes two ingests of one file different ones."""
        return f"{self.format_name} {self.spread} {self.shift_to_now} {self.limit}"


@dataclass(slots=True)
class Summary:
    """What became of the files; `seconds` and `sent` are of this run, the other counts of the whole files."""

    accepted: int = 0
    rejected: int = 0
    sent: int = 0
    seconds: float = 0.0
    reports: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    """Files that hold nothing to send."""


class FileIngest:
    """One file of a job."""

    def __init__(self, job: Job, path: Path) -> None:
        """Raises UsageProblem when the file cannot be read."""
        name = path.name.split(".")[0][:40]
        mark = fingerprint(path, destination=job.destination, options=job.describe_options())
        self._job = job
        self.path = path
        self.reader: AnyReader = open_reader(path, job.format_name, job.state_folder / f"{mark}.sqlite")
        self.checkpoint = Checkpoint(job.state_folder / f"{mark}.json")
        self.report_path = job.report_path or job.state_folder / f"{name}-{mark[:6]}.rejected.jsonl"

    async def run(self, sender: Sender, summary: Summary, limit: int | None) -> None:
        """Ingest the file, going on where an interrupted ingest stopped."""
        if self._job.is_dry_run:
            await self._send(sender, summary, self._new_progress(), limit)
            return
        with self.checkpoint.locked():
            await self._send(sender, summary, self._resume(), limit)
            self.checkpoint.forget()

    def _resume(self) -> Progress:
        earlier = None if self._job.restart else self.checkpoint.load()
        if earlier is None:
            return self._new_progress()
        if earlier.source != describe_source(self.path):
            say(f"{self.path} has changed since its ingest was interrupted; it starts from the beginning.")
            return self._new_progress()
        say(f"{self.path}: going on after {earlier.entries:,} {self.reader.unit}s of an interrupted ingest.")
        return earlier

    def _new_progress(self) -> Progress:
        return Progress(describe_source(self.path), datetime.now(UTC).isoformat())

    async def _send(self, sender: Sender, summary: Summary, progress: Progress, limit: int | None) -> None:
        before = progress.accepted
        began = time.monotonic()
        report = Report(self.report_path, self.path, self.reader.unit, keep_bytes=progress.report_bytes)
        is_finished = False
        try:
            with self._watching(sender, before) as watcher:
                watcher.update(0.0, progress)
                await Ingest(
                    reader=self.reader,
                    sender=sender,
                    progress=progress,
                    report=report,
                    dating=self._dating(progress),
                    options=replace(self._job.options, limit=limit),
                    watcher=watcher,
                    checkpoint=None if self._job.is_dry_run else self.checkpoint,
                ).run()
            is_finished = True
            if not progress.entries:
                summary.empty.append(self.path)
        finally:
            summary.accepted += progress.accepted
            summary.rejected += progress.rejected
            summary.sent += progress.accepted - before
            summary.seconds += time.monotonic() - began
            if progress.rejected:
                summary.reports.append(self.report_path)
            if isinstance(self.reader, TwitterCsv):
                self.reader.close(is_finished=is_finished)

    def _watching(self, sender: Sender, accepted_before: int) -> AbstractContextManager[Watcher]:
        if self._job.is_quiet:
            return nullcontext(Unwatched())
        return watching(self.path.name, lambda: getattr(sender, "waiting_for", None), accepted_before)

    def _dating(self, progress: Progress) -> Dating:
        shift = timedelta(0)
        if self._job.shift_to_now and (newest := self._newest(progress.now + CLOCK_TOLERANCE)) is not None:
            shift = progress.now - newest
        return Dating(now=progress.now, shift=shift, spread=self._job.spread)

    def _newest(self, latest: datetime) -> datetime | None:
        """The newest date of the file; of JSON this reads it once more, since dates may stand anywhere in it.

        A date after `latest` is a mistake that the service refuses; it moves the others only when all are such.
        """
        if isinstance(self.reader, TwitterCsv):
            return self.reader.newest(latest)
        return newest_until(latest, (found.members for found in self.reader.entries() if isinstance(found, Entry)))


async def ingest_files(job: Job, sender: Sender, summary: Summary) -> None:
    """Ingest each file in turn; `summary` is kept up to date, also when this raises.

    Raises CommandError when a file cannot be read, or when sending gives up.
    """
    ingests = [FileIngest(job, path) for path in job.files]
    if job.report_path is not None and len(ingests) > 1:
        raise UsageProblem("--report names one file, but several are ingested; leave it out or ingest them one by one.")
    await sender.check()
    left = job.limit
    for ingest in ingests:
        before = summary.accepted + summary.rejected
        await ingest.run(sender, summary, left)
        if left is not None:
            left = max(0, left - (summary.accepted + summary.rejected - before))
