"""A client of the read API for people's commands: answers as dictionaries, failures as one sentence."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from undertone.absent import no_answer
from undertone.errors import CommandError, UsageProblem
from undertone.ingest.http_sender import retry_after_seconds
from undertone.settings import asks_proxy, key_headers

_TIMEOUT = httpx.Timeout(30, connect=5)
_LIMIT_PATIENCE_SECONDS = 120.0
"""How long one question may be put off by the client's limit: twice the window that is usual."""


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
        self._client = httpx.Client(
            base_url=url, headers=key_headers(key), timeout=_TIMEOUT, transport=transport, trust_env=asks_proxy(url)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, parameters: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer's members. Parameters that are None are left out. Raises CommandError and NotFoundError.

        A 429 is obeyed: the question is repeated after Retry-After, for two minutes in all.
        """
        given = {name: str(value) for name, value in (parameters or {}).items() if value is not None}
        with self._explained():
            answer = self._patiently(path, given)
        if answer.is_success:
            return self._members(answer)
        raise self._failure(answer)

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
            raise no_answer(self.url, "connection refused", "read API", "--read-api-url") from error
        except httpx.TimeoutException as error:
            raise CommandError(f"{self.url} did not answer in time; `undertone status` says how it is.") from error
        except httpx.HTTPError as error:
            raise CommandError(f"{self.url} broke off ({type(error).__name__}); try again.") from error

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
        return CommandError(f"{self.url} answered {answer.status_code}: {details}")
