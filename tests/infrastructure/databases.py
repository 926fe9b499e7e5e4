"""Databases for tests: one migrated template a session, a copy of it for each test (a copy takes 50 ms)."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from undertone.embedded.postgres import run_sql


def url_of(server_url: str, database: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


def create_migrated_database(server_url: str, name: str) -> str:
    """Create a database, apply every migration of the sink as an operator would, return its address."""
    run_sql(server_url, f'CREATE DATABASE "{name}"')
    url = url_of(server_url, name)
    done = subprocess.run(
        [sys.executable, "-m", "services.sink.migrate"],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"the migrations failed: {done.stderr}"
    return url


@contextmanager
def migrated_template(server_url: str) -> Iterator[str]:
    """Create the session's template; yields its name."""
    name = f"undertone_template_{uuid.uuid4().hex[:12]}"
    create_migrated_database(server_url, name)
    yield name
    drop_database(server_url, name)


@contextmanager
def database(server_url: str, template: str) -> Iterator[str]:
    """Create a database from the template; yields its address; drops it with whatever is still connected."""
    name = f"undertone_test_{uuid.uuid4().hex[:12]}"
    run_sql(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY = FILE_COPY')  # a third of WAL_LOG
    yield url_of(server_url, name)
    drop_database(server_url, name)


def drop_database(server_url: str, name: str) -> None:
    run_sql(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
