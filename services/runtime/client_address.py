"""Whose request this is: the connection's address, or what trusted proxies say in `X-Forwarded-For`.

A header is believed only when the connection itself comes from a configured proxy, and only as far back as the
first address that is not one: whatever stands before it was written by the client.
"""

import ipaddress
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Self

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The networks whose word about a client's address is taken."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read addresses and networks separated by commas or spaces. Raises ValueError naming the wrong one."""
        return cls(tuple(_network(word) for word in text.replace(",", " ").split()))

    def client_of(self, scope: MutableMapping[str, Any]) -> str:
        """The client's address, `unknown` for a Unix socket."""
        peer = scope.get("client")
        address = str(peer[0]) if peer else "unknown"
        if not self.networks or not self._trusts(address):
            return address
        forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        return self._furthest_known(address, forwarded.decode("latin-1").split(","))

    def _furthest_known(self, peer: str, hops: Iterable[str]) -> str:
        client = peer
        for hop in reversed(list(hops)):
            word = hop.strip()
            if not _is_address(word):
                return client
            client = word
            if not self._trusts(word):
                return client
        return client

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


def _network(word: str) -> Network:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise ValueError(f"{word!r} is neither an IP address nor a network") from None


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
