"""Which half of the sink a process is."""

from enum import StrEnum


class Role(StrEnum):
    """What a process of the sink does."""

    CONSUMER = "consumer"
    """Stores records; serves health and metrics only."""
    API = "api"
    """Serves the read API; stores nothing."""
    BOTH = "both"
