"""What the ingress's unit tests share."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.fakes import FakePublisher
from tests.unit.ingress.doors import an_ingress


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
async def ingress(publisher: FakePublisher) -> AsyncIterator[httpx.AsyncClient]:
    async with an_ingress(publisher) as client:
        yield client
