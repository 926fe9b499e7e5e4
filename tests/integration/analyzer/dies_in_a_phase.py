"""An analyzer that kills itself with SIGKILL in a chosen phase of a batch: `DIES=phase:occurrence`."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from schemas.outcome import Outcome
from services.analyzer.__main__ import main
from services.analyzer.arrivals import Arrival
from services.analyzer.asking import Asking
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.llm.client import ChatClient, Completion, Request
from services.analyzer.outbox import Outbox
from services.analyzer.permissions import Permission

PHASES = ("permitted", "sent", "answered", "published", "acknowledged")


class _Death:
    """Comes at the nth time that its phase is reached."""

    def __init__(self, phase: str, occurrence: int) -> None:
        self._phase = phase
        self._left = occurrence

    def reached(self, phase: str) -> None:
        if phase == self._phase:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _dies(death: _Death) -> None:
    wait_for_start, deliver_all = Asking._wait_for_start, Outbox.deliver_all
    complete, done = ChatClient.complete, Ledger.done

    async def permitted(permission: Permission) -> None:
        death.reached("permitted")
        await wait_for_start(permission)

    async def sent(client: ChatClient, request: Request, on_sent: Callable[[], None] = lambda: None) -> Completion:
        answer = asyncio.ensure_future(complete(client, request, on_sent))
        await asyncio.wait([answer], timeout=0.1)  # the simulated LLM takes longer: the call is under way
        death.reached("sent")
        return await answer

    async def answered(outbox: Outbox, outcomes: Sequence[tuple[Arrival, Outcome]]) -> None:
        death.reached("answered")
        await deliver_all(outbox, outcomes)
        death.reached("acknowledged")  # in this process; what Kafka knows of it is half a second older

    def published(ledger: Ledger, place: RecordPlace, version: str | None = None) -> None:
        death.reached("published")
        done(ledger, place, version)

    patched: dict[Any, dict[str, Any]] = {
        Asking: {"_wait_for_start": staticmethod(permitted)},
        ChatClient: {"complete": sent},
        Outbox: {"deliver_all": answered},
        Ledger: {"done": published},
    }
    for owner, methods in patched.items():
        for name, method in methods.items():
            setattr(owner, name, method)


if __name__ == "__main__":
    phase, _, occurrence = os.environ.pop("DIES", "never:1").partition(":")
    _dies(_Death(phase, int(occurrence)))
    main()
