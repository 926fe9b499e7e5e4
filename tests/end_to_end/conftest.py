from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.end_to_end.deployment import Deployment, deployed
from tests.infrastructure import Infrastructure, OwnStack

_LAST_LINES = 15


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the services logged last: where the test runs next, their files are gone."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if call.when == "call" and report.failed and folder is not None:
        for log in sorted(folder.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            report.sections.append((f"end of {log.name}", "\n".join(lines)))
    return report


@pytest.fixture
async def deployment(
    infrastructure: Infrastructure, kafka_topics: str, database_url: str, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """Services of this test's own on the shared Kafka and Postgres; the test adds and starts them."""
    async with deployed(
        Deployment(infrastructure.bootstrap_servers, database_url, tmp_path, topic_prefix=kafka_topics)
    ) as services:
        yield services


@pytest.fixture
async def pipeline(deployment: Deployment) -> Deployment:
    """One ingress, one analyzer and one sink, running."""
    for kind in ("ingress", "analyzer", "sink"):
        deployment.add(kind)
    await deployment.start()
    return deployment


@pytest.fixture
async def own_deployment(own_stack: OwnStack, tmp_path: Path) -> AsyncIterator[Deployment]:
    """One service of each kind, running on a Kafka and a Postgres that the test may stop."""
    async with deployed(Deployment(own_stack.bootstrap_servers, own_stack.database_url, tmp_path)) as services:
        for kind in ("ingress", "analyzer", "sink"):
            services.add(kind)
        await services.start()
        yield services
