"""The contract as an AsyncAPI 3 document, generated from topics and events. https://www.asyncapi.com/docs ."""

import json
from collections.abc import Iterator
from typing import Any

from schemas.event import Event
from schemas.topics import TOPICS, Topic

_CLOUDEVENTS_HEADERS = {
    "type": "object",
    "required": ["ce_type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string"},
        "ce_source": {"type": "string"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string"},
        "undertone_correlation_id": {"type": "string"},
        "undertone_revision": {
            "type": "string",
            "description": "Carried by copies: milliseconds-offset of the original.",
        },
        "undertone_replay_id": {"type": "string"},
        "undertone_analysis_version": {"type": "string"},
        "undertone_lane": {
            "type": "string",
            "description": "`replay` on an original: its analysis is left to its copy on the replay topic.",
        },
    },
}


def document(version: str) -> dict[str, Any]:
    """The whole document; `version` is the distribution's."""
    events = {event.type: event for topic in TOPICS for event in topic.events}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Undertone",
            "version": version,
            "description": "Support conversations in, insights out. Records are CloudEvents 1.0 in binary mode.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {_id(topic.name): _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "messages": {
                **{_id(name): _message(event) for name, event in events.items()},
                "deadLetter": {
                    "name": "dead letter",
                    "summary": "The original bytes and headers, and headers undertone_dead_letter_* that say why.",
                    "payload": {},
                },
            },
            "messageTraits": {"cloudevent": {"headers": _CLOUDEVENTS_HEADERS}},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    names = [_id(event.type) for event in topic.events] or ["deadLetter"]
    return {
        "address": topic.name,
        "description": f"{topic.description} Keyed by {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": int(topic.retention.total_seconds() * 1000),
                    "max.message.bytes": topic.max_record_bytes,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Seen from the application, as AsyncAPI 3 wants it: each service sends to and receives from channels."""
    for topic in TOPICS:
        channel = {"$ref": f"#/channels/{_id(topic.name)}"}
        for action, services in (("send", topic.writers), ("receive", topic.readers)):
            for service in services:
                operation = f"{service}_{action}_{_id(topic.name)}"
                yield operation, {"action": action, "channel": channel, "summary": f"{service}: {action}s"}


def _message(event: type[Event]) -> dict[str, Any]:
    schema = json.loads(json.dumps(event.json_schema()).replace("#/$defs/", _definitions_of(event)))
    return {
        "name": event.type,
        "contentType": "application/json",
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": schema,
    }


def _definitions_of(event: type[Event]) -> str:
    """Where the definitions of this event's schema stand within the document."""
    return f"#/components/messages/{_id(event.type)}/payload/$defs/"


def _id(name: str) -> str:
    """An identifier for a dotted name: `conversations.received.v1` is `conversationsReceivedV1`."""
    first, *others = name.removeprefix("undertone.").replace("-", ".").split(".")
    return first + "".join(part.capitalize() for part in others)


def to_yaml(value: Any, indent: int = 0) -> str:
    """JSON-like data as YAML in block style. Scalars are written as JSON, which YAML includes."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{_name(name)}:{_nested(member, indent)}" for name, member in value.items())
    if isinstance(value, list | tuple) and value:
        return "".join(f"{pad}-{_nested(member, indent)}" for member in value)
    return f"{pad}{json.dumps(value, ensure_ascii=False)}\n"


def _nested(value: Any, indent: int) -> str:
    if isinstance(value, dict | list | tuple) and value:
        return "\n" + to_yaml(value, indent + 1)
    return " " + to_yaml(value)


def _name(name: str) -> str:
    return name if name.replace("_", "").isalnum() and not name.isdigit() else json.dumps(name)
