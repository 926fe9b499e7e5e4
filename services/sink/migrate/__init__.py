"""Migrations: plain SQL files, applied in order under an advisory lock, each in a transaction of its own.

They are additive, so the previous release runs against the next schema. What was applied is kept with its checksum;
a file that changed since, or a database that knows more migrations than this release, is refused with one sentence.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

FOLDER = Path(__file__).parents[1] / "migrations"
_FILE_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_LONGEST_NAME = 80
_LOCK = 0x756E6465  # any number that nothing else in the database locks: "unde"

OLDEST_POSTGRES = 18

_CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
_SELECT_APPLIED = "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
_TABLE_EXISTS = "SELECT to_regclass('schema_migrations') IS NOT NULL"
_RECORD = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"


class CannotMigrate(Exception):  # noqa: N818 - it names what happened; the message is for the operator
    """The database and this release do not fit; one sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All files in order. Raises CannotMigrate for a name that is none, a gap or a number used twice."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise CannotMigrate(f"{path.name} is not named NNNN_what_it_does.sql: rename it")
        migrations.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    for expected, migration in enumerate(migrations, 1):
        if migration.version != expected:
            raise CannotMigrate(f"migration {expected:04} is missing or doubled (found {migration}): renumber them")
    return migrations


def pending(known: Sequence[Migration], applied: Sequence[tuple[int, str, str]]) -> list[Migration]:
    """Those of `known` that are not applied yet. Raises CannotMigrate when what is applied is not what is known."""
    by_version = {migration.version: migration for migration in known}
    for version, name, checksum in applied:
        migration = by_version.pop(version, None)
        if migration is None:
            raise CannotMigrate(
                f"the database is newer than this release: it has migration {version:04}_{name}; install the newer "
                "release to migrate it (this one can run against it)"
            )
        if migration.checksum != checksum:
            raise CannotMigrate(
                f"migration {migration} changed after it was applied: restore it and put the change into a new file"
            )
    return list(by_version.values())


async def read_applied(connection: asyncpg.Connection) -> list[tuple[int, str, str]]:
    """Version, name and checksum of what was applied, in order."""
    if not await connection.fetchval(_TABLE_EXISTS):
        return []
    return [(row["version"], row["name"], row["checksum"]) for row in await connection.fetch(_SELECT_APPLIED)]


async def missing_migrations(connection: asyncpg.Connection) -> list[str]:
    """The names of migrations that a service of this release waits for; one that is newer is no obstacle."""
    applied = {version for version, _, _ in await read_applied(connection)}
    return [str(migration) for migration in read_migrations() if migration.version not in applied]


def refuse_old_server(major: int) -> None:
    """Raises CannotMigrate for a Postgres whose INSERT cannot tell what a row was before (RETURNING old)."""
    if major < OLDEST_POSTGRES:
        raise CannotMigrate(f"Postgres {OLDEST_POSTGRES} or newer is needed, this server is {major}: upgrade it")


def refuse_unwritten(migrations: Sequence[Migration]) -> None:
    """Raises CannotMigrate for a file that is still as `new` made it: the driver cannot run comments alone."""
    for migration in migrations:
        if not _COMMENTS.sub("", migration.sql).strip("; \t\r\n"):
            raise CannotMigrate(f"migration {migration} holds no SQL yet: write it, or remove its file")


async def apply(connection: asyncpg.Connection) -> list[Migration]:
    """Apply what is pending and return it; waits for another `apply` on the same database.

    Raises CannotMigrate, before anything is applied, when the files are not in order or one says nothing yet.
    """
    refuse_old_server(connection.get_server_version().major)
    known = read_migrations()
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(_CREATE_TABLE)
        todo = pending(known, await read_applied(connection))
        refuse_unwritten(todo)
        for migration in todo:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(_RECORD, migration.version, migration.name, migration.checksum)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return todo


def new_file(name: str, folder: Path = FOLDER) -> Path:
    """Start the next migration's file. Raises CannotMigrate for a name that is none."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not slug:
        raise CannotMigrate(f"{name!r} has no letters to name a file by: say in a few words what the migration does")
    if len(slug) > _LONGEST_NAME:
        raise CannotMigrate(f"the name is longer than {_LONGEST_NAME} characters: a few words will do")
    path = folder / f"{len(read_migrations(folder)) + 1:04}_{slug}.sql"
    said = " ".join(name.split()).encode(errors="replace").decode()
    try:
        path.write_text(f"-- {said}. Additive: the previous release must run against it.\n", encoding="utf-8")
    except OSError as error:
        raise CannotMigrate(f"{path} cannot be written: {error.strerror}") from error
    return path
