"""A request's body and the headers that matter, within limits that hold before anything is parsed."""

import re
from dataclasses import dataclass

from starlette.types import Receive, Scope

from services.runtime.problems import FieldProblem, Problem

JSON = "application/json"
NDJSON = "application/x-ndjson"
_NDJSON_NAMES = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
_IDEMPOTENCY_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")
_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


class ClientGone(Exception):  # noqa: N818 - it names what happened
    """The client closed the connection before its request was complete: there is nobody to answer."""


@dataclass(slots=True)
class PostHeaders:
    """The headers that posts are read by."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_length: int | None = None
    idempotency_key: str | None = None
    traceparent: str | None = None


def read_headers(scope: Scope) -> PostHeaders:
    """The headers of a post. Raises a 400 Problem for a malformed Idempotency-Key."""
    headers = PostHeaders()
    for name, value in scope["headers"]:
        if name == b"content-type":
            headers.content_type = value.decode("latin-1")
        elif name == b"content-length" and value.isdigit():
            headers.content_length = int(value[:20])
        elif name == b"content-encoding":
            headers.content_encoding = value.decode("latin-1").strip().lower()
        elif name == b"idempotency-key":
            headers.idempotency_key = _idempotency_key(value.decode("latin-1").strip())
        elif name == b"traceparent":
            headers.traceparent = _traceparent(value.decode("latin-1").strip())
    return headers


def _idempotency_key(value: str) -> str:
    if _IDEMPOTENCY_KEY.match(value) is None:
        said = "must be 1 to 255 visible ASCII characters"
        raise Problem(400, "invalid_schema", f"Idempotency-Key: {said}", errors=[FieldProblem("Idempotency-Key", said)])
    return value


def _traceparent(value: str) -> str | None:
    return value if _TRACEPARENT.match(value) else None


def media_type_of(headers: PostHeaders, *allowed: str) -> str:
    """JSON or NDJSON, whichever the body is said to be. Raises a 415 Problem."""
    if headers.content_encoding not in {None, "", "identity"}:
        details = "Compressed bodies are not read here: send the body without Content-Encoding"
        raise Problem(415, "unsupported_media_type", details, headers={"Accept-Encoding": "identity"})
    if headers.content_type == JSON:  # nearly always
        return JSON
    name, charset = _parse_media_type(headers.content_type or "")
    if name in _NDJSON_NAMES:
        name = NDJSON
    if name not in allowed or charset not in {"", "utf-8", "utf8"}:
        said = " or ".join(allowed)
        raise Problem(415, "unsupported_media_type", f"Send the body as {said}, in UTF-8, and say so in Content-Type")
    return name


def _parse_media_type(text: str) -> tuple[str, str]:
    """The media type and its charset."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "charset":
            return name, value.strip('"')
    return name, ""


async def read_body(headers: PostHeaders, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body. Raises a 413 Problem as soon as it is known to be too large, and ClientGone."""
    if headers.content_length is not None and headers.content_length > limit_bytes:
        raise _too_large(limit_bytes)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= limit_bytes:
        return body
    chunks, size = [body], len(body)
    while message.get("more_body", False) and size <= limit_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if size > limit_bytes:
        raise _too_large(limit_bytes)
    return b"".join(chunks)


def _too_large(limit_bytes: int) -> Problem:
    return Problem(413, "payload_too_large", f"A body has at most {limit_bytes:,} bytes; send less at once")
