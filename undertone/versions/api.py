"""What the commands on versions ask of the read API, and decide through it."""

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from undertone.errors import CommandError
from undertone.ingest.http_sender import retry_after_seconds
from undertone.replay.api import ReplayApi
from undertone.versions.fleet import lack_of

PATH = "/api/v1/versions"
_DECISION_TIMEOUT = httpx.Timeout(900, connect=5)
"""A promotion goes over every conversation that there is."""
_DIFF_TIMEOUT = httpx.Timeout(90, connect=5)
_PAGE = 10_000
_BUSY_TIMES = 10


class Incomplete(CommandError):  # noqa: N818 - it names what was met, as house style asks
    """A version lacks conversations, so it is not promoted, or another one is not retired."""

    def __init__(self, details: str, missing: int) -> None:
        super().__init__(details)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions at one moment, as the API says it."""

    members: Mapping[str, Any]

    @property
    def accepted(self) -> int:
        count: int = self.members["accepted"]
        return count

    @property
    def active(self) -> str | None:
        name: str | None = self.members["active_version"]
        return name

    @property
    def previous(self) -> str | None:
        name: str | None = self.members["previous_version"]
        return name

    def lack_of(self, name: str) -> str | None:
        """What live traffic would wait for under it: not all analyzers have it; see `fleet`."""
        return lack_of(name, self.members.get("analyzers"))

    def of(self, name: str) -> Mapping[str, Any] | None:
        """The version of this name."""
        return next((one for one in self.members["versions"] if one["analysis_version"] == name), None)


def is_live(standing: Mapping[str, Any] | None) -> bool:
    """Whether live traffic is analysed under a version already."""
    return standing is not None and bool(standing["is_live"])


def is_retired(standing: Mapping[str, Any] | None) -> bool:
    """Whether a version that is known is retired."""
    return standing is not None and standing["state"] == "retired"


class VersionsApi(ReplayApi):
    """Open it with `with`."""

    def all_versions(self) -> Versions:
        """How each version stands. Raises CommandError."""
        return Versions(self.get(PATH))

    def diff(self, a: str, b: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        """Two versions compared. Raises CommandError."""
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return self._told(lambda: self._client.get(f"{PATH}/{a}/diff/{b}", params=given, timeout=_DIFF_TIMEOUT))

    def missing_ids(self, version: str, looked: Callable[[int], None]) -> frozenset[str]:
        """Every conversation that lacks an outcome under a version; `looked` hears how many were found."""
        ids: set[str] = set()
        cursor = None
        while True:
            page = self.get(f"{PATH}/{version}/missing", {"limit": _PAGE, "cursor": cursor})
            ids.update(page["conversation_ids"])
            looked(len(ids))
            cursor = page["metadata"]["next_cursor"]
            if cursor is None:
                return frozenset(ids)

    def decide(self, what: str, *, now: bool | None = None, note: str = "") -> dict[str, Any]:
        """`V/trial`, `V/promotion`, `rollback` and the like. Raises Incomplete and CommandError."""
        body: dict[str, object] = {"done_by": _who(), "note": note}
        if now is not None:
            body["now"] = now
        with self._explained():
            answer = self._patiently_post(f"{PATH}/{what}", body)
        if answer.is_success:
            return self._members(answer)
        if answer.status_code == httpx.codes.CONFLICT:
            problem = self._members(answer)
            if problem.get("error") == "coverage_incomplete":
                raise Incomplete(str(problem["details"]), int(problem["missing"]))
            raise CommandError(str(problem["details"]))
        raise self._failure(answer)

    def _patiently_post(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        """Once more while Postgres is busy, or the client's limit asks for it."""
        answer = self._client.post(path, json=body, timeout=_DECISION_TIMEOUT)
        for _ in range(_BUSY_TIMES):
            stated = answer.headers.get("Retry-After")
            if stated is None or answer.is_success:
                break
            self._sleep(max(1.0, min(60.0, retry_after_seconds(stated))))
            answer = self._client.post(path, json=body, timeout=_DECISION_TIMEOUT)
        return answer


def _who() -> str:
    try:
        return f"operator {getpass.getuser()}"[:128]
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "an operator"
