"""The headers of events that are no copies, encoded but for what differs from event to event: for senders of many."""

from functools import cache

from schemas.envelope import headers_of_original
from services.runtime.record_batches import HeaderTemplate


@cache
def event_headers(event_type: str, source: str) -> HeaderTemplate:
    """To be filled with an event's id, its time (ISO 8601), its traceparent and its correlation id, in this order."""
    headers = headers_of_original(event_type, event_id="", source=source, time="", correlation_id="", traceparent="")
    return HeaderTemplate([(name, content or None) for name, content in headers])
