"""What one server allows strangers to hold open."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one server allows."""

    max_connections: int = 12_000
    request_seconds: float = 8.0
    """From a connection's opening, or a request's first byte, until the whole request is here."""
    answer_seconds: float = 30.0
    """How long a client may leave the rest of an answer unread."""
    max_header_bytes: int = 32 * 1024
    max_headers: int = 100
