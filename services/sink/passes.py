"""Work that is done in the background, pass after pass, for as long as the process lives."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.runtime.logs import get_logger
from services.sink.failures import SERIALIZATION, is_unavailable, without_values
from services.sink.stopping import Stopped, pause

_log = get_logger(__name__)


class Busy(Exception):  # noqa: N818 - it names what happened
    """Another sink does it at this moment: its pass is as good as ours."""


async def repeat(work: Callable[[], Awaitable[object]], name: str, every_seconds: float, stop: asyncio.Event) -> None:
    """Do it now and after every pause, until told to stop. What another transaction or an outage ended is tried again.

    `name` is how the log calls the work that waits.
    """
    with suppress(Stopped):
        while True:
            try:
                await work()
            except (Busy, *SERIALIZATION):
                pass
            except Exception as error:
                if not is_unavailable(error):
                    raise
                _log.warning("background_waits", work=name, reason=without_values(error))
            await pause(every_seconds, stop)
