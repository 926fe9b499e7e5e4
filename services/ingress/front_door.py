"""Who is let in: the key, then the client's limit, then the instance's."""

from dataclasses import dataclass

from starlette.types import Scope

from services.runtime.api_keys import Access, ApiKey, admit
from services.runtime.client_address import TrustedProxies
from services.runtime.client_limits import ClientLimits, RawHeaders, fields_unless_limited
from services.runtime.rate_limits import TokenBucket


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
    clients: ClientLimits

    async def enter(self, scope: Scope) -> Entrance:
        """The caller. Raises a 401, 403 or 429 Problem; the instance's budget is not spent on those refused before."""
        address = self.proxies.client_of(scope)
        caller = admit(self.access, scope["headers"], "ingest", address)
        headers = await self.clients.count(caller, address)
        if self.bucket is not None:
            headers += fields_unless_limited("instance", self.bucket.take(), caller, address)
        return Entrance(caller, headers)
