"""Sending through the ingress: `POST /api/v1/conversations/bulk`, obeying 429 and 503 and their Retry-After."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from undertone.absent import no_answer
from undertone.errors import CommandError, UsageProblem
from undertone.ingest.outgoing import Outgoing
from undertone.ingest.sending import Problems, Sent

BULK_PATH = "/api/v1/conversations/bulk"
MAX_BODY_BYTES = 1024 * 1024
GIVE_UP_SECONDS = 120.0
"""Without any answer or progress for so long, the ingest stops; the same command continues it later."""
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0
TIMEOUT = httpx.Timeout(30, connect=5)


class HttpSender:
    """Posts NDJSON; several batches may be under way at once, and a limit met by one holds them all."""

    max_batch_bytes = MAX_BODY_BYTES

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._give_up_seconds = give_up_seconds
        self._held_until = 0.0
        self._progress_at = clock()
        self.waiting_for: str | None = None
        """Why sending pauses at the moment, for the person who watches."""

    async def check(self) -> None:
        """Whether an ingress answers at the address."""
        try:
            answer = await self._client.get("/livez")
        except httpx.HTTPError as error:
            raise no_answer(str(self._client.base_url), _reason(error), "ingress", "--api-url") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise UsageProblem(f"What answers at {self._client.base_url} is not the ingress; see --api-url.")

    async def send(self, batch: Sequence[Outgoing]) -> Sent:
        rejected: dict[int, Problems] = {}
        await self._send_part(batch, list(range(len(batch))), rejected)
        return Sent(rejected)

    async def _send_part(self, batch: Sequence[Outgoing], part: list[int], rejected: dict[int, Problems]) -> None:
        """Send the entries of the batch at these positions until each is accepted or in `rejected`."""
        attempt = 0
        began = self._clock()
        while part:
            answer = await self._post(b"\n".join(batch[position].body for position in part))
            if answer is not None and answer.status_code in {400, 413} and len(part) > 1 and not _results(answer):
                # Which of them is at fault only shows when they go apart.
                middle = len(part) // 2
                await self._send_part(batch, part[:middle], rejected)
                part = part[middle:]
                continue
            left = self._settle(answer, part, rejected)
            if len(left) < len(part):
                self._progress_at = self._clock()
                self.waiting_for = None
                attempt = 0
            part = left
            if part:
                await self._pause(answer, attempt, began)
                attempt += 1

    async def _post(self, content: bytes) -> httpx.Response | None:
        """The answer; None when there was none and it is unknown what became of the request."""
        while (wait := self._held_until - self._clock()) > 0:
            await self._sleep(wait)
        try:
            return await self._client.post(BULK_PATH, content=content, headers={"Content-Type": "application/x-ndjson"})
        except httpx.TransportError as error:
            self.waiting_for = f"no answer ({_reason(error)})"
            return None

    def _settle(self, answer: httpx.Response | None, part: list[int], rejected: dict[int, Problems]) -> list[int]:
        """Note what was rejected, and return what has to be sent again."""
        if answer is None or answer.status_code == 429:
            return part
        if results := _results(answer):  # of a 202, and of a 400 or 503 that says what became of each
            return _unknown_ones(results, part, rejected)
        if answer.status_code >= 500:
            return part
        if answer.status_code in {400, 413}:
            rejected[part[0]] = _problems(_document(answer))
            return []
        raise self._refused(answer)

    def _refused(self, answer: httpx.Response) -> CommandError:
        details = _document(answer).get("details", "")
        if answer.status_code in {401, 403}:
            return UsageProblem(f"The ingress refuses the API key: {details or answer.reason_phrase}. See --api-key.")
        return CommandError(f"{self._client.base_url} answered {answer.status_code} {answer.reason_phrase}. {details}")

    async def _pause(self, answer: httpx.Response | None, attempt: int, began: float) -> None:
        """Hold all sending: as long as the service asks, else longer each time, with jitter."""
        if self._clock() - max(began, self._progress_at) > self._give_up_seconds:
            raise CommandError(
                f"{self._client.base_url} accepted nothing for {self._give_up_seconds:.0f} s "
                f"({self.waiting_for or 'it is overloaded'}); the same command continues here later."
            )
        longest = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**attempt)
        wait = random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries, protects nothing
        if answer is not None:
            asked = retry_after_seconds(answer.headers.get("Retry-After"))
            if answer.status_code == 429:
                self.waiting_for = "rate limit"
                self._progress_at = self._clock()  # a limit that is obeyed is no outage
            elif answer.status_code >= 500:
                self.waiting_for = str(_document(answer).get("details", f"answer {answer.status_code}"))
            wait = max(wait, asked)
        self._held_until = max(self._held_until, self._clock() + wait)


def _results(answer: httpx.Response) -> Sequence[Mapping[str, Any]]:
    """What became of each conversation, where the answer says so."""
    results = _document(answer).get("results")
    return results if isinstance(results, list) else ()


def _unknown_ones(results: Sequence[Mapping[str, Any]], part: list[int], rejected: dict[int, Problems]) -> list[int]:
    unknown = []
    for result in results:
        position = part[result["index"]]
        if result["status"] == "rejected":
            rejected[position] = _problems(result.get("error"))
        elif result["status"] == "unknown":
            unknown.append(position)
    return unknown


def _problems(error: Any) -> Problems:
    """The problems that a refusal names; a refusal may also be one sentence."""
    if not isinstance(error, Mapping):
        return [("", str(error or "was refused without a reason"))]
    named = [(str(one.get("field", "")), str(one.get("problem", ""))) for one in error.get("errors") or ()]
    return named or [("", str(error.get("details") or error.get("error") or "was refused"))]


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectError):
        return "connection refused"
    return "it took too long" if isinstance(error, httpx.TimeoutException) else type(error).__name__


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float:
    """How long Retry-After asks to wait: seconds or an HTTP date; 0 when it says nothing readable."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
