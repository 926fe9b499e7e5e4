"""Which topic and which kind of event a person means."""

import difflib
import re

from schemas.event import Event
from schemas.topics import TOPICS, Topic
from undertone.errors import UsageProblem

_PREFIX = re.compile(r"^(conversations|analysis)\.")
_VERSION = re.compile(r"\.v\d+$")


def short_name(topic: Topic) -> str:
    """`received` for conversations.received.v1."""
    return _PREFIX.sub("", _VERSION.sub("", topic.name))


def find_topic(name: str) -> Topic:
    """The topic of this name, full or short. Raises UsageProblem that names those there are."""
    by_name = {topic.name: topic for topic in TOPICS} | {short_name(topic): topic for topic in TOPICS}
    if name in by_name:
        return by_name[name]
    known = [short_name(topic) for topic in TOPICS]
    closest = difflib.get_close_matches(name, list(by_name), 1, 0.5)
    meant = f" Did you mean {closest[0]}?" if closest else ""
    raise UsageProblem(f"{name[:60]!r} is no topic of the contract; there are {', '.join(known)}.{meant}")


def short_type(event_type: str) -> str:
    """`insight.produced` for undertone.insight.produced.v1."""
    return _VERSION.sub("", event_type.removeprefix("undertone."))


def find_type(name: str, topic: Topic) -> type[Event]:
    """The event of a topic by its type, or by the beginning of it. Raises UsageProblem that names those there are."""
    found = [
        event for event in topic.events if name == event.type or f"{short_type(event.type)}.".startswith(f"{name}.")
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(short_type(event.type) for event in topic.events) or "none that has a type"
    raise UsageProblem(f"{name[:60]!r} is no event of {topic.name}; it carries {known}.")
