"""What an error of Postgres means for a batch: wait, try again, isolate a row, or stop the process."""

import asyncpg

SERIALIZATION = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Two writers met; the same transaction succeeds when it is run again."""

REFUSED = (
    asyncpg.DataError,  # class 22: a character that text cannot hold, a number out of range
    asyncpg.IntegrityConstraintViolationError,  # class 23
    asyncpg.ProgramLimitExceededError,  # class 54: a value too large for its index
    UnicodeEncodeError,  # a lone surrogate, refused before it is sent
)
"""A row that Postgres will never take."""

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InsufficientResourcesError,  # class 53: disk full, too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutting down, starting up, cancelled
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is being promoted
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: a person mends it, nothing is lost until then
    asyncpg.InvalidCatalogNameError,  # the database is not created yet
    asyncpg.UndefinedTableError,  # it is not migrated yet
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedObjectError,
)
"""Postgres cannot store anything now: hold the batch, say so, try again."""


_SERVER_HAD_LAST_WORDS = "another operation (2) is in progress"
"""asyncpg has read, between two statements, the error with which Postgres ends a session, and was then asked for the
next statement before the connection was closed (https://github.com/MagicStack/asyncpg/issues/1069)."""


def is_unavailable(error: BaseException) -> bool:
    """Whether to wait and try again. Of asyncpg's own errors only those of a connection that ends: others are bugs."""
    if isinstance(error, asyncpg.InternalClientError):
        return _SERVER_HAD_LAST_WORDS in str(error)
    return isinstance(error, UNAVAILABLE) or (isinstance(error, asyncpg.InterfaceError) and "clos" in str(error))


class Fenced(Exception):  # noqa: N818 - it names what happened
    """Another sink has claimed a partition of this batch (or it is stored already): nothing of it was stored."""


class Revoked(Exception):  # noqa: N818 - it names what happened
    """The partitions of a batch went to another sink while it was held: it is dropped here and read there."""


def without_values(error: BaseException) -> str:
    """What kind of error it is. Its message is left out: it may quote the row that was refused."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} ({state})" if state else type(error).__name__
