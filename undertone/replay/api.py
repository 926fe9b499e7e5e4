"""What a replay asks the read API: which conversations are meant, which may not be sent, and what is known already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from schemas.event import Revision
from undertone.errors import CommandError
from undertone.ingest.http_sender import retry_after_seconds
from undertone.read_api import ReadApi
from undertone.versions.fleet import REPLAY_LANE, lack_of

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(minutes=10)
"""Customers' clocks may be ahead: the contract takes five minutes."""
_PAGE = 1_000
MOST_TOGETHER = 1_000
"""Conversations, or contents, that one question may name."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the sink knows of a conversation: its newest revision, and up to which one it was erased."""

    newest: Revision | None
    erased_up_to: Revision | None

    def objection(self, revision: Revision) -> str | None:
        """Why this revision is not to be sent; None when it may be."""
        if self.erased_up_to is not None and revision <= self.erased_up_to:
            return "erased"
        if self.newest is not None and revision < self.newest:
            return "superseded"
        return None


class RetiredVersion(CommandError):  # noqa: N818 - it names what was met, as house style asks
    """The version asked for is retired: what is analysed under it would be paid for, and nobody keep it."""

    def __init__(self, version: str, what_then: str = "") -> None:
        super().__init__(
            f"The analysis version {version} is retired: what is analysed under it would be paid for and thrown away. "
            + (what_then or how_it_begins_anew(version))
        )
        self.version = version


def how_it_begins_anew(version: str) -> str:
    """What to do who wants a retired version all the same."""
    return (
        f"Name another version, or let this one begin anew by `undertone versions trial {version}` (and "
        f"`undertone versions trial {version} --end`, if live traffic is not to be analysed under it)."
    )


class ReplayApi(ReadApi):
    """Open it with `with`."""

    def versions(self) -> tuple[str | None, list[str]]:
        """The active analysis version, and all that anything is known under."""
        analysis = self.get("/api/v1/status")["analysis"]
        return analysis["active_version"], list(analysis["versions"])

    def live_versions(self) -> list[str]:
        """The versions that live traffic is analysed under."""
        return [one["analysis_version"] for one in self.get("/api/v1/versions")["versions"] if one["is_live"]]

    def lack_of(self, version: str | None) -> str | None:
        """What a replay under a version would wait for: not all analyzers have it; see `undertone.versions.fleet`."""
        return None if version is None else lack_of(version, self.get("/api/v1/versions").get("analyzers"), REPLAY_LANE)

    def conversations_with_insights(self, filters: Mapping[str, str | None]) -> set[str]:
        """The ids of those whose current insight is so (sentiment, topic, analysis_version), of all times."""
        return {one["conversation_id"] for one in self._all("/api/v1/insights", "insights", filters)}

    def conversations_with_status(self, status: str) -> set[str]:
        """The ids of those that stand so, of all times."""
        return {
            one["conversation_id"] for one in self._all("/api/v1/conversations", "conversations", {"status": status})
        }

    def refuse_retired(self, version: str | None) -> None:
        """Raise RetiredVersion when nothing is kept under it any more; None is whichever is active."""
        self.standings([], version)

    def standings(self, conversation_ids: Sequence[str], version: str | None = None) -> dict[str, Standing]:
        """What is known of at most 1,000 conversations; of the others nothing is.

        Raises RetiredVersion when the version that they are to be analysed under is retired.
        """
        answer = self.post("/internal/v1/conversations/standings", {"conversation_ids": list(conversation_ids)})
        if version is not None and version in answer.get("retired_versions", ()):
            raise RetiredVersion(version)
        return {
            one["conversation_id"]: Standing(_revision(one["newest"]), _revision(one["erased_up_to"]))
            for one in answer["conversations"]
        }

    def known(self, content_hashes: Sequence[str], analysis_version: str) -> set[str]:
        """Which of at most 1,000 contents have a result under the version already."""
        pairs = [{"content_hash": one, "analysis_version": analysis_version} for one in content_hashes]
        answer = self.post("/internal/v1/insights/lookup", {"pairs": pairs})
        return {one["content_hash"] for one in answer["results"]}

    def post(self, path: str, members: Mapping[str, object]) -> dict[str, Any]:
        """The answer's members, of a question that changes nothing. Raises CommandError."""

        def send() -> httpx.Response:
            answer = self._client.post(path, json=members)
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                self._sleep(max(1.0, retry_after_seconds(answer.headers.get("Retry-After"))))
                answer = self._client.post(path, json=members)
            return answer

        return self._persistently(lambda: self._told(send))

    def _all(self, path: str, name: str, filters: Mapping[str, str | None]) -> Iterator[Mapping[str, Any]]:
        window = {"start_time": _EARLIEST.isoformat(), "end_time": (datetime.now(UTC) + _AHEAD).isoformat()}
        cursor = None
        while True:
            given = window if cursor is None else {"cursor": cursor}
            answer = self.get(path, {**filters, **given, "limit": _PAGE})
            yield from answer[name]
            cursor = answer["metadata"]["next_cursor"]
            if cursor is None:
                return


def _revision(text: str | None) -> Revision | None:
    return None if text is None else Revision.parse(text)
