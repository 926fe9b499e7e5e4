"""Who is let in: the key, then the client's limit, then the instance's."""

import ipaddress
from dataclasses import dataclass

from starlette.types import Scope

from services.ingress.rate_limits import ClientLimiter, TokenBucket, Verdict, WindowLimit
from services.runtime.api_keys import ANONYMOUS, Access, ApiKey, admit
from services.runtime.client_address import TrustedProxies
from services.runtime.log_budget import LogBudget
from services.runtime.logs import get_logger
from services.runtime.problems import Problem

_log = get_logger(__name__)

_refusals = LogBudget(per_second=5)

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Entrance:
    """A caller who was let in, and what the answer says about its limits."""

    caller: ApiKey
    headers: RawHeaders


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """Decides for every post; health, metrics and redirects do not pass here."""

    access: Access
    proxies: TrustedProxies
    bucket: TokenBucket | None
    clients: ClientLimiter
    key_limit: WindowLimit | None = None
    anonymous_limit: WindowLimit | None = None

    async def enter(self, scope: Scope) -> Entrance:
        """The caller. Raises a 401, 403 or 429 Problem; the instance's budget is not spent on those refused before."""
        address = self.proxies.client_of(scope)
        caller = admit(self.access, scope["headers"], "ingest", address)
        is_anonymous = caller.name == ANONYMOUS
        limit = self.anonymous_limit if is_anonymous else self.key_limit
        headers: RawHeaders = []
        if limit is not None:
            client = _network_of(address) if is_anonymous else f"key:{caller.name}"
            headers += _checked("client", await self.clients.take(client, limit), caller, address)
        if self.bucket is not None:
            headers += _checked("instance", self.bucket.take(), caller, address)
        return Entrance(caller, headers)


def _checked(name: str, verdict: Verdict, caller: ApiKey, address: str) -> RawHeaders:
    """The `RateLimit` fields of a limit (draft-ietf-httpapi-ratelimit-headers-10). Raises a 429 Problem."""
    if not verdict.is_allowed:
        if (withheld := _refusals.spend()) is not None:
            _log.info("limit_reached", limit=name, key=caller.name, address=address, withheld=withheld)
        raise Problem(
            429,
            "rate_limit_exceeded",
            f"More than {verdict.limit} requests in {verdict.window_seconds} s; wait and send this again",
            retry_after=verdict.retry_after,
            headers=dict(_fields(name, verdict)),
        )
    return [(field.lower().encode(), value.encode()) for field, value in _fields(name, verdict)]


def _fields(name: str, verdict: Verdict) -> list[tuple[str, str]]:
    wait = verdict.window_seconds if verdict.is_allowed else verdict.retry_after
    return [
        ("RateLimit-Policy", f'"{name}";q={verdict.limit};w={verdict.window_seconds}'),
        ("RateLimit", f'"{name}";r={verdict.remaining};t={wait}'),
    ]


def _network_of(address: str) -> str:
    """An IPv6 client is counted by its /64: one household has 2^64 addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
