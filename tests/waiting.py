"""Wait for a condition with a deadline: the only way in which tests wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Result = TypeVar("Result")


@overload
async def eventually(
    check: Callable[[], Awaitable[Result]], *, within_seconds: float = 30, every_seconds: float = 0.05, what: str = ""
) -> Result: ...
@overload
async def eventually(
    check: Callable[[], Result], *, within_seconds: float = 30, every_seconds: float = 0.05, what: str = ""
) -> Result: ...
async def eventually(
    check: Callable[[], Any], *, within_seconds: float = 30, every_seconds: float = 0.05, what: str = ""
) -> Any:
    """Repeat `check` until it returns something true, and return that.

    An AssertionError of the check means "not yet", and so does an answer that does not say it yet (LookupError).
    Raises AssertionError with the last answer when time is up.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        last: object
        try:
            answer = check()
            result = await answer if inspect.isawaitable(answer) else answer
            if result:
                return result
            last = result
        except (AssertionError, LookupError) as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within_seconds:g} s: {what or check}; last: {last!r}")
        await asyncio.sleep(every_seconds)
