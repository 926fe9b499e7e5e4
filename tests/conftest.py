"""Fixtures that every test may use. The servers behind them: tests/infrastructure."""

import gc
import os
import sys
import uuid
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests import infrastructure as servers
from tests.infrastructure import Infrastructure, OwnStack, fork_server
from tests.infrastructure.databases import database, migrated_template
from tests.infrastructure.in_memory import use_memory_for_temporary_files
from tests.infrastructure.topics import topics

# A slow machine is no failure: no example has a deadline, and drawing examples may take its time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
fork_server.install()
gc.disable()  # until the tests are collected: three thousand of them, and all modules, are no garbage
os.environ.pop("XAI_API_KEY", None)  # a key in someone's environment is never spent by a test


def pytest_configure(config: pytest.Config) -> None:
    """Before anything asks for a temporary folder, and before workers are started."""
    remove = use_memory_for_temporary_files()
    if remove is not None:
        config.add_cleanup(remove)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count no coverage where examples are drawn: it doubles what they take, and what they run is counted elsewhere."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What is marked so is not traced at all: pytest-cov 7.1 stops a worker's coverage, and with it resumes another.

    (It begins one when it is loaded, and one for the session, of which the first never ends.)
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


def pytest_collection_finish() -> None:
    """What there is now stays until the end: the garbage collector need not look at it again and again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """A Kafka and a Postgres that all tests share."""
    own_folder = tmp_path_factory.getbasetemp()  # of a worker, it is inside that of the run
    with servers.infrastructure(own_folder.parent if "PYTEST_XDIST_WORKER" in os.environ else own_folder) as addresses:
        yield addresses


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topic names (KAFKA_TOPIC_PREFIX) that no other test has."""
    return f"test-{uuid.uuid4().hex[:10]}."


@pytest.fixture
def kafka_topics(infrastructure: Infrastructure, topic_prefix: str) -> Iterator[str]:
    """Every topic of the contract under this test's prefix; the value is the prefix."""
    with topics(infrastructure.bootstrap_servers, topic_prefix):
        yield topic_prefix


@pytest.fixture(scope="session")
def migrated_template_name(infrastructure: Infrastructure) -> Iterator[str]:
    with migrated_template(infrastructure.postgres_url) as name:
        yield name


@pytest.fixture
def database_url(infrastructure: Infrastructure, migrated_template_name: str) -> Iterator[str]:
    """A migrated database of this test's own; dropped afterwards."""
    with database(infrastructure.postgres_url, migrated_template_name) as url:
        yield url


@pytest.fixture
def own_stack() -> Iterator[OwnStack]:
    """A Kafka and a Postgres of this test's own, to be stopped, killed and paused."""
    with servers.own_stack() as stack:
        yield stack
