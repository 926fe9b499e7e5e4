"""Topics as the contract has them, on a real Kafka: what would change, and making it so.

`plan` and `apply` accept a bootstrap address or a connection. Both retry while a Kafka that has just started
finds its controller, and raise TopicsError with one sentence that says what to do.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from schemas.topics import CONSUMER_GROUPS, TOPICS, Topic
from undertone.errors import CommandError
from undertone.topic_changes import Change, ExistingTopic, TopicMismatchError, changes_for

DEADLINE_SECONDS = 30.0
_RETRY_SECONDS = 0.2
_SET_ON_THE_TOPIC = 1  # config_source DYNAMIC_TOPIC_CONFIG of the protocol's DescribeConfigs response

__all__ = ["Change", "KafkaAddress", "PlainKafka", "TopicMismatchError", "TopicsError", "apply", "plan"]


class TopicsError(CommandError):
    """Kafka cannot be reached or refuses what is asked; the text is for a person."""


class KafkaAddress(Protocol):
    """How to reach Kafka and what our topics and groups are called there."""

    def client_options(self) -> dict[str, Any]:
        """Arguments for an aiokafka client."""

    def topic_name(self, topic: Topic) -> str:
        """The topic's name on this Kafka."""

    def group_name(self, service: str) -> str:
        """The name of a service's consumer group."""


@dataclass(frozen=True, slots=True)
class PlainKafka:
    """A Kafka without encryption or passwords, such as the embedded one."""

    bootstrap_servers: str
    topic_prefix: str = ""
    group_prefix: str = ""

    def client_options(self) -> dict[str, Any]:
        return {"bootstrap_servers": self.bootstrap_servers}

    def topic_name(self, topic: Topic) -> str:
        return self.topic_prefix + topic.name

    def group_name(self, service: str) -> str:
        return self.group_prefix + CONSUMER_GROUPS[service]


async def plan(kafka: KafkaAddress | str, prefix: str = "") -> list[Change]:
    """What `apply` would change. Raises TopicsError and TopicMismatchError."""
    address = _address(kafka, prefix)
    async with _admin(address) as admin:
        return await _plan(admin, address)


async def apply(kafka: KafkaAddress | str, prefix: str = "") -> list[Change]:
    """Create what is missing, configure what differs, and return the changes made; leaders are elected by then.

    May be called by several processes at once. Raises TopicsError and TopicMismatchError; after the latter
    nothing was changed.
    """
    address = _address(kafka, prefix)
    deadline = time.monotonic() + DEADLINE_SECONDS
    async with _admin(address) as admin:
        created = [change for change in await _plan(admin, address) if change.creates]
        await _create(created, admin, deadline)
        await _wait_for_leaders(admin, [address.topic_name(topic) for topic in TOPICS], deadline)
        # What another process has just created shows only now.
        configured = await _plan(admin, address)
        await _configure(configured, admin)
        await _wait_until_in_effect(admin, address, deadline)
    return created + configured


def _address(kafka: KafkaAddress | str, prefix: str) -> KafkaAddress:
    return PlainKafka(kafka, prefix) if isinstance(kafka, str) else kafka


