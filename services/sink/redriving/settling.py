"""What an interrupted redrive left behind, from rows. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.sink.redriving.logs import LogEnds


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A redrive that was stopped: its letters with their topics, and where the logs ended before they were sent."""

    action_id: UUID
    log_ends: LogEnds
    age_seconds: float
    letters: Mapping[UUID, str]


def interrupted(rows: Iterable[Mapping[str, Any]]) -> list[Interrupted]:
    """The interrupted redrives, one for each action, from the rows of `sql.SENDING`."""
    by_action: dict[UUID, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_action.setdefault(row["action_id"], []).append(row)
    return [
        Interrupted(
            action_id=action_id,
            log_ends=json.loads(of_action[0]["log_ends"] or "{}"),
            age_seconds=of_action[0]["age_seconds"],
            letters={row["dead_letter_id"]: row["origin_topic"] for row in of_action},
        )
        for action_id, of_action in by_action.items()
    ]
