"""Conversations from the "Customer Support on Twitter" CSV: its reply chains, rebuilt with constant memory."""

import csv
import io
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from undertone.errors import CommandError, UsageProblem
from undertone.ingest.csv_rows import CsvRows
from undertone.ingest.entries import Entry, Found, Unreadable
from undertone.ingest.opening import DAMAGED, DAMAGED_GZIP, InputFile
from undertone.ingest.threads import StoredTweet, ThreadStore
from undertone.ingest.tweets import BadRow, Columns, Tweet

_ROWS_A_STATEMENT = 5000
_DISK_PER_BYTE = 3
"""The store with its indexes and temporary files, measured on rows of this kind: 2.2 times the file."""


class TwitterCsv:
    """Reads all rows into a store beside the resume file, then yields whole conversations.

    The conversation's id is `twitter-` and the id of its first tweet.
    """

    unit = "line"

    def __init__(self, file: InputFile, store_path: Path) -> None:
        """Raises UsageProblem when columns are missing or the disk is too full."""
        self._file = file
        self._store_path = store_path
        self._columns = _read_header(file)
        self._given = 0
        self._total = 0
        self._store: ThreadStore | None = None

    def share_done(self) -> float:
        """Reading the rows is one fifth of the way; sending the conversations is the rest."""
        if self._store is None:
            return self._file.share_done() / 5
        return 0.2 + 0.8 * self._given / max(1, self._total)

    def prepare(self) -> Iterator[None]:
        """Read the rows, yielding now and then so that progress can be shown; once."""
        if self._store is not None:
            return
        self._refuse_full_disk()
        self._store_path.parent.mkdir(parents=True, exist_ok=True)
        try:
            store = ThreadStore(self._store_path)
            if not store.is_complete:
                yield from self._fill(store)
        except sqlite3.Error as error:
            raise CommandError(f"{self._store_path} cannot hold the reply chains: {error}.") from error
        self._total = store.count()
        self._store = store

    def _fill(self, store: ThreadStore) -> Iterator[None]:
        store.begin()
        rows = self._rows(store)
        while part := list(islice(rows, _ROWS_A_STATEMENT)):
            store.add(part)
            yield
        store.complete()

    def entries(self, skip: int = 0) -> Iterator[Found]:
        """Rows that are no tweets first, then the conversations."""
        for _ in self.prepare():
            pass
        assert self._store is not None  # prepare has made it
        for number, found in enumerate(self._all(self._store), start=1):
            self._given = number
            if number > skip:
                yield found

    @staticmethod
    def _all(store: ThreadStore) -> Iterator[Found]:
        for line, field, problem in store.rejected():
            yield Unreadable(line, problem, field)
        for thread in store.conversations():
            yield _conversation(thread)

    def newest(self, latest: datetime) -> datetime | None:
        """The time of the newest tweet up to `latest`; the newest of all when every one is later."""
        for _ in self.prepare():
            pass
        assert self._store is not None  # prepare has made it
        newest_ms = self._store.newest_ms(int(latest.timestamp() * 1000))
        return datetime.fromtimestamp(newest_ms / 1000, UTC) if newest_ms is not None else None

    def close(self, *, is_finished: bool) -> None:
        """Remove the store of a file that was ingested whole; keep it for the next run otherwise."""
        if self._store is not None:
            self._store.delete() if is_finished else self._store.close()
            self._store = None

    def _rows(self, store: ThreadStore) -> Iterator[tuple[int, Tweet]]:
        with self._file.open() as stream:
            # What is not UTF-8 stays visible as lone surrogates, so that only its own row is refused.
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
            rows = CsvRows(text, self._columns.count)
            rows.next()  # the header
            while True:
                try:
                    row = rows.next()
                    if row is None:
                        return
                    if row:
                        yield rows.line, self._columns.read(row)
                except BadRow as error:
                    store.reject(rows.line, error.field, error.problem)
                except DAMAGED_GZIP:
                    store.reject(rows.line, "", DAMAGED)
                    return

    def _refuse_full_disk(self) -> None:
        needed = self._file.size * _DISK_PER_BYTE * (3 if self._file.is_gzip else 1)
        folder = next(parent for parent in self._store_path.absolute().parents if parent.exists())
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise UsageProblem(
                f"Putting the reply chains of {self._file.path} together needs about {needed // 1_000_000} MB in "
                f"{folder}, where {free // 1_000_000} MB are free; UNDERTONE_HOME names another folder."
            )


def _read_header(file: InputFile) -> Columns:
    text = file.head(64 * 1024).decode(errors="surrogateescape")
    header = next(csv.reader(io.StringIO(text, newline="")), [])
    try:
        return Columns(header)
    except ValueError as error:
        if not _is_utf8(header):
            raise UsageProblem(
                f"The header of {file.path} is not UTF-8; where the file is in Latin-1, convert it first: "
                f"{file.recoding('LATIN1')}"
            ) from error
        raise UsageProblem(
            f"{file.path} {error}. Bring other tables as JSONL, a conversation a line: "
            f'{{"conversation_id": "…", "turns": [{{"text": "…"}}]}}.'
        ) from error


def _is_utf8(header: Sequence[str]) -> bool:
    return not any("\udc80" <= character <= "\udcff" for name in header for character in name)


def _conversation(thread: list[StoredTweet]) -> Entry:
    first = thread[0]
    turns = [
        {
            "role": "customer" if tweet.is_from_customer else "agent",
            "author": tweet.author or None,
            "text": tweet.text,
            "at": datetime.fromtimestamp(tweet.at_ms / 1000, UTC).isoformat(),
        }
        for tweet in thread
    ]
    return Entry(first.line, {"conversation_id": f"twitter-{first.id}", "channel": "twitter", "turns": turns})
