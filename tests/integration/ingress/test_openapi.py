"""The application does what its OpenAPI document says: schemathesis tries to show otherwise."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import schemathesis
import schemathesis.pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.schemas import BaseSchema

from services.ingress.app import create_app
from services.ingress.resources import Resources, intake_of
from services.ingress.settings import IngressSettings
from tests.fakes import FakePublisher
from tests.unit.ingress.posts import good_posts, times

_EVERYTHING = IngressSettings(requests_per_second=0)


async def _reachable() -> bool:
    return True


@asynccontextmanager
async def _on_a_fake_kafka(settings: IngressSettings) -> AsyncIterator[Resources]:
    publisher = FakePublisher()
    yield Resources(intake_of(settings, publisher), publisher, "kafka.test", _reachable)


@schemathesis.serializer("application/x-ndjson")
def _as_it_is(_: object, value: object) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


schemathesis.openapi.format("date-time", times)  # the latest must lie in the past, which a schema cannot say
schemathesis.openapi.format(
    "ndjson", st.lists(good_posts, min_size=1, max_size=3).map(lambda posts: "\n".join(map(json.dumps, posts)))
)


def _leaves_out_what_openapi_cannot_say(_: schemathesis.HookContext, case: Case[Any]) -> bool:
    """An Idempotency-Key makes the id, so that none may be given beside it."""
    written = case.body if isinstance(case.body, str) else json.dumps(case.body, default=str)
    has_id = '"conversation_id"' in written or '"external_id"' in written
    return not (has_id and "Idempotency-Key" in (case.headers or {}))


@pytest.fixture(scope="module")
def documented() -> BaseSchema:
    """What the application says of itself."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(_EVERYTHING, _on_a_fake_kafka))
    schema.config.generation.update(allow_x00=False)  # inside `raw` and `metadata` the document cannot exclude U+0000
    schema.hook("filter_case")(_leaves_out_what_openapi_cannot_say)
    return schema


@pytest.fixture(autouse=True)
def _name_of_the_test(request: pytest.FixtureRequest) -> None:
    """schemathesis 4.32 asks for it by the name that it had before pytest 9.2."""
    request.node._nodeid = request.node.nodeid


# From a fixture: the cases, whose drawing takes many seconds, are drawn by the worker that runs the test, not by each.
@pytest.mark.no_cover  # computes for long, and what it runs is counted elsewhere
@schemathesis.pytest.from_fixture("documented").parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_documented(case: Case[Any]) -> None:
    case.call_and_validate()
