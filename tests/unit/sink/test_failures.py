"""Which of asyncpg's own errors are outages, and which are bugs."""

import asyncpg
import pytest

from services.sink.failures import is_unavailable


@pytest.mark.parametrize(
    ("error", "is_outage"),
    [
        (asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"), True),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (11) is in progress"), False),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), False),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InterfaceError("cannot perform operation: another operation is in progress"), False),
    ],
)
def test_only_the_end_of_a_connection_is_an_outage(error: Exception, is_outage: bool) -> None:
    assert is_unavailable(error) is is_outage
