"""The stack with its own Kafka and Postgres: started side by side, kept alive, and with yesterday's data today."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.integration.embedded.conftest import RememberingReporter
from tests.waiting import eventually
from undertone.embedded.postgres import run_sql
from undertone.embedded.prepare import StackOptions, prepared_stack
from undertone.embedded.settings import StackSettings
from undertone.embedded.stack import running_stack
from undertone.topics import plan

pytestmark = pytest.mark.timeout(180)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that another account may walk to, as Postgres does in a root shell; pytest's own are closed."""
    with TemporaryDirectory(prefix="undertone-test-home-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_killed_servers_come_back_and_data_survives_a_restart_of_everything(
    stack_settings: StackSettings, stand_in_environment: dict[str, str], reporter: RememberingReporter
) -> None:
    environment = {**stand_in_environment, "KAFKA_TOPIC_PREFIX": ""}
    with open_folder() as home:
        options = StackOptions(stack_settings.model_copy(update={"home": home}), environment=environment)
        with prepared_stack(options, reporter) as prepared:
            async with running_stack(prepared, reporter) as stack:
                run_sql(stack.addresses["postgres"], "CREATE TABLE kept AS SELECT 'yesterday' AS said")
                supervision = asyncio.create_task(stack.supervise())
                for name in ("kafka", "postgres"):
                    stack.children[name].signal(signal.SIGKILL)
                both = {"kafka: ready again", "postgres: ready again"}
                await eventually(lambda: both <= set(reporter.notes), within_seconds=90, what="both are ready again")
                supervision.cancel()
        with prepared_stack(options, reporter) as prepared:
            async with running_stack(prepared, reporter) as stack:
                assert run_sql(stack.addresses["postgres"], "SELECT said FROM kept") == "yesterday"
                assert await plan(stack.addresses["kafka"]) == []
        assert all(not child.is_alive for child in stack.children.values())
