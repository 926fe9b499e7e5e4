"""Scripts of web pages: refused unless their page is named, on the route that the framework never sees as well."""

import pytest
from pydantic import ValidationError

from services.ingress.settings import IngressSettings
from services.sink.settings import SinkSettings
from tests.fakes import FakePublisher
from tests.unit.ingress.doors import ONE, an_ingress

SHOP = "https://shop.example.com"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type, x-api-key, idempotency-key",
}


async def test_by_default_no_page_may_call() -> None:
    async with an_ingress(FakePublisher()) as ingress:
        preflight = await ingress.options(ONE, headers={"Origin": SHOP, **PREFLIGHT})
        assert preflight.status_code == 405
        answer = await ingress.post(ONE, json={"text": "a"}, headers={"Origin": SHOP})
    assert not [name for name in [*preflight.headers, *answer.headers] if name.startswith("access-control")]


async def test_a_named_page_may_call_and_read_the_answer_and_its_limits() -> None:
    async with an_ingress(FakePublisher(), cors_origins=f"{SHOP}/ http://localhost:3000") as ingress:
        preflight = await ingress.options(ONE, headers={"Origin": SHOP, **PREFLIGHT})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == SHOP
        answer = await ingress.post(ONE, json={"text": "a"}, headers={"Origin": SHOP})
    assert answer.status_code == 202
    assert answer.headers["access-control-allow-origin"] == SHOP
    shown = answer.headers["access-control-expose-headers"]
    assert {"Retry-After", "RateLimit", "Location"} <= set(shown.split(", "))
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example.com", "https://shop.example.com.evil.org", "null"])
async def test_a_page_that_is_not_named_may_not(origin: str) -> None:
    async with an_ingress(FakePublisher(), cors_origins=SHOP) as ingress:
        preflight = await ingress.options(ONE, headers={"Origin": origin, **PREFLIGHT})
        assert preflight.status_code == 400
        answer = await ingress.post(ONE, json={"text": "a"}, headers={"Origin": origin})
    assert "access-control-allow-origin" not in {*preflight.headers, *answer.headers}


async def test_a_named_page_can_read_what_it_is_refused_for() -> None:
    async with an_ingress(FakePublisher(), cors_origins=SHOP, requests_per_second=0.01, burst=1) as ingress:
        answers = [await ingress.post(ONE, json={}, headers={"Origin": SHOP}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 429]
    assert all(answer.headers["access-control-allow-origin"] == SHOP for answer in answers)


@pytest.mark.parametrize("settings", [IngressSettings, SinkSettings])
@pytest.mark.parametrize(
    "origins", ["*", "shop.example.com", "https://shop.example.com/path", "ftp://a", "https://*.a"]
)
def test_an_origin_that_names_no_single_page_is_refused(
    settings: type[IngressSettings] | type[SinkSettings], origins: str
) -> None:
    with pytest.raises(ValidationError, match="is no origin such as"):
        settings.model_validate({"cors_origins": origins})
