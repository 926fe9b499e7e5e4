"""A client of our own services."""

import ssl
from typing import Any

import httpx

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def http_client(**options: Any) -> httpx.AsyncClient:
    """As httpx makes it, but without loading the certificate authorities: 30 ms of CPU, for plain HTTP."""
    return httpx.AsyncClient(verify=_NO_TLS, **options)
