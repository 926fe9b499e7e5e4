"""What an operator hears when Postgres ends a command."""

import errno
from typing import Any

import asyncpg
import pytest

from services.sink import operator_connection
from services.sink.operator_connection import CannotAnswer

ENDED_BETWEEN_STATEMENTS = asyncpg.InternalClientError(
    "cannot switch to state 15; another operation (2) is in progress"
)

FULL_DISK = OSError(errno.ENOSPC, "No space left on device")


class FakeConnection:
    """Remembers that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> FakeConnection:
    fake = FakeConnection()

    async def connect(*_: Any, **__: Any) -> FakeConnection:
        return fake

    monkeypatch.setattr(asyncpg, "connect", connect)
    return fake


@pytest.mark.parametrize(
    "error",
    [
        ENDED_BETWEEN_STATEMENTS,
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.DeadlockDetectedError("deadlock detected"),
        TimeoutError(),
    ],
)
async def test_an_outage_in_the_middle_of_a_command_is_one_sentence(
    error: Exception, connection: FakeConnection
) -> None:
    with pytest.raises(CannotAnswer, match=f"gave up .{type(error).__name__}.: try again"):
        async with operator_connection.operator_connection("postgresql://somewhere"):
            raise error
    assert connection.is_closed


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        BrokenPipeError(),
        KeyError("a bug"),
        FULL_DISK,
    ],
)
async def test_what_is_no_outage_stays_what_it_is(error: Exception, connection: FakeConnection) -> None:
    with pytest.raises(type(error)):
        async with operator_connection.operator_connection("postgresql://somewhere"):
            raise error
    assert connection.is_closed
