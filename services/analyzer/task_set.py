"""Tasks beside the main flow, none of which may fail unseen: the first unexpected exception ends the process."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol


class Tasks(Protocol):
    """Runs something beside; what it raises ends the process."""

    def spawn(self, work: Coroutine[Any, Any, object]) -> None: ...


class TaskSet:
    """Holds on to running tasks; `failure` is resolved by the first that raises."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run it; it belongs to the set until it ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Something else failed that must end the process, too."""
        if not self.failure.done():
            self.failure.set_result(error)

    async def finish(self, deadline_seconds: float) -> bool:
        """Wait until all tasks ended, also those that they start; False when the deadline came first."""
        deadline = asyncio.get_running_loop().time() + deadline_seconds
        while self._tasks:
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                return False
            await asyncio.wait(set(self._tasks), timeout=remaining)
        return True

    async def cancel(self) -> None:
        """End what still runs."""
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*set(self._tasks), return_exceptions=True)
