"""API keys: who may call, and for what. Only SHA-256 digests are configured; a key itself is shown once.

A key is 256 random bits, so one round of SHA-256 is enough to keep it (there is no dictionary to try). Digests are
compared in constant time, each presented key with every configured one. Keys never enter a log or an answer.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Self

from fastapi import Request

from services.runtime.client_address import TrustedProxies
from services.runtime.log_budget import LogBudget
from services.runtime.logs import get_logger
from services.runtime.problems import Problem
from services.runtime.settings import WRONG_SETTING_EXIT_CODE, SharedSettings, variable_name

_log = get_logger(__name__)

_refusals = LogBudget(per_second=20)

SCOPES = ("ingest", "read", "operate")
_ENTRY = re.compile(r"^([A-Za-z0-9._-]{1,64}):([a-z+]+):([0-9a-f]{64})$")

RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller's name and what it may do."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The configured keys, as pairs of digest and key."""

    entries: tuple[tuple[bytes, ApiKey], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME:SCOPE+SCOPE:SHA256 …` (separated by spaces, commas or lines). Raises ValueError."""
        entries = [
            _parse_entry(entry, place) for place, entry in enumerate(re.split(r"[\s,]+", text.strip()), 1) if entry
        ]
        names = [key.name for _, key in entries]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"API_KEYS: two keys are named {name}; give each its own name")
        return cls(tuple(entries))

    def __bool__(self) -> bool:
        return bool(self.entries)

    def authenticate(self, presented: str | None) -> ApiKey | None:
        """The key that was presented, or None. Takes as long for a wrong key as for a right one."""
        digest = _digest(presented or "")
        found: ApiKey | None = None
        for configured, key in self.entries:
            if hmac.compare_digest(configured, digest):
                found = key
        return found if presented else None


def _parse_entry(entry: str, place: int) -> tuple[bytes, ApiKey]:
    match = _ENTRY.match(entry)
    if match is None:  # the entry is not quoted: somebody may have put a key there
        raise ValueError(
            f"API_KEYS: entry {place} is not NAME:SCOPE+SCOPE:SHA256; `undertone keys new` prints such a line"
        )
    name, scopes, digest = match.groups()
    if name == ANONYMOUS:
        raise ValueError(f"API_KEYS: no key may be named {ANONYMOUS}, which is what callers without one are called")
    return bytes.fromhex(digest), ApiKey(name, frozenset(_known(scopes.split("+"))))


def _known(scopes: Iterable[str]) -> list[str]:
    known = list(scopes)
    for scope in known:
        if scope not in SCOPES:
            raise ValueError(f"{scope!r} is not a scope; there are {', '.join(SCOPES)}")
    return known


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def new_key(name: str, scopes: Iterable[str]) -> tuple[str, str]:
    """A fresh key, and its entry for API_KEYS. Raises ValueError for a name or scope that is none."""
    key = "ut_" + secrets.token_urlsafe(32)
    entry = f"{name}:{'+'.join(dict.fromkeys(_known(scopes)))}:{_digest(key).hex()}"
    if _ENTRY.match(entry) is None or name == ANONYMOUS:
        raise ValueError("a key needs a scope, and a name of 1 to 64 letters, digits, dots, underscores and hyphens")
    return key, entry


@dataclass(frozen=True, slots=True)
class Access:
    """Decides who is calling.

    Without keys everybody may do everything; with keys and `allow_anonymous`, callers without a key may still
    ingest and read. A wrong key is always refused.
    """

    keys: ApiKeys
    allow_anonymous: bool = False

    @classmethod
    def from_settings(cls, settings: SharedSettings) -> Self:
        """Raises ValueError when API_KEYS is malformed."""
        return cls(ApiKeys.parse(settings.api_keys.get_secret_value()), settings.allow_anonymous)

    @property
    def anonymous(self) -> ApiKey | None:
        """What callers without a key are, or None when they are refused."""
        if not self.keys:
            return _EVERYBODY
        return _STRANGER if self.allow_anonymous else None

    def identify(self, headers: RawHeaders) -> ApiKey:
        """The caller. Raises a 401 Problem."""
        if not self.keys:
            return _EVERYBODY
        presented = presented_key(headers)
        key = self.keys.authenticate(presented)  # also without one, so that every refusal takes as long
        if key is not None:
            return key
        if presented is not None:
            raise _unauthenticated("unknown", "This API key is not known here.")
        if (anonymous := self.anonymous) is not None:
            return anonymous
        raise _unauthenticated("missing", "Show an API key: `Authorization: Bearer KEY` or `X-API-Key: KEY`.")

    def knows(self, headers: RawHeaders) -> bool:
        """Whether the caller may see what is not for everybody: it showed a good key, or none are configured."""
        try:
            return self.identify(headers) is not _STRANGER
        except Problem:
            return False


ANONYMOUS = "anonymous"
"""The name of callers without a key; no key may be called so."""
_EVERYBODY = ApiKey(ANONYMOUS, frozenset(SCOPES))
_STRANGER = ApiKey(ANONYMOUS, frozenset({"ingest", "read"}))


def _unauthenticated(reason: str, details: str) -> Problem:
    problem = Problem(401, "unauthenticated", details, headers={"WWW-Authenticate": 'Bearer realm="undertone"'})
    problem.__notes__ = [reason]
    return problem


def presented_key(headers: RawHeaders) -> str | None:
    """The key in `Authorization: Bearer` or `X-API-Key`; None when neither is there."""
    presented: str | None = None
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").strip().partition(" ")
            return key.strip() if scheme.lower() == "bearer" else ""
        if name == b"x-api-key":
            presented = value.decode("latin-1").strip()
    return presented


def admit(access: Access, headers: RawHeaders, scope: str, address: str) -> ApiKey:
    """The caller, who has this scope. Raises a 401 or 403 Problem; a refusal is logged without the key."""
    try:
        caller = access.identify(headers)
    except Problem as problem:
        _log_refusal(reason=f"key_{problem.__notes__[0]}", address=address, scope=scope)
        raise
    if scope not in caller.scopes:
        _log_refusal(reason="scope_missing", key=caller.name, address=address, scope=scope)
        raise Problem(403, "forbidden", f"This needs a key with the scope `{scope}`.")
    return caller


def _log_refusal(**fields: str) -> None:
    if (withheld := _refusals.spend()) is not None:
        _log.warning("caller_refused", **fields, withheld=withheld)


def require_scope(scope: str) -> Callable[[Request], Awaitable[ApiKey]]:
    """A FastAPI dependency that gives the caller, who has this scope."""
    assert scope in SCOPES

    async def caller(request: Request) -> ApiKey:
        proxies: TrustedProxies = request.app.state.trusted_proxies
        return admit(request.app.state.access, request.headers.raw, scope, proxies.client_of(request.scope))

    return caller


def refuse_open_bind(settings: SharedSettings) -> None:
    """End the process with exit code 2 when strangers could reach a service that asks for no key."""
    try:
        access = Access.from_settings(settings)
    except ValueError as error:
        problem = str(error)
    else:
        if access.keys or settings.allow_anonymous or is_loopback(settings.host):
            return
        variable = variable_name(type(settings), "host")
        problem = (
            f"{variable}: {settings.host} can be reached from outside and API_KEYS is empty; make a key with "
            "`undertone keys new`, or set ALLOW_ANONYMOUS=true to serve everybody who reaches it"
        )
    print(problem, file=sys.stderr)  # noqa: T201 - the one line that ends the start
    sys.exit(WRONG_SETTING_EXIT_CODE)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name counts by what it resolves to."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)
