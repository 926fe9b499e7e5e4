"""What an error of Postgres means, as a server that ends a session raises it."""

from collections import Counter

import asyncpg

from services.sink.failures import is_unavailable

_TIMES = 60


async def test_a_session_that_the_server_ends_between_two_statements_is_an_outage(database_url: str) -> None:
    kinds: Counter[str] = Counter()
    operator = await asyncpg.connect(database_url)
    try:
        for _ in range(_TIMES):
            error = await _end_of_a_session(operator, database_url)
            assert is_unavailable(error), repr(error)
            kinds[type(error).__name__] += 1
    finally:
        await operator.close()
    assert kinds.total() == _TIMES, kinds


async def _end_of_a_session(operator: asyncpg.Connection, database_url: str) -> BaseException:
    """What the next statement of a transaction raises."""
    writer = await asyncpg.connect(database_url)
    try:
        async with writer.transaction():
            process = await writer.fetchval("SELECT pg_backend_pid()")
            await operator.fetchval("SELECT pg_terminate_backend($1)", process)
            while True:  # wherever the server's last words find the connection
                await writer.fetchval("SELECT 1")
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return error
    finally:
        writer.terminate()
