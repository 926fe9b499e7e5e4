"""What must change on a Kafka so that its topics are as the contract says: pure decisions.

Nothing is ever taken away: a longer retention or a larger record limit that an operator has set stays, and a
partition count is never changed (it decides on which partition a key lands, and so the order of its revisions),
nor is a cleanup policy (a compacted topic keeps what a deleting one would lose).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from schemas.topics import Topic
from services.runtime.counting import counted
from undertone.errors import CommandError

MAX_REPLICAS = 3
_AT_LEAST = frozenset({"retention.ms", "max.message.bytes", "min.insync.replicas"})
"""Settings that are raised when they are lower, and left alone when they are higher."""
_UNLIMITED = -1


class TopicMismatchError(CommandError):
    """A topic is there, but in a form that must not be changed by a program; the text says what to do."""


@dataclass(frozen=True, slots=True)
class ExistingTopic:
    """A topic as the broker describes it, with the settings in effect."""

    partitions: int
    replicas: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One topic to create, or to configure anew; `was` holds the settings that a change replaces."""

    name: str
    topic: Topic
    creates: bool
    replicas: int
    config: Mapping[str, str]
    was: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.creates:
            kept = describe_setting("retention.ms", self.config["retention.ms"])
            size = f"{counted(self.topic.partitions, 'partition')}, {counted(self.replicas, 'replica')}"
            return f"create {self.name}: {size}, kept {kept}"
        changes = (
            f"{name} {describe_setting(name, self.was.get(name, 'unset'))} -> {describe_setting(name, value)}"
            for name, value in self.config.items()
        )
        return f"configure {self.name}: {', '.join(changes)}"


def changes_for(
    topics: Iterable[Topic],
    existing: Mapping[str, ExistingTopic],
    *,
    brokers: int,
    name_of: Callable[[Topic], str],
) -> list[Change]:
    """The changes that bring these topics about; none when all is as it should be.

    Raises TopicMismatchError when a topic has another number of partitions or another cleanup policy.
    """
    changes: list[Change] = []
    for topic in topics:
        name = name_of(topic)
        found = existing.get(name)
        if found is None:
            replicas = max(1, min(MAX_REPLICAS, brokers))
            changes.append(Change(name, topic, creates=True, replicas=replicas, config=wanted_config(topic, replicas)))
            continue
        _refuse_other_partitions(name, topic, found)
        _refuse_other_cleanup(name, topic, found)
        settings = _settings_to_change(wanted_config(topic, found.replicas), found.config)
        if settings:
            was = {key: found.config[key] for key in settings if key in found.config}
            changes.append(Change(name, topic, creates=False, replicas=found.replicas, config=settings, was=was))
    return changes


def wanted_config(topic: Topic, replicas: int) -> dict[str, str]:
    """The topic's settings for this many replicas.

    With three replicas a record counts as written once two have it: one broker may be away without losing an
    accepted conversation and without refusing new ones.
    """
    return {**topic.config(), "min.insync.replicas": "2" if replicas >= MAX_REPLICAS else "1"}


def _refuse_other_partitions(name: str, topic: Topic, found: ExistingTopic) -> None:
    if found.partitions == topic.partitions:
        return
    raise TopicMismatchError(
        f"The topic {name} has {counted(found.partitions, 'partition')}, the contract says {topic.partitions}. A "
        f"partition count is never changed, since keys would move and lose their order: delete the topic if it "
        f"holds nothing you need, or set KAFKA_TOPIC_PREFIX to use other topics."
    )


def _refuse_other_cleanup(name: str, topic: Topic, found: ExistingTopic) -> None:
    wanted = topic.config()["cleanup.policy"]
    policy = found.config.get("cleanup.policy", wanted)
    if policy == wanted:
        return
    raise TopicMismatchError(
        f"The topic {name} has cleanup.policy={policy}, the contract says {wanted}. It is never changed by a program, "
        f"since records kept for ever would be deleted: change it with Kafka's own kafka-configs.sh if that is what "
        f"you want, or set KAFKA_TOPIC_PREFIX to use other topics."
    )


def _settings_to_change(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if not _is_satisfied(name, value, found.get(name))}


def _is_satisfied(name: str, wanted: str, found: str | None) -> bool:
    if found is None or name not in _AT_LEAST:
        return found == wanted
    return int(found) >= int(wanted) or (name == "retention.ms" and int(found) == _UNLIMITED)


def describe_setting(name: str, value: str) -> str:
    """A setting's value for a person: `30 days` instead of 2592000000."""
    if not value.lstrip("-").isdigit():
        return value
    number = int(value)
    if name == "retention.ms":
        return "for ever" if number == _UNLIMITED else _describe_duration(timedelta(milliseconds=number))
    if name.endswith(".bytes") and number and number % (1024 * 1024) == 0:
        return f"{number // (1024 * 1024)} MiB"
    return value


def _describe_duration(duration: timedelta) -> str:
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(seconds=1), "second")):
        if duration >= unit and duration % unit == timedelta(0):
            return counted(duration // unit, name)
    return f"{duration / timedelta(milliseconds=1):.0f} ms"
