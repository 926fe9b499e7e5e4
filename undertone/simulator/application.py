"""The simulator as an ASGI application: Chat Completions, its statistics, and the switch for its conduct.

`POST /v1/chat/completions` · `GET|HEAD /v1/models` · `GET|DELETE /stats` · `GET /stats/contents` ·
`GET|PUT|PATCH /conduct` (PUT replaces, PATCH changes what it names).
"""

import json
import time
from typing import Any

from pydantic import ValidationError

from undertone.simulator.answers import Reply
from undertone.simulator.chat import Chat, Receive, Scope, Send, document_of, read, send_reply
from undertone.simulator.conduct import Conduct, sentence_of
from undertone.simulator.statistics import Statistics

_CHAT = "/v1/chat/completions"


class Simulator:
    """Answers calls as its conduct says, and lets an operator look and change it."""

    def __init__(self, conduct: Conduct | None = None) -> None:
        self._chat = Chat(conduct or Conduct())

    @property
    def conduct(self) -> Conduct:
        """How it behaves."""
        return self._chat.conduct

    @conduct.setter
    def conduct(self, conduct: Conduct) -> None:
        """Behave so from the next call on; how often faults struck is counted anew."""
        self._chat.conduct = conduct
        self._chat.used.clear()

    @property
    def statistics(self) -> Statistics:
        """What it counted since the start, or since the last DELETE /stats."""
        return self._chat.statistics

    def reset(self, conduct: Conduct) -> None:
        """Start anew as if nothing had been asked before, also nothing that is cached."""
        self._chat.forget()
        self.conduct = conduct

    def close(self) -> None:
        """Let go of the calls that hang."""
        self._chat.closing.set()

    def summary(self) -> dict[str, Any]:
        """The statistics, and how often each fault struck."""
        faults = [
            {"kind": fault.kind, "when": fault.when, "used": self._chat.used[index]}
            for index, fault in enumerate(self.conduct.faults)
        ]
        return {**self.statistics.summary(), "faults": faults}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if (scope["method"], scope["path"]) == ("POST", _CHAT):
            await self._chat(scope, receive, send)
            return
        status, document = self._operate(scope["method"], scope["path"], await read(receive))
        await send_reply(send, Reply(status, json.dumps(document).encode()))

    def _operate(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/conduct" and method in {"PUT", "PATCH"}:
            return self._change_conduct(body, is_patch=method == "PATCH")
        answer: Any
        match (method, path):
            case ("GET" | "HEAD", "/v1/models"):
                answer = {"object": "list", "data": [{"id": self.conduct.model or "grok-4.3", "object": "model"}]}
            case ("GET", "/stats"):
                answer = self.summary()
            case ("GET", "/stats/contents"):
                answer = dict(self.statistics.contents)
            case ("DELETE", "/stats"):
                self._chat.statistics = Statistics(time.monotonic)
                answer = self.summary()
            case ("GET", "/conduct"):
                answer = self.conduct.model_dump(mode="json")
            case _:
                return 404, {"error": f"there is no {method} {path} here"}
        return 200, answer

    def _change_conduct(self, body: bytes, *, is_patch: bool) -> tuple[int, Any]:
        document = document_of(body)
        if document is None:
            return 400, {"error": "the body is not a JSON object"}
        base = self.conduct.model_dump(mode="json") if is_patch else {}
        try:
            self.conduct = Conduct.model_validate(base | document)
        except ValidationError as error:
            return 400, {"error": sentence_of(error)}
        return 200, self.conduct.model_dump(mode="json")
