"""CloudEvents 1.0 in binary mode: the metadata of an event as Kafka headers.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
Undertone adds its own headers with the prefix `undertone_`, and W3C `traceparent`.
"""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.event import Revision

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"

_SPEC_VERSION_HEADER = ("ce_specversion", SPEC_VERSION.encode())
_CONTENT_TYPE_HEADER = ("content-type", CONTENT_TYPE.encode())

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is said about an event, beside the event itself."""

    id: str
    source: str
    """Who wrote it: a URI reference such as `/undertone/ingress`."""
    time: datetime
    correlation_id: str
    traceparent: str
    revision: Revision | None = None
    """Carried by copies (replay, redrive): the revision of the original."""
    replay_id: str | None = None
    analysis_version: str | None = None
    """The version that a replay asks for."""
    lane: str | None = None
    """Says of an original that its analysis is left to a copy on another lane: `replay` in a bulk import."""


def new_envelope(source: str, now: datetime, *, correlation_id: str | None = None) -> Envelope:
    """An envelope for an event that starts here or, with a correlation id, continues a story."""
    return Envelope(
        id=str(uuid.uuid4()),
        source=source,
        time=now,
        correlation_id=correlation_id or new_correlation_id(),
        traceparent=new_traceparent(),
    )


def new_correlation_id() -> str:
    """32 random hexadecimal digits."""
    return secrets.token_hex(16)


def new_traceparent() -> str:
    """A fresh W3C trace context, sampled. https://www.w3.org/TR/trace-context/#traceparent-header ."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def to_headers(envelope: Envelope, event_type: str) -> list[tuple[str, bytes]]:
    """The headers of a record that carries an event of this type."""
    headers = headers_of_original(
        event_type,
        event_id=envelope.id,
        source=envelope.source,
        time=envelope.time.isoformat(),
        correlation_id=envelope.correlation_id,
        traceparent=envelope.traceparent,
    )
    if envelope.revision is not None:
        headers.append(("undertone_revision", str(envelope.revision).encode()))
    if envelope.replay_id is not None:
        headers.append(("undertone_replay_id", envelope.replay_id.encode()))
    if envelope.analysis_version is not None:
        headers.append(("undertone_analysis_version", envelope.analysis_version.encode()))
    if envelope.lane is not None:
        headers.append(("undertone_lane", envelope.lane.encode()))
    return headers


def headers_of_original(
    event_type: str, *, event_id: str, source: str, time: str, correlation_id: str, traceparent: str
) -> list[tuple[str, bytes]]:
    """The headers of an event that is no copy, `ce_id` at CE_ID: for writers of many. `time` is ISO 8601."""
    return [
        _SPEC_VERSION_HEADER,
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", time.encode()),
        _CONTENT_TYPE_HEADER,
        ("traceparent", traceparent.encode()),
        ("undertone_correlation_id", correlation_id.encode()),
    ]


CE_ID = 1
"""The place of `ce_id` among the headers."""


def read_text_headers(headers: Headers) -> Mapping[str, str]:
    """The headers as text; of repeated names the last. Bytes that are not UTF-8 are left out."""
    texts: dict[str, str] = {}
    for name, content in headers:
        try:
            texts[name] = content.decode()
        except (UnicodeDecodeError, AttributeError):  # another client may write any bytes, or a null
            continue
    return texts


def from_headers(texts: Mapping[str, str], *, place: str, received_at: datetime) -> Envelope:
    """Read an envelope; whatever a foreign producer left out is filled from the record's place and time.

    Raises ValueError when `undertone_revision` is there and malformed: a revision is never guessed.
    """
    revision = texts.get("undertone_revision")
    return Envelope(
        id=texts.get("ce_id", place),
        source=texts.get("ce_source", "unknown"),
        time=_read_time(texts.get("ce_time"), received_at),
        correlation_id=texts.get("undertone_correlation_id") or place,
        traceparent=texts.get("traceparent") or "",
        revision=Revision.parse(revision) if revision is not None else None,
        replay_id=texts.get("undertone_replay_id"),
        analysis_version=texts.get("undertone_analysis_version"),
        lane=texts.get("undertone_lane"),
    )


def _read_time(text: str | None, otherwise: datetime) -> datetime:
    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return moment if moment.tzinfo is not None else otherwise