@asynccontextmanager
async def _admin(address: KafkaAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    options = address.client_options()
    admin = AIOKafkaAdminClient(**{"client_id": "undertone-topics", **options})
    try:
        await _start(admin, options["bootstrap_servers"])
        yield admin
    except (KafkaError, TimeoutError) as error:
        raise TopicsError(f"Kafka at {options['bootstrap_servers']} failed: {type(error).__name__}: {error}") from error
    finally:
        await admin.close()


async def _start(admin: AIOKafkaAdminClient, servers: object) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            await admin.start()
            return
        except (KafkaError, OSError) as error:
            if time.monotonic() > deadline:
                raise TopicsError(
                    f"Kafka at {servers} did not answer within {DEADLINE_SECONDS:.0f} s: is it running, and is "
                    f"KAFKA_BOOTSTRAP_SERVERS right?"
                ) from error
        await asyncio.sleep(_RETRY_SECONDS)


async def _plan(admin: AIOKafkaAdminClient, address: KafkaAddress) -> list[Change]:
    brokers = len((await admin.describe_cluster())["brokers"])
    names = {address.topic_name(topic) for topic in TOPICS}
    described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    configs = await _configs(admin, sorted(names & described.keys()))
    existing = {name: _existing(described[name], entries) for name, entries in configs.items()}
    return changes_for(TOPICS, existing, brokers=brokers, name_of=address.topic_name)


def _existing(partitions: Sequence[Mapping[str, Any]], entries: Sequence[Sequence[Any]]) -> ExistingTopic:
    return ExistingTopic(
        partitions=len(partitions),
        replicas=min((len(partition["replicas"]) for partition in partitions), default=1),
        config={entry[0]: entry[1] for entry in entries},
    )


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Sequence[Sequence[Any]]]:
    """The settings of each topic as (name, value, read_only, config_source, …): DescribeConfigs v1 and later."""
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    configs: dict[str, Sequence[Sequence[Any]]] = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            _raise_for(code, f"reading the settings of {name}", message)
            configs[name] = entries
    return configs


async def _create(changes: Sequence[Change], admin: AIOKafkaAdminClient, deadline: float) -> None:
    """Create the topics; one that another process creates at the same moment is as good."""
    while changes:
        response = await admin.create_topics(
            [
                NewTopic(change.name, change.topic.partitions, change.replicas, topic_configs=dict(change.config))
                for change in changes
            ]
        )
        retriable: set[str] = set()
        for name, code, message in response.topic_errors:
            if code and _settles(for_code(code)) and time.monotonic() < deadline:
                retriable.add(name)
            elif for_code(code) is not TopicAlreadyExistsError:
                _raise_for(code, f"creating {name}", message)
        changes = [change for change in changes if change.name in retriable]
        if changes:
            await asyncio.sleep(_RETRY_SECONDS)


def _settles(error: type[KafkaError]) -> bool:
    """Whether a Kafka that is still starting may say this: too few brokers have registered yet, and the like."""
    return error is InvalidReplicationFactorError or bool(error.retriable)


async def _configure(changes: Sequence[Change], admin: AIOKafkaAdminClient) -> None:
    """Change settings. AlterConfigs replaces all of a topic's own settings, so the others are sent along."""
    if not changes:
        return
    configs = await _configs(admin, [change.name for change in changes])
    resources = []
    for change in changes:
        own = {entry[0]: entry[1] for entry in configs[change.name] if entry[3] == _SET_ON_THE_TOPIC}
        resources.append(ConfigResource(ConfigResourceType.TOPIC, change.name, {**own, **change.config}))
    for answer in await admin.alter_configs(resources):
        for code, message, _, name in answer.resources:
            _raise_for(code, f"configuring {name}", message)


async def _wait_until_in_effect(admin: AIOKafkaAdminClient, address: KafkaAddress, deadline: float) -> None:
    """Return once the broker shows what the controller has agreed to."""
    while left := await _plan(admin, address):
        if time.monotonic() > deadline:
            raise TopicsError(f"Kafka agreed to this but did not do it in time: {left[0]}")
        await asyncio.sleep(_RETRY_SECONDS)


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: Sequence[str], deadline: float) -> None:
    """Return once every partition has a leader, so that the first producer finds one."""
    while True:
        described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
        waiting = [name for name in names if not _is_led(described.get(name, ()))]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise TopicsError(f"Kafka elected no leader for {', '.join(waiting)} in time: are enough brokers up?")
        await asyncio.sleep(_RETRY_SECONDS)


def _is_led(partitions: Sequence[Mapping[str, Any]]) -> bool:
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)


def _raise_for(code: int, doing: str, message: str | None) -> None:
    if code:
        raise TopicsError(f"Kafka refused {doing}: {for_code(code).__name__}{f' ({message})' if message else ''}.")
