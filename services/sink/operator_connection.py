"""A connection to Postgres for a command that an operator runs beside the services.

What an operator can cause ends as CannotAnswer, whose text is the one sentence that the command prints.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from services.sink.failures import UNAVAILABLE

_CONNECT_SECONDS = 10


class CannotAnswer(Exception):  # noqa: N818 - it names what happened; the message is for the operator
    """The database cannot be asked; one sentence says why."""


@asynccontextmanager
async def operator_connection(database_url: str) -> AsyncIterator[Any]:
    """A connection without a time limit for its queries: a person waits for them. Raises CannotAnswer."""
    try:
        connection = await asyncpg.connect(database_url, timeout=_CONNECT_SECONDS, command_timeout=None)
    except (*UNAVAILABLE, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error) or f"no answer within {_CONNECT_SECONDS} s"
        raise CannotAnswer(f"Postgres cannot be reached by DATABASE_URL: {reason}") from error
    try:
        yield connection
    except asyncpg.UndefinedTableError as error:
        raise CannotAnswer("the database has no tables yet: run `undertone migrate`") from error
    except BrokenPipeError:  # whoever read the answer has closed it: that says nothing about Postgres
        raise
    except UNAVAILABLE as error:
        raise CannotAnswer(f"Postgres gave up on the question ({type(error).__name__}): try again") from error
    finally:
        await connection.close()
