"""The HTTP client of the analyzer: however a connection fails, its callers are told by one kind of error."""

from typing import Any

import httpx


class HttpClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` that raises nothing but what httpx documents when the other side is gone."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request. Raises httpx.HTTPError; ConnectError when the connection ended before anything was sent."""
        try:
            return await super().send(request, **options)
        except AttributeError as error:
            # On uvloop a connection that is reset as soon as it is made has no socket any more, and anyio asks that
            # for its peer (httpcore, before the request is written).
            raise httpx.ConnectError("the connection ended as soon as it was made", request=request) from error
