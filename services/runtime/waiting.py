"""Wait for something, though not for ever."""

import asyncio
from contextlib import suppress


async def happened(event: asyncio.Event, *, within_seconds: float) -> None:
    """Wait until an event is set, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            await event.wait()
