"""`python -m services.sink.migrate [apply | status | new NAME]`."""

import asyncio
import sys
from collections.abc import Sequence

import asyncpg

from services.runtime.settings import load_settings
from services.sink.migrate import CannotMigrate, apply, new_file, pending, read_applied, read_migrations
from services.sink.settings import SinkSettings


async def _connect() -> asyncpg.Connection:
    url = load_settings(SinkSettings).database_url.get_secret_value()
    try:
        return await asyncpg.connect(url, timeout=10, command_timeout=None)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        reason = str(error) or "no answer within 10 s"
        raise CannotMigrate(f"Postgres cannot be reached by DATABASE_URL: {reason}") from error


async def _apply_command() -> None:
    connection = await _connect()
    try:
        done = await apply(connection)
    except asyncpg.PostgresError as error:
        raise CannotMigrate(f"Postgres refused a migration, nothing of it was kept: {error}") from error
    finally:
        await connection.close()
    print("\n".join(f"applied {migration}" for migration in done) or "nothing to apply")  # noqa: T201 - a command


async def _status_command() -> None:
    connection = await _connect()
    try:
        applied = await read_applied(connection)
    finally:
        await connection.close()
    todo = pending(read_migrations(), applied)
    lines = [f"applied {version:04}_{name}" for version, name, _ in applied]
    print("\n".join(lines + [f"pending {migration}" for migration in todo]))  # noqa: T201 - a command


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    try:
        match list(arguments):
            case [] | ["apply"]:
                asyncio.run(_apply_command())
            case ["status"]:
                asyncio.run(_status_command())
            case ["new", name]:
                print(new_file(name))  # noqa: T201 - a command
            case _:
                print("usage: python -m services.sink.migrate [apply | status | new NAME]", file=sys.stderr)  # noqa: T201 - a command
                return 2
    except CannotMigrate as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
