"""How to reach Kafka: connection options, names with their prefixes, and records as the contract sees them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaClient, ConsumerRecord
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

from schemas.codec import RawRecord
from schemas.topics import CONSUMER_GROUPS, Topic
from services.runtime.kafka_security import ssl_context
from services.runtime.logs import Logger
from services.runtime.settings import SharedSettings

_RETRY_SECONDS = 0.25
_REMIND_SECONDS = 5.0


class KafkaUnavailable(Exception):  # noqa: N818 - it names a state, as house style asks
    """Kafka does not answer. What became of a record that was being sent is unknown."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Everything that a client of Kafka needs to know."""

    bootstrap_servers: str
    topic_prefix: str = ""
    group_prefix: str = ""
    security: Callable[[], dict[str, Any]] = dict
    """Makes the security options; called once a client, since an SSL context reads its files."""

    @classmethod
    def from_settings(cls, settings: SharedSettings) -> Self:
        """The connection that the environment describes."""
        return cls(
            settings.kafka_bootstrap_servers,
            settings.kafka_topic_prefix,
            settings.kafka_group_prefix,
            lambda: _security_options(settings),
        )

    def client_options(self) -> dict[str, Any]:
        """Options for AIOKafkaProducer, AIOKafkaConsumer, AIOKafkaAdminClient and AIOKafkaClient."""
        return {"bootstrap_servers": self.bootstrap_servers, **self.security()}

    def topic_name(self, topic: Topic) -> str:
        """The topic's name in this Kafka."""
        return self.topic_prefix + topic.name

    def group_name(self, service: str) -> str:
        """The consumer group of a service in this Kafka."""
        return self.group_prefix + CONSUMER_GROUPS[service]


class _TokenFromSettings(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    async def token(self) -> str:
        return await asyncio.to_thread(self._read)


def _security_options(settings: SharedSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
    if settings.kafka_security_protocol in {"SSL", "SASL_SSL"}:
        options["ssl_context"] = ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= _sasl_options(settings)
    return options


def _sasl_options(settings: SharedSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"sasl_mechanism": settings.kafka_sasl_mechanism}
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        options["sasl_oauth_token_provider"] = _TokenFromSettings(_token_reader(settings))
        return options
    password = settings.kafka_sasl_password
    options["sasl_plain_username"] = settings.kafka_sasl_username
    options["sasl_plain_password"] = password.get_secret_value() if password else None
    return options


def _token_reader(settings: SharedSettings) -> Callable[[], str]:
    """Read the token's file anew each time, since tokens expire and are written there afresh."""
    path = settings.kafka_sasl_oauth_token_file
    token = settings.kafka_sasl_oauth_token
    if path is not None:
        return lambda: Path(path).read_text(encoding="utf-8").strip()
    return lambda: token.get_secret_value() if token else ""


def raw_record(message: ConsumerRecord, topic: Topic) -> RawRecord:
    """A record that aiokafka delivered; `topic` is the one it was read from."""
    return RawRecord(
        topic=topic.name,
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=message.timestamp,
        key=message.key,
        value=message.value,
        headers=message.headers,
    )


async def is_reachable(connection: KafkaConnection) -> bool:
    """Whether Kafka answers a request for its metadata (an open port proves nothing)."""
    client = AIOKafkaClient(**connection.client_options(), request_timeout_ms=5_000)
    try:
        await client.bootstrap()
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
    return True


async def wait_for_kafka(connection: KafkaConnection, log: Logger, *, deadline_seconds: float | None = None) -> None:
    """Return once Kafka answers. Raises KafkaUnavailable after `deadline_seconds` (none: never)."""
    clock = asyncio.get_running_loop().time
    began = clock()
    reminded = began
    while not await is_reachable(connection):
        waited = clock() - began
        if deadline_seconds is not None and waited > deadline_seconds:
            raise KafkaUnavailable(f"Kafka does not answer at {connection.bootstrap_servers}")
        if clock() - reminded > _REMIND_SECONDS:
            reminded = clock()
            log.warning(
                "kafka_unreachable", bootstrap_servers=connection.bootstrap_servers, waited_seconds=round(waited)
            )
        await asyncio.sleep(_RETRY_SECONDS)
