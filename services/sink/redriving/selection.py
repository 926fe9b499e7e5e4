"""Which dead letters are meant. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from services.sink.reads.conditions import Conditions

_COLUMNS = {
    "state": "d.state",
    "topic": "d.origin_topic",
    "reason": "d.reason",
    "fingerprint": "d.fingerprint",
    "service": "d.service",
    "conversation_id": "d.conversation_id",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Letters that meet all of these; what is None does not matter. `until` is the first moment that is out."""

    dead_letter_ids: tuple[UUID, ...] | None = None
    state: str | None = None
    topic: str | None = None
    reason: str | None = None
    fingerprint: str | None = None
    service: str | None = None
    conversation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def add_to(self, conditions: Conditions) -> None:
        """Add the conditions on `dead_letters d`."""
        if self.dead_letter_ids is not None:
            conditions.add("d.dead_letter_id = ANY ({ids}::uuid[])", ids=list(self.dead_letter_ids))
        for name, column in _COLUMNS.items():
            if (wanted := getattr(self, name)) is not None:
                conditions.add(f"{column} = {{wanted}}::text", wanted=wanted)
        if self.since is not None:
            conditions.add("d.failed_at >= {since}", since=self.since)
        if self.until is not None:
            conditions.add("d.failed_at < {until}", until=self.until)

    @property
    def is_everything(self) -> bool:
        """Whether nothing but the state narrows it down."""
        return all(getattr(self, field.name) is None for field in fields(self) if field.name != "state")

    def as_members(self) -> Mapping[str, object]:
        """What was asked for, as JSON keeps it."""
        return {name: value for name, value in asdict(self).items() if value is not None}
