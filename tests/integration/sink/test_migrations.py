import asyncio
import uuid
from collections.abc import Iterator

import asyncpg
import pytest

from services.sink.database import Database
from services.sink.migrate import CannotMigrate, apply, missing_migrations, read_migrations
from services.sink.migrate.__main__ import main
from tests.infrastructure import Infrastructure
from tests.infrastructure.databases import drop_database, url_of
from undertone.embedded.postgres import run_sql


@pytest.fixture
def empty_database(infrastructure: Infrastructure) -> Iterator[str]:
    name = f"undertone_test_{uuid.uuid4().hex[:12]}"
    run_sql(infrastructure.postgres_url, f'CREATE DATABASE "{name}"')
    yield url_of(infrastructure.postgres_url, name)
    drop_database(infrastructure.postgres_url, name)


async def test_each_migration_is_applied_once_however_many_apply_at_the_same_time(empty_database: str) -> None:
    connections = [await asyncpg.connect(empty_database) for _ in range(3)]
    try:
        assert len(await missing_migrations(connections[0])) == len(read_migrations())
        done = await asyncio.gather(*(apply(one) for one in connections))
        assert sorted(len(one) for one in done) == [0, 0, len(read_migrations())]
        assert await missing_migrations(connections[0]) == []
    finally:
        for one in connections:
            await one.close()


async def test_a_database_that_was_migrated_by_other_files_is_refused(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    try:
        await apply(connection)
        await connection.execute("UPDATE schema_migrations SET checksum = 'another' WHERE version = 1")
        with pytest.raises(CannotMigrate, match="changed after it was applied"):
            await apply(connection)
        await connection.execute("INSERT INTO schema_migrations VALUES (9999, 'later', 'x')")
        await connection.execute("UPDATE schema_migrations SET checksum = $1 WHERE version = 1", _first_checksum())
        with pytest.raises(CannotMigrate, match="the database is newer"):
            await apply(connection)
        assert await missing_migrations(connection) == [], "a service of this release runs against it"
    finally:
        await connection.close()


def _first_checksum() -> str:
    return read_migrations()[0].checksum


def test_the_command_says_what_it_did(
    empty_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    first = str(read_migrations()[0])
    assert (main(["status"]), capsys.readouterr().out.splitlines()[0]) == (0, f"pending {first}")
    assert (main([]), capsys.readouterr().out.splitlines()[0]) == (0, f"applied {first}")
    assert (main(["apply"]), capsys.readouterr().out) == (0, "nothing to apply\n")
    assert (main(["status"]), capsys.readouterr().out.splitlines()[0]) == (0, f"applied {first}")


async def test_a_service_names_the_migrations_that_it_waits_for(empty_database: str) -> None:
    async with asyncpg.create_pool(empty_database, min_size=1, max_size=1) as pool:
        database = Database(pool)
        assert "run `undertone migrate`, the database lacks 0001_" in str(await database.problem())
        async with pool.acquire() as connection:
            await apply(connection)
        assert await database.problem() is None
