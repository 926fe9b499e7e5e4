"""The read API's side of dead letters: decisions are posted, and waits that it asks for are waited."""

from collections.abc import Mapping
from typing import Any

import httpx

from undertone.dead_letters.selecting import names_in_doubt, nothing_has
from undertone.errors import CommandError
from undertone.ingest.http_sender import retry_after_seconds
from undertone.read_api import NotFoundError, ReadApi

PATH = "/api/v1/dead-letters"
_DECISION_TIMEOUT = httpx.Timeout(300, connect=5)
"""A step sends up to 1,000 records, and may have to read Kafka's logs first."""
_PATIENCE_SECONDS = 120.0
_COME_AGAIN = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.CONFLICT}


class DeadLetterApi(ReadApi):
    """Open it with `with`."""

    def post(self, path: str, members: Mapping[str, object]) -> dict[str, Any]:
        """Post a decision and return the answer's members. Raises CommandError.

        A limit, and another redrive that runs, are waited for: two minutes in all.
        """
        return self._told(lambda: self._post_patiently(path, members))

    def refuse_unknown(self, selection: Mapping[str, object]) -> None:
        """Raise CommandError when a selection names what no dead letter has, in whatever state it is."""
        for member, value in names_in_doubt(selection).items():
            if not self.get(PATH, {member: value, "limit": 1})["dead_letters"]:
                raise nothing_has(member, value)
        ids = selection.get("dead_letter_ids")
        for letter in ids if isinstance(ids, list) else ():
            try:
                self.get(f"{PATH}/{letter}")
            except NotFoundError:
                raise CommandError(f"There is no dead letter {letter}; nothing was done.") from None

    def _post_patiently(self, path: str, members: Mapping[str, object]) -> httpx.Response:
        left = _PATIENCE_SECONDS
        while True:
            answer = self._client.post(path, json=members, timeout=_DECISION_TIMEOUT)
            stated = answer.headers.get("Retry-After")
            wait = max(1.0, retry_after_seconds(stated))
            if answer.status_code not in _COME_AGAIN or stated is None or wait > left:
                return answer
            left -= wait
            self._sleep(wait)
