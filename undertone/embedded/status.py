"""What runs, where, and whether it is well: gathered from the state file, the system and the services themselves.

Works while parts are dead: a question that nobody answers becomes a problem that is named, never an exception.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from undertone.embedded import held_lanes
from undertone.embedded.active_version import Standing
from undertone.embedded.identity import resident_bytes
from undertone.embedded.kafka import accepts_connections, answers_metadata
from undertone.embedded.lag import analyzer_lag
from undertone.embedded.postgres import answers_query
from undertone.embedded.services import SERVICES, Servers, kafka_connection, local_client
from undertone.embedded.state import ProcessState, StackState, read_state

_CONNECT_SECONDS = 2.0
ADDRESS_OF = {"ingress": "ingress", "analyzer": "analyzer", "sink": "read_api"}


@dataclass(frozen=True)
class FailedCheck:
    """A check of a service's readiness that fails."""

    name: str
    detail: str | None = None


@dataclass(frozen=True)
class PartStatus:
    """One process; None stands for what a dead or external part cannot tell."""

    ready: bool
    pid: int | None = None
    rss_bytes: int | None = None
    uptime_seconds: float | None = None
    restarts: int = 0
    failed_checks: list[FailedCheck] = field(default_factory=list)
    log: str | None = None


@dataclass(frozen=True)
class StackStatus:
    """The whole stack. The members from `engine` on are what the services say; None when they do not answer."""

    running: bool
    healthy: bool
    home: str
    phase: str | None = None
    pid: int | None = None
    uptime_seconds: float | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    processes: dict[str, PartStatus] = field(default_factory=dict)
    engine: str | None = None
    engines: dict[str, str] = field(default_factory=dict)
    """The analyzer's engines, by the analysis version that each makes."""
    analysis_version: str | None = None
    """What live traffic is analysed under."""
    active_version: str | None = None
    """What readers are shown by default."""
    version_objection: str | None = None
    """Why the engines and the active version do not fit, and what helps; None where they do."""
    conversations: dict[str, int] | None = None
    oldest_unfinished: dict[str, Any] | None = None
    lag: dict[str, int] | None = None
    """Of the sink, by topic."""
    analyzer_lag: dict[str, int] | None = None
    """Of the analyzer, by topic: one a lane."""
    holds: dict[str, str] = field(default_factory=dict)
    """Why a lane starts no analyses: held for a time, or standing at a record until somebody acts."""
    held_until: dict[str, str] = field(default_factory=dict)
    """When those go on that are held for a time: ISO 8601."""
    blocked: tuple[str, ...] = ()
    """Those lanes that stand at a record: no release ends that."""
    budget_used_up: str | None = None
    """Why lanes wait for money, and what helps; None while none does."""
    today: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def problems_of_parts(self) -> list[str]:
        """What the readiness of the parts complains of."""
        return [_problem(name, check) for name, part in self.processes.items() for check in part.failed_checks]

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 something is wrong, 3 nothing runs."""
        if not self.running:
            return 3
        return 0 if self.healthy else 1


async def gather_status(home: Path, api_key: str | None = None) -> StackStatus:
    """Ask everything at once; each question has a deadline of its own."""
    state = read_state(home)
    if state is None or not (state.is_alive or state.survivors):
        return StackStatus(running=False, healthy=False, home=str(home))
    headers = {"X-API-Key": api_key} if api_key else {}
    async with local_client() as client:
        client.headers.update(headers)
        ready_answers, api_answer, servers, behind = await asyncio.gather(
            asyncio.gather(*(_get(client, f"{state.addresses[ADDRESS_OF[name]]}/readyz") for name in SERVICES)),
            _get(client, f"{state.addresses['read_api']}/api/v1/status"),
            _ask_servers(state),
            _ask_analyzer_lag(state),
        )
    answers = dict(zip(SERVICES, ready_answers, strict=True))
    parts = servers | {name: _service_status(state, name, answer) for name, answer in answers.items()}
    summary = _summarise(home, state, parts, answers["analyzer"], api_answer)
    said = answers["analyzer"].body
    return replace(
        summary,
        analyzer_lag=behind,
        holds=held_lanes.reasons_of(said),
        held_until=held_lanes.ends_of(said),
        blocked=tuple(said.get("blocked") or ()),
        budget_used_up=held_lanes.budget_used_up(said),
    )


@dataclass(frozen=True)
class _Answer:
    """An HTTP answer, or why there is none."""

    status_code: int | None
    body: dict[str, Any]
    error: str | None = None


async def _get(client: httpx.AsyncClient, url: str) -> _Answer:
    try:
        answer = await client.get(url)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return _Answer(None, {}, type(error).__name__)
    return _Answer(answer.status_code, body if isinstance(body, dict) else {})


async def _ask_servers(state: StackState) -> dict[str, PartStatus]:
    """Kafka and Postgres where they are ours; others are judged by the checks of the services."""
    kafka, postgres = state.processes.get("kafka"), state.processes.get("postgres")
    asked: dict[str, PartStatus] = {}
    if kafka:
        asked["kafka"] = _part_status(kafka, ready=await answers_metadata(state.addresses["kafka"]))
    if postgres:
        asked["postgres"] = _part_status(postgres, ready=await answers_query(state.addresses["postgres"]))
    return asked


async def _ask_analyzer_lag(state: StackState) -> dict[str, int] | None:
    """None while Kafka is away; a Kafka that is not ours is reached as the environment says."""
    if not await accepts_connections(state.addresses["kafka"], _CONNECT_SECONDS):
        return None
    servers = Servers(state.addresses["kafka"], state.addresses["postgres"], "kafka" in state.processes)
    return await analyzer_lag(kafka_connection(servers, {}))


def _service_status(state: StackState, name: str, answer: _Answer) -> PartStatus:
    process = state.processes.get(name)
    if process is None:
        return PartStatus(ready=False, failed_checks=[FailedCheck("process", "was never started")])
    if answer.status_code is None:
        return _part_status(process, ready=False, failed=[FailedCheck("http", f"no answer ({answer.error})")])
    checks = answer.body.get("checks", {})
    failed = [FailedCheck(check, said.get("detail")) for check, said in checks.items() if not said.get("ok")]
    return _part_status(process, ready=answer.status_code == httpx.codes.OK, failed=failed)


def _part_status(process: ProcessState, *, ready: bool, failed: list[FailedCheck] | None = None) -> PartStatus:
    if not process.is_alive:
        died = FailedCheck("process", f"pid {process.pid} is gone")
        return PartStatus(ready=False, restarts=process.restarts, failed_checks=[died], log=process.log)
    return PartStatus(
        ready=ready,
        pid=process.pid,
        rss_bytes=resident_bytes(process.pid),
        uptime_seconds=round(time.time() - (process.started_at or time.time()), 1),
        restarts=process.restarts,
        failed_checks=failed or ([] if ready else [FailedCheck("query", "no answer")]),
        log=process.log,
    )


def _summarise(
    home: Path, state: StackState, parts: dict[str, PartStatus], analyzer: _Answer, api: _Answer
) -> StackStatus:
    problems = [] if state.is_alive else ["`undertone up` was killed: nothing restarts what dies; run `undertone up`."]
    if state.is_alive and state.phase != "running":
        problems.append(f"The stack is {state.phase}.")
    for name, part in parts.items():
        problems += [_problem(name, check) for check in part.failed_checks]
        if not part.ready and not part.failed_checks:
            problems.append(f"{name} is not ready.")
    told = api.body if api.status_code == httpx.codes.OK else {}
    standing = _standing(analyzer.body, told.get("analysis") or {})
    if not told and parts["sink"].pid is not None:
        problems.append(_status_problem(api))
    return StackStatus(
        running=True,
        healthy=not problems,
        home=str(home),
        phase=state.phase,
        pid=state.pid,
        uptime_seconds=round(time.time() - (state.started_at or time.time()), 1) if state.is_alive else None,
        addresses=state.addresses,
        processes={name: parts[name] for name in ("kafka", "postgres", *SERVICES) if name in parts},
        engine=analyzer.body.get("engine"),
        engines=dict(standing.engines),
        analysis_version=standing.wanted or standing.active,
        active_version=standing.active,
        version_objection=standing.objection(),
        conversations=told.get("conversations"),
        oldest_unfinished=told.get("oldest_unfinished"),
        lag=told.get("lag"),
        today=told.get("today"),
        problems=problems,
    )


def _standing(analyzer: Mapping[str, Any], analysis: Mapping[str, Any]) -> Standing:
    """What the analyzer and the read API say of versions."""
    return Standing(
        engines=analyzer.get("engines") or {},
        wanted=analyzer.get("analysis_version"),
        active=analysis.get("active_version"),
        known=analysis.get("versions") or (),
    )


def _problem(part: str, check: FailedCheck) -> str:
    return f"{part}: {check.name}" + (f": {check.detail}" if check.detail else "")


def _status_problem(api: _Answer) -> str:
    if api.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return "The read API wants a key with the scope read: give --api-key or UNDERTONE_API_KEY."
    said = f"answers {api.status_code}" if api.status_code else f"does not answer ({api.error})"
    return f"The read API {said}: counts, lag and cost are unknown."
