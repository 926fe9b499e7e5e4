"""One keep-alive connection to the server, carrying one request at a time.

Not httpx: it takes 300 to 400 us of CPU for a request, several times what the ingress takes to answer one, so on a
small machine it would measure itself. This takes about 20 us: bytes out, httptools in, callbacks between.
"""

import asyncio
from typing import Protocol, cast

import httptools

from undertone.bench.posts import Post


class ConnectionOwner(Protocol):
    """Who is told what happens on a connection."""

    def opened(self, connection: "Connection") -> None:
        """It is there, and idle."""

    def answered(self, connection: "Connection", status: int, body: bytes) -> None:
        """The answer to `connection.post` is complete."""

    def lost(self, connection: "Connection") -> None:
        """It is gone; `connection.post` is the request that got no answer, if there was one."""


class Connection(asyncio.Protocol):
    """HTTP/1.1, client side."""

    __slots__ = ("_body", "_owner", "_parser", "_transport", "intended_at", "is_open", "post", "sent_at")

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._body: list[bytes] = []
        self.is_open = False
        self.post: Post | None = None
        self.intended_at = 0.0
        """When the request was meant to be sent, on the loop's clock: what its latency counts from."""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.is_open = True
        self._owner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter, that it did does
        self.is_open = False
        self._owner.lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def send(self, post: Post, *, intended_at: float, now: float) -> None:
        """Send a request; the connection must be idle."""
        assert self._transport is not None
        self.post = post
        self.intended_at = intended_at
        self.sent_at = now
        self._transport.write(post.request)

    def close(self) -> None:
        """Close at once, whatever is on its way."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    # What httptools calls.

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body, self._body = self._body, []
        if self.post is None:
            self.close()  # nobody asked: the server closes idle connections with a 408, for instance
            return
        self.is_open = self._parser.should_keep_alive()
        self._owner.answered(self, self._parser.get_status_code(), body[0] if len(body) == 1 else b"".join(body))
