"""Everything before the first process: the state folder is held, leftovers are stopped, ports and files settled.

Synchronous, so that Ctrl-C during a download is an ordinary KeyboardInterrupt.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from undertone.embedded.accounts import choose_postgres_place
from undertone.embedded.errors import WrongSettingError
from undertone.embedded.fetch import require_embedded_extra
from undertone.embedded.kafka import EmbeddedKafka
from undertone.embedded.ports import LOOPBACK, Ports, settle_ports
from undertone.embedded.postgres import EmbeddedPostgres, find_binaries
from undertone.embedded.program import ready_program
from undertone.embedded.reporter import Reporter
from undertone.embedded.services import Servers, check_settings, service_environment
from undertone.embedded.settings import StackSettings
from undertone.embedded.state import hold_home, read_state
from undertone.embedded.stop import stop_survivors

LOW_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class StackOptions:
    """What a person (or `demo`, or a test) asks of the stack.

    `kafka` and `postgres` are addresses of servers to use instead of embedded ones; `environment` goes to our
    three services on top of everything else.
    """

    settings: StackSettings
    free_ports: bool = False
    kafka: str | None = None
    postgres: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedStack:
    """All that is needed to start; a server that is not embedded is None."""

    home: Path
    ports: Ports
    servers: Servers
    environment: Mapping[str, str]
    kafka: EmbeddedKafka | None
    postgres: EmbeddedPostgres | None

    @property
    def logs(self) -> Path:
        return self.home / "logs"


@contextmanager
def prepared_stack(options: StackOptions, reporter: Reporter) -> Iterator[PreparedStack]:
    """Hold the state folder and make ready what the start needs.

    Raises AlreadyRunningError when an `up` runs on this folder, StackError for what a person must mend.
    """
    check_addresses(options)
    home = options.settings.home
    with hold_home(home):
        left = read_state(home)
        if left and left.survivors:
            reporter.note(f"The last `up` (pid {left.pid}) was killed: stopping {', '.join(left.survivors)} first.")
            stop_survivors(left, reporter)
        check_services(options, reporter)
        ports = settle_ports(Ports.of(options.settings), _needed_ports(options), pick_free=options.free_ports)
        _warn_of_a_full_disk(home, reporter)
        yield _prepare(options, ports, reporter)


def _prepare(options: StackOptions, ports: Ports, reporter: Reporter) -> PreparedStack:
    home = options.settings.home
    kafka, postgres = None, None
    if options.kafka is None or options.postgres is None:
        require_embedded_extra()
    if options.kafka is None:
        program = ready_program(options.settings.cache_dir, reporter)
        kafka = EmbeddedKafka(
            home / "kafka", program, ports.kafka_port, ports.kafka_controller_port, home / "logs" / "kafka.log"
        )
    if options.postgres is None:
        place = choose_postgres_place(home, find_binaries())
        if place.is_elsewhere:
            reporter.note(f"Postgres cannot run as root and {home} is closed to others: its data is in {place.folder}.")
        postgres = EmbeddedPostgres(place, ports.postgres_port, home / "logs" / "postgres.log")
    servers = Servers(
        kafka_bootstrap_servers=options.kafka or _address(kafka),
        database_url=options.postgres or _url(postgres),
        kafka_is_embedded=kafka is not None,
    )
    return PreparedStack(home, ports, servers, options.environment, kafka, postgres)


def _address(kafka: EmbeddedKafka | None) -> str:
    assert kafka is not None
    return kafka.bootstrap_servers


def _url(postgres: EmbeddedPostgres | None) -> str:
    assert postgres is not None
    return postgres.url()


def _needed_ports(options: StackOptions) -> set[str]:
    needed = {"ingress_port", "analyzer_port", "read_api_port"}
    if options.kafka is None:
        needed |= {"kafka_port", "kafka_controller_port"}
    if options.postgres is None:
        needed.add("postgres_port")
    return needed


def check_addresses(options: StackOptions) -> None:
    """Refuse addresses of servers that cannot be any. Raises WrongSettingError."""
    for server in (options.kafka or "").split(",") if options.kafka is not None else []:
        host, _, port = server.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdecimal()) or not 1 <= int(port) <= 65535:
            raise WrongSettingError(f"--kafka wants HOST:PORT (several separated by commas), not {options.kafka!r}.")
    if options.postgres is not None and not _is_postgres_url(options.postgres):
        raise WrongSettingError("--postgres wants postgresql://USER:PASSWORD@HOST:PORT/DATABASE.")


def check_services(options: StackOptions, reporter: Reporter) -> None:
    """Refuse settings that a service would refuse once Kafka and Postgres are up. Raises WrongSettingError.

    Addresses that only the start decides are taken as they are wished: it is their form that counts.
    """
    ports = Ports.of(options.settings)
    servers = Servers(
        kafka_bootstrap_servers=options.kafka or f"{LOOPBACK}:{ports.kafka_port}",
        database_url=options.postgres or f"postgresql://undertone@{LOOPBACK}:{ports.postgres_port}/undertone",
        kafka_is_embedded=options.kafka is None,
    )
    for remark in check_settings(service_environment(servers, ports, options.environment)):
        reporter.note(remark)


def _is_postgres_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port  # raises for what is no number
    except ValueError:
        return False
    return url.scheme in {"postgresql", "postgres"} and bool(url.hostname) and bool(url.path.strip("/"))


def _warn_of_a_full_disk(home: Path, reporter: Reporter) -> None:
    free_bytes = shutil.disk_usage(home).free
    if free_bytes < LOW_DISK_BYTES:
        reporter.note(f"Only {free_bytes / 1e9:.1f} GB are free at {home}: Kafka and Postgres stop when it is full.")
