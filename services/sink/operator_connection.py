"""A connection to Postgres for a command that an operator runs beside the services.

What an operator can cause ends as CannotAnswer, whose text is the one sentence that the command prints.
"""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from services.sink.failures import SERIALIZATION, is_unavailable

_CONNECT_SECONDS = 10
_OF_FILES = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS, errno.EBADF}
"""Errors of writing an answer, which no connection gives."""


class CannotAnswer(Exception):  # noqa: N818 - it names what happened; the message is for the operator
    """The database cannot be asked, or did nothing; one sentence says why."""


@asynccontextmanager
async def operator_connection(database_url: str) -> AsyncIterator[Any]:
    """A connection without a time limit for its queries: a person waits for them. Raises CannotAnswer."""
    try:
        connection = await asyncpg.connect(database_url, timeout=_CONNECT_SECONDS, command_timeout=None)
    except Exception as error:
        if not (is_unavailable(error) or isinstance(error, asyncpg.InterfaceError | ValueError)):
            raise
        reason = str(error) or f"no answer within {_CONNECT_SECONDS} s"
        raise CannotAnswer(f"Postgres cannot be reached by DATABASE_URL: {reason}") from error
    try:
        yield connection
    except asyncpg.UndefinedTableError as error:
        raise CannotAnswer("the database has no tables yet: run `undertone migrate`") from error
    except BrokenPipeError:  # whoever read the answer has closed it: that says nothing about Postgres
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_FILES:
            raise
        if not (is_unavailable(error) or isinstance(error, SERIALIZATION)):
            raise
        raise CannotAnswer(f"Postgres gave up ({type(error).__name__}): try again") from error
    finally:
        await connection.close()
