"""Settings of what clients may do."""

import pytest
from pydantic import SecretStr, ValidationError

from services.ingress.settings import IngressSettings
from services.runtime.inbound import windows_of
from services.runtime.rate_limits import SlidingWindows
from services.sink.settings import SinkSettings

Settings = type[IngressSettings] | type[SinkSettings]


@pytest.mark.parametrize("settings", [IngressSettings, SinkSettings])
@pytest.mark.parametrize(
    "url",
    [
        "http://host:6379",
        "host:6379",
        "redis://:s3cret@host:port",
        "redis://:s3cret@[::1/0",
        "redis://:s3cret@host:6379/0?unknown=1",
        "redis://:s3cret@host:6379/0?socket_timeout=long",
    ],
)
def test_a_redis_that_cannot_be_meant_is_refused_without_quoting_its_password(settings: Settings, url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings.model_validate({"REDIS_URL": url})
    (problem,) = refused.value.errors()
    assert "s3cret" not in problem["msg"]
    assert "redis://" in problem["msg"]


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:6379/3", "rediss://u:p@redis.example.com", "unix:///run/redis.sock"]
)
async def test_windows_in_redis_open_without_it_and_show_no_password(url: str) -> None:
    settings = IngressSettings.model_validate({"REDIS_URL": url})
    windows = windows_of(settings.redis_url, "try")
    assert windows.description.startswith("Redis")
    assert "u:p" not in windows.description
    await windows.aclose()


async def test_without_a_redis_windows_are_in_memory() -> None:
    assert isinstance(windows_of(None, "try"), SlidingWindows)


def test_the_read_apis_clients_have_a_limit_and_those_of_the_ingress_have_none_unless_told() -> None:
    assert SinkSettings().client_limit == "600/60s"
    assert (IngressSettings().client_limit, IngressSettings().anonymous_limit) == ("off", "off")
    assert IngressSettings().redis_url is None


def test_a_redis_url_is_a_secret() -> None:
    assert isinstance(IngressSettings.model_validate({"REDIS_URL": "redis://:pw@h"}).redis_url, SecretStr)
