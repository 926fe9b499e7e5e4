"""What every route needs: the database, the clock, and paging."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.sink.cursors import Cursor, InvalidCursor, question_of, read_cursor, write_cursor
from services.sink.database import Database, too_slow
from services.sink.endpoints.parameters import WindowParameters, refused
from services.sink.lag import LagReader
from services.sink.sql import reads as sql
from services.sink.versioning.offers import OffersReader
from services.sink.windows import Window


@dataclass
class ReadContext:
    """Handed to the routes by the composition root."""

    database: Database
    lag: LagReader
    offers: OffersReader
    now: Callable[[], datetime]
    timeout_seconds: float
    """For all queries of one question together; Postgres ends a single one by itself."""
    _cursor_key: str | None = field(default=None)

    @asynccontextmanager
    async def question(self) -> AsyncIterator[Any]:
        """A connection that sees one moment of the database, for all queries of a question. Raises a 503 Problem."""
        async with self.database.snapshot() as connection:
            try:
                async with asyncio.timeout(self.timeout_seconds):
                    yield connection
            except TimeoutError as error:
                raise too_slow() from error

    async def cursor_key(self, connection: Any) -> str:
        """The installation's key; it never changes, so it is read once."""
        if self._cursor_key is None:
            self._cursor_key = str(await connection.fetchval(sql.CURSOR_KEY))
        return self._cursor_key


@dataclass(frozen=True, slots=True)
class Paging:
    """One page of a question that may go on."""

    window: Window
    after: Cursor | None
    question: str
    key: str

    def next_cursor(self, rows: Sequence[Any], limit: int, cursor_of: Callable[[Any, Window], Cursor]) -> str | None:
        """The cursor of the next page when `rows`, one more than the limit was asked for, has that one."""
        if len(rows) <= limit:
            return None
        return write_cursor(cursor_of(rows[limit - 1], self.window), self.question, self.key)

    def cursor_at(self, goes_on_at: float | None) -> str | None:
        """The cursor of a page that begins at this sort value; None where the list came to its end."""
        if goes_on_at is None:
            return None
        return write_cursor(Cursor(self.window, goes_on_at, ""), self.question, self.key)


def page_of(
    asked: WindowParameters, filters: Mapping[str, object], cursor: str | None, now: datetime, key: str
) -> Paging:
    """The page that is asked for. Raises a 400 Problem for a cursor that does not continue this question."""
    question = question_of(filters)
    if cursor is None:
        return Paging(asked.window(now), None, question, key)
    try:
        after = read_cursor(cursor, question, key)
    except InvalidCursor as error:
        raise refused("cursor", str(error)) from error
    for name, given, known in (
        ("start_time", asked.start_time, after.window.start),
        ("end_time", asked.end_time, after.window.end),
    ):
        if given is not None and given != known:
            raise refused(name, "differs from the window that the cursor continues; leave it out")
    return Paging(after.window, after, question, key)
