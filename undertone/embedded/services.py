"""Our three services as children: their commands, their environment, and when they are ready."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from services.runtime.kafka import KafkaConnection
from services.runtime.settings import SharedSettings
from undertone.embedded.errors import StackError, WrongSettingError
from undertone.embedded.ports import LOOPBACK, Ports
from undertone.embedded.process import Child, Command

SERVICES = ("ingress", "analyzer", "sink")
STOP_GRACE_SECONDS = 40
"""An analyzer waits for calls in flight: the call timeout and 5 s."""

WRONG_SETTING_EXIT_CODE = 2

_LASTING = frozenset({"versions", "lanes"})
"""Checks that fail until a person does something: an engine that is not there, a record that stands in the way."""

PYTHON = (sys.executable, "-P", "-m")
"""Without the working directory on the path: a person's own folder `services` is not ours."""


@dataclass(frozen=True)
class Servers:
    """Where Kafka and Postgres are, and whether they are ours: ours speak no TLS and know no passwords."""

    kafka_bootstrap_servers: str
    database_url: str
    kafka_is_embedded: bool = True


def service_port(service: str, ports: Ports) -> int:
    return {"ingress": ports.ingress_port, "analyzer": ports.analyzer_port, "sink": ports.read_api_port}[service]


def service_url(service: str, ports: Ports) -> str:
    return f"http://{LOOPBACK}:{service_port(service, ports)}"


def service_environment(servers: Servers, ports: Ports, overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the three services: the caller's, then the stack's, then the overrides.

    Fixed instance ids make a restarted process resume in seconds (static membership).
    """
    our_root = str(Path(__file__).parents[2])
    stack = {
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), our_root))),
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka_bootstrap_servers,
        "DATABASE_URL": servers.database_url,
        "INGRESS_READ_API_URL": service_url("sink", ports),
        "ANALYZER_LOOKUP_URL": service_url("sink", ports),
    }
    for service in SERVICES:
        stack[f"{service.upper()}_HOST"] = LOOPBACK
        stack[f"{service.upper()}_PORT"] = str(service_port(service, ports))
        stack[f"{service.upper()}_INSTANCE_ID"] = f"{service}-1"
    if servers.kafka_is_embedded:
        stack["KAFKA_SECURITY_PROTOCOL"] = "PLAINTEXT"
    return {**os.environ, **stack, **overrides}


def kafka_connection(servers: Servers, overrides: Mapping[str, str]) -> KafkaConnection:
    """Return how we ourselves reach Kafka: as the services do, prefixes and passwords of the environment included.

    Raises WrongSettingError that names the variable.
    """
    given: dict[str, str] = {"kafka_bootstrap_servers": servers.kafka_bootstrap_servers}
    if servers.kafka_is_embedded:
        given["kafka_security_protocol"] = "PLAINTEXT"
    if "KAFKA_TOPIC_PREFIX" in overrides:
        given["kafka_topic_prefix"] = overrides["KAFKA_TOPIC_PREFIX"]
    try:
        return KafkaConnection.from_settings(SharedSettings(**given))  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise WrongSettingError(f"{first['loc'][0]}: {first['msg']}") from None


def check_settings(environment: Mapping[str, str]) -> list[str]:
    """Ask the services whether they can run with these settings, before anything is started.

    Returns their remarks, such as a variable that nobody reads. Raises WrongSettingError with a line for each
    variable that is wrong.
    """
    checked = subprocess.run(
        (*PYTHON, "undertone.embedded.settings_check"),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    lines = list(dict.fromkeys(checked.stderr.splitlines()))  # what all share is refused by each
    if checked.returncode == WRONG_SETTING_EXIT_CODE:
        raise WrongSettingError("\n".join(lines))
    if checked.returncode:
        raise StackError("\n".join(("The settings of the services cannot be checked:", *lines[-10:])))
    return lines


def new_service(service: str, environment: Mapping[str, str], logs: Path) -> Child:
    """Return a child that runs one service with this very Python."""
    return Child(
        Command(
            name=service,
            argv=(*PYTHON, f"services.{service}"),
            log_file=logs / f"{service}.log",
            environment=environment,
            stop_grace_seconds=STOP_GRACE_SECONDS,
        )
    )


def new_migration(environment: Mapping[str, str], logs: Path) -> Child:
    """Return the one-shot child that brings the database to the newest schema."""
    return Child(
        Command(
            name="migrations",
            argv=(*PYTHON, "services.sink.migrate"),
            log_file=logs / "migrations.log",
            environment=environment,
        )
    )


async def is_ready(url: str, client: httpx.AsyncClient) -> bool:
    """Tell whether a service says that it can do its work."""
    try:
        answer = await client.get(f"{url}/readyz")
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


async def has_settled(url: str, client: httpx.AsyncClient) -> bool:
    """Tell whether a service can do its work, or lacks only what does not come by waiting."""
    try:
        answer = await client.get(f"{url}/readyz")
    except httpx.HTTPError:
        return False
    failed = _failed(answer)
    return answer.status_code == httpx.codes.OK or (bool(failed) and failed.keys() <= _LASTING)


async def failed_checks(url: str, client: httpx.AsyncClient) -> list[str]:
    """Return what a service that is not ready complains of; nothing when it does not answer."""
    try:
        failed = _failed(await client.get(f"{url}/readyz"))
    except httpx.HTTPError:
        return []
    return [f"{name}: {said['detail']}" if said.get("detail") else name for name, said in failed.items()]


def _failed(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    try:
        return {name: said for name, said in answer.json()["checks"].items() if not said["ok"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def local_client(timeout_seconds: float = 3) -> httpx.AsyncClient:
    """Return a client for loopback addresses: a proxy of the environment is not asked."""
    return httpx.AsyncClient(timeout=timeout_seconds, trust_env=False)
