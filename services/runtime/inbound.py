"""What services that clients call have in common: settings of limits, proxies and origins, and what is made of them."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from services.runtime.client_address import TrustedProxies
from services.runtime.rate_limits import ClientLimiter, SlidingWindows, WindowLimit

_ORIGIN = re.compile(r"^https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$")
_SENT_BY_SCRIPTS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "traceparent",
    "X-API-Key",
    "X-Correlation-Id",
)
_SHOWN_TO_SCRIPTS = ("ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Correlation-Id")
_PREFLIGHT_SECONDS = 600


def allowed_origins(text: str) -> tuple[str, ...]:
    """Read origins separated by commas or spaces. Raises ValueError naming the wrong one."""
    origins = tuple(word.rstrip("/") for word in text.replace(",", " ").split())
    for origin in origins:
        if _ORIGIN.match(origin) is None:
            raise ValueError(f"{origin!r} is no origin such as https://app.example.com; each is named in full")
    return origins


def _checked_by(read: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def _readable_redis(url: SecretStr | None) -> SecretStr | None:
    if url is not None:
        from services.runtime.redis_windows import check_redis_url  # noqa: PLC0415 - 18 MB, where Redis is used only

        check_redis_url(url.get_secret_value())
    return url


WindowText = Annotated[str, _checked_by(WindowLimit.parse)]
ProxiesText = Annotated[str, _checked_by(TrustedProxies.parse)]
OriginsText = Annotated[str, _checked_by(allowed_origins)]
RedisUrl = Annotated[
    SecretStr | None,
    AfterValidator(_readable_redis),
    Field(
        default=None,
        validation_alias="REDIS_URL",
        description="Where clients' limits are counted, so that several instances share them. Default: in memory.",
    ),
]

WINDOW_MEANING = "such as 60/60s (60 requests in any 60 seconds); off: no limit"
PROXIES_MEANING = "Addresses or networks whose X-Forwarded-For is believed, separated by commas."
ORIGINS_MEANING = "Web pages whose scripts may call, such as https://app.example.com, separated by commas."


def windows_of(redis_url: SecretStr | None, service: str) -> ClientLimiter:
    """Where clients are counted: in Redis, with this process's memory behind it, or in memory. The caller closes it."""
    if redis_url is None:
        return SlidingWindows()
    from services.runtime.redis_windows import RedisWindows  # noqa: PLC0415 - 18 MB, where Redis is used only
    from services.runtime.shared_windows import SharedWindows  # noqa: PLC0415 - as above

    return SharedWindows(RedisWindows(redis_url.get_secret_value(), service), SlidingWindows())


def cross_origin(origins: tuple[str, ...]) -> Callable[[ASGIApp], ASGIApp]:
    """What makes an application answer scripts of these origins (CORS); without any it stays as it is.

    Cookies are not among it: callers show their key in a header.
    """
    if not origins:
        return lambda app: app
    return partial(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=_SENT_BY_SCRIPTS,
        expose_headers=_SHOWN_TO_SCRIPTS,
        max_age=_PREFLIGHT_SECONDS,
    )
