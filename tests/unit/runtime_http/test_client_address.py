"""Whose request it is: what a client writes about itself is believed from proxies only."""

from typing import Any

import pytest

from services.runtime.client_address import TrustedProxies

PROXIES = TrustedProxies.parse("10.0.0.0/8, 2001:db8::1")


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"client": (peer, 1) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", ("198.51.100.1",), "203.0.113.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1, 10.2.3.4",), "198.51.100.1"),
        ("2001:db8::1", ("2001:db8::7",), "2001:db8::7"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, unknown",), "10.0.0.1"),
        ("10.0.0.1", ("10.1.1.1, 10.2.2.2",), "10.1.1.1"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
def test_the_client_is_the_first_address_that_no_trusted_proxy_vouches_beyond(
    peer: str | None, forwarded: tuple[str, ...], client: str
) -> None:
    assert PROXIES.client_of(scope(peer, *forwarded)) == client


def test_without_proxies_the_header_says_nothing() -> None:
    assert TrustedProxies().client_of(scope("203.0.113.1", "6.6.6.6")) == "203.0.113.1"


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0\.0/40' is neither"):
        TrustedProxies.parse("127.0.0.1 10.0.0.0/40")
