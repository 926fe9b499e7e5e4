"""The demo: the sample conversations through the whole pipeline, each followed to its outcome.

It counts what it sent by id, not by totals: other conversations in the same stack, and a second run, change nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from services.runtime.counting import counted
from undertone.errors import CommandError, UsageProblem
from undertone.ingest.entries import Entry
from undertone.ingest.http_sender import TIMEOUT, HttpSender, retry_after_seconds
from undertone.ingest.job import Job, Summary, ingest_files
from undertone.ingest.json_files import JsonLines
from undertone.ingest.opening import InputFile

SAMPLE = Path(__file__).parent / "sample" / "sample_conversations.jsonl"
SPREAD = timedelta(days=7)
OUTCOMES = ("completed", "skipped", "failed")
_READS_AT_ONCE = 4
_POLL_SECONDS = 0.5
"""Twice a second, beside one read a conversation: two demos in a minute stay below the read API's 600/60s."""
_SETTLE_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0
"""Without a single new outcome for so long something is wrong."""

Conversation = Mapping[str, Any]
Watch = Callable[[int, int], None]
"""Called with how many conversations have their outcome, and how many there are."""


@dataclass(slots=True)
class Result:
    """What became of the sample; `conversations` are the read API's answers by id."""

    expected: int
    accepted: int
    conversations: Mapping[str, Conversation] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How many conversations came to each outcome."""
        statuses = [str(conversation["status"]) for conversation in self.conversations.values()]
        return {outcome: statuses.count(outcome) for outcome in OUTCOMES}

    @property
    def is_exact(self) -> bool:
        """Whether every conversation of the sample was accepted and came to exactly one outcome."""
        return self.expected == self.accepted == sum(self.counts().values())


def sample_ids() -> list[str]:
    """The ids of the sample's conversations, in its order."""
    entries = JsonLines(InputFile(SAMPLE)).entries()
    return [str(found.members["conversation_id"]) for found in entries if isinstance(found, Entry)]


async def send_sample(ingress_url: str, headers: Mapping[str, str], state_folder: Path) -> Summary:
    """Ingest the sample, dated over the last seven days. Raises CommandError."""
    job = Job(
        files=[SAMPLE], destination=ingress_url, state_folder=state_folder, spread=SPREAD, restart=True, is_quiet=True
    )
    summary = Summary()
    async with httpx.AsyncClient(base_url=ingress_url, headers=headers, timeout=TIMEOUT, trust_env=False) as client:
        await ingest_files(job, HttpSender(client), summary)
    return summary


async def follow(client: httpx.AsyncClient, ids: Sequence[str], watch: Watch) -> dict[str, Conversation]:
    """Wait until each conversation has its outcome; return what the read API says of each.

    Raises CommandError when none gets one for two minutes.
    """
    clock = asyncio.get_running_loop().time
    done: dict[str, Conversation] = {}
    progressed_at = clock()
    while len(done) < len(ids):
        await _until_settled(client, len(ids), watch)
        left = [identifier for identifier in ids if identifier not in done]
        found = [one for one in await _read_all(client, left) if one.get("status") in OUTCOMES]
        done |= {str(conversation["conversation_id"]): conversation for conversation in found}
        watch(len(done), len(ids))
        if found:
            progressed_at = clock()
        elif clock() - progressed_at > _PATIENCE_SECONDS:
            raise CommandError(
                f"{counted(len(left), 'conversation')} without an outcome after {_PATIENCE_SECONDS:.0f} s, such as "
                f"{left[0]}: the services' logs say why."
            )
    return done


async def _until_settled(client: httpx.AsyncClient, expected: int, watch: Watch) -> None:
    """Return when the totals say that all is done, or after five seconds: other traffic may never settle."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        answer = await _get(client, "/api/v1/status")
        counts = answer.get("conversations", {}) if answer is not None else {}
        finished = sum(counts.get(outcome, 0) for outcome in OUTCOMES)
        watch(min(finished, expected), expected)
        if finished >= expected and not counts.get("queued", 0) + counts.get("processing", 0):
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _read_all(client: httpx.AsyncClient, ids: Sequence[str]) -> list[Conversation]:
    """The conversations that the read API knows."""
    places = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(identifier: str) -> Conversation | None:
        async with places:
            return await _get(client, f"/api/v1/conversations/{identifier}")

    answers = await asyncio.gather(*map(read, ids))
    return [answer for answer in answers if answer is not None]


async def _get(client: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
    """The answer, patient with limits; None when there is none yet.

    Raises CommandError for a refused key and for a bug in the service.
    """
    while True:
        try:
            answer = await client.get(path)
        except httpx.TransportError:  # the service restarts: it is asked again in a moment
            return None
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await asyncio.sleep(max(_POLL_SECONDS, retry_after_seconds(answer.headers.get("Retry-After"))))
            continue
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise UsageProblem("The read API wants an API key with the scope read: set UNDERTONE_API_KEY.")
        if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
            raise CommandError(f"The read API failed on {path}: its log says why.")
        return answer.json() if answer.is_success else None
