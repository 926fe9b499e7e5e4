"""One connection more than there are calls in flight, so that a call does not wait for a handshake when it starts.

A call is paced by when its bytes go out. With TLS a new connection costs two or three round trips first; opened in
the background after a call was sent, it costs the next one nothing. How many are open is counted from httpcore's
trace; one that the other side closes meanwhile is opened anew by the call that misses it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any, Final

import httpx

_OPENED: Final = "connection.connect_tcp.complete"
_HEAD_WRITTEN: Final = "http11.send_request_headers.complete"
"""When it is started, nothing has gone out: the event loop turns to what else is ready, and that may take long."""

Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Connections:
    """Counts connections and calls; `touch` makes some request that costs nothing."""

    def __init__(self, touch: Callable[[Trace], Awaitable[None]], most: int) -> None:
        self._touch = touch
        self._most = most
        self._opening: asyncio.Task[None] | None = None
        self.opened = 0
        self.in_use = 0

    def trace(self, on_sent: Callable[[], None] = lambda: None) -> Trace:
        """For the `trace` extension of a request; `on_sent` is told when its first bytes have gone out."""

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            if event == _OPENED:
                self.opened += 1
            elif event == _HEAD_WRITTEN:
                on_sent()

        return trace

    @contextmanager
    def used(self) -> Iterator[None]:
        """While a call is in flight."""
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1

    def sent(self) -> None:
        """A call went out: open a connection for the next one when none is idle."""
        is_opening = self._opening is not None and not self._opening.done()
        if self.in_use >= self.opened and self.opened < self._most and not is_opening:
            self._opening = asyncio.create_task(self.open(1))

    async def open(self, count: int) -> None:
        """Open so many at once. What goes wrong is for a call to tell."""
        await asyncio.gather(*(self._touch(self.trace()) for _ in range(count)))

    async def close(self) -> None:
        """Give up what is being opened."""
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError):
                await self._opening


def is_loopback(url: str) -> bool:
    """Whether the endpoint is on this machine: then a proxy of the environment is not asked."""
    try:
        host = httpx.URL(url).host
        return host == "localhost" or ip_address(host).is_loopback
    except (httpx.InvalidURL, ValueError):
        return False
