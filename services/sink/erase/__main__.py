"""`python -m services.sink.erase CONVERSATION_ID`."""

import asyncio
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from schemas.event import ID_PATTERN
from services.runtime.settings import load_settings
from services.sink.erase import erase, report
from services.sink.failures import SERIALIZATION, UNAVAILABLE
from services.sink.settings import SinkSettings

_USAGE_EXIT_CODE = 2


class CannotErase(Exception):  # noqa: N818 - it names what happened; the message is for the operator
    """Nothing was erased; one sentence says why."""


async def _run(url: str, conversation_id: str) -> list[str]:
    try:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=None)
    except (*UNAVAILABLE, ValueError) as error:
        raise CannotErase(f"Postgres cannot be reached by DATABASE_URL: {error or type(error).__name__}") from error
    try:
        return report(conversation_id, await erase(connection, conversation_id), datetime.now(UTC))
    except asyncpg.UndefinedTableError as error:
        raise CannotErase("the database has no tables yet: run `undertone migrate`") from error
    except (*UNAVAILABLE, *SERIALIZATION) as error:
        raise CannotErase(f"nothing was erased, Postgres gave up ({type(error).__name__}): try again") from error
    finally:
        await connection.close()


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    if len(arguments) != 1:
        print("usage: python -m services.sink.erase CONVERSATION_ID", file=sys.stderr)  # noqa: T201 - a command
        return _USAGE_EXIT_CODE
    (conversation_id,) = arguments
    if not re.fullmatch(ID_PATTERN, conversation_id):
        print(  # noqa: T201 - a command
            "this is no conversation id: 1 to 128 of the characters A-Z a-z 0-9 . _ : - are; `undertone insights` "
            "lists ids",
            file=sys.stderr,
        )
        return _USAGE_EXIT_CODE
    try:
        lines = asyncio.run(_run(load_settings(SinkSettings).database_url.get_secret_value(), conversation_id))
    except CannotErase as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    print("\n".join(lines))  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
