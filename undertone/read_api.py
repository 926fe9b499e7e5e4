"""A client of the read API for people's commands: answers as dictionaries, failures as one sentence."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from undertone.absent import no_answer
from undertone.console import say
from undertone.errors import CommandError, UsageProblem
from undertone.ingest.http_sender import retry_after_seconds
from undertone.settings import asks_proxy, key_headers

_TIMEOUT = httpx.Timeout(30, connect=5)
_LIMIT_PATIENCE_SECONDS = 120.0
"""How long one question may be put off by the client's limit: twice the window that is usual."""


_LONGEST_PAUSE_SECONDS = 10.0

T = TypeVar("T")


class NotAnswered(CommandError):  # noqa: N818 - it names what was met, as house style asks
    """The read API is away or too busy; the same question may be answered later."""


class NotFoundError(CommandError):
    """There is nothing under this id."""


class ReadApi:
    """Open it with `with`."""

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self._sleep = sleep
        self._persistence = 0.0
        self._client = httpx.Client(
            base_url=url, headers=key_headers(key), timeout=_TIMEOUT, transport=transport, trust_env=asks_proxy(url)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @contextmanager
    def persisting(self, seconds: float = 120.0) -> Iterator[None]:
        """Ask again meanwhile what is not answered, waiting so long in all: no long work ends for a restart."""
        before, self._persistence = self._persistence, seconds
        try:
            yield
        finally:
            self._persistence = before

    def get(self, path: str, parameters: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer's members. Parameters that are None are left out.

        A 429 is obeyed: the question is repeated after Retry-After, for two minutes in all. Raises NotAnswered,
        NotFoundError and CommandError.
        """
        given = {name: str(value) for name, value in (parameters or {}).items() if value is not None}
        return self._persistently(lambda: self._told(lambda: self._patiently(path, given)))

    def _told(self, send: Callable[[], httpx.Response]) -> dict[str, Any]:
        """The members of a good answer. Raises CommandError for any other, and for none."""
        with self._explained():
            answer = send()
        if answer.is_success:
            return self._members(answer)
        raise self._failure(answer)

    def _persistently(self, ask: Callable[[], T]) -> T:
        left, pause = self._persistence, 1.0
        while True:
            try:
                return ask()
            except NotAnswered as error:
                if pause > left:
                    raise
                if left == self._persistence:
                    say(f"{error} It is asked again.")
            left -= pause
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _patiently(self, path: str, parameters: Mapping[str, str]) -> httpx.Response:
        left = _LIMIT_PATIENCE_SECONDS
        while True:
            answer = self._client.get(path, params=parameters)
            wait = max(1.0, retry_after_seconds(answer.headers.get("Retry-After")))
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS or wait > left:
                return answer
            left -= wait
            self._sleep(wait)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise NotAnswered(str(no_answer(self.url, "connection refused", "read API", "--read-api-url"))) from error
        except httpx.TimeoutException as error:
            raise NotAnswered(f"{self.url} did not answer in time; `undertone status` says how it is.") from error
        except httpx.HTTPError as error:
            raise NotAnswered(f"{self.url} broke off ({type(error).__name__}); try again.") from error

    def _members(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            members = answer.json()
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise UsageProblem(f"What answers at {self.url} is not the read API; see --read-api-url.")
        return members

    def _failure(self, answer: httpx.Response) -> CommandError:
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        details = str(problem.get("details") or answer.reason_phrase) if isinstance(problem, dict) else ""
        if answer.status_code == httpx.codes.NOT_FOUND:
            return NotFoundError(details)
        if answer.status_code in {401, 403}:
            return UsageProblem(f"The read API refuses the API key: {details}. Set UNDERTONE_API_KEY or --api-key.")
        if answer.status_code == httpx.codes.BAD_REQUEST:
            return UsageProblem(details)
        kind = NotAnswered if answer.is_server_error else CommandError
        return kind(f"{self.url} answered {answer.status_code}: {details}")
