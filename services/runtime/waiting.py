"""Wait for something, though not for ever."""

import asyncio


async def happened(event: asyncio.Event, *, within_seconds: float) -> bool:
    """Wait until an event is set, at most so long; returns whether it is."""
    try:
        async with asyncio.timeout(within_seconds):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
