"""Waiting that ends when the process is told to stop."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - it names what happened
    """The process is to end. What was held is dropped: Kafka delivers it again."""


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait. Raises Stopped as soon as `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
    raise Stopped


async def unless_stopped(work: Awaitable[T], stop: asyncio.Event) -> T:
    """The result of the work. Raises Stopped, and gives the work up, when `stop` is set before it is done."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return working.result()
    finally:
        working.cancel()
        stopping.cancel()
