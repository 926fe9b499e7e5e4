"""Options for a stack that uses the shared servers and stand-ins for our services: it starts in a second."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.infrastructure import Infrastructure
from tests.integration.embedded.stand_ins import FOLDER
from undertone.embedded.ports import free_port
from undertone.embedded.prepare import StackOptions
from undertone.embedded.reporter import Advance
from undertone.embedded.settings import StackSettings

NewOptions = Callable[..., StackOptions]


@pytest.fixture
def stand_in_environment(topic_prefix: str) -> dict[str, str]:
    """What makes a process start the stand-ins and keep to this test's topics."""
    return {
        "PYTHONPATH": os.pathsep.join([str(FOLDER), str(Path(__file__).parents[3])]),
        "KAFKA_TOPIC_PREFIX": topic_prefix,
    }


@pytest.fixture
def stack_settings(tmp_path: Path) -> StackSettings:
    ports = (free_port() for _ in iter(int, 1))
    return StackSettings(
        home=tmp_path / "home",
        ingress_port=next(ports),
        analyzer_port=next(ports),
        read_api_port=next(ports),
        kafka_port=next(ports),
        kafka_controller_port=next(ports),
        postgres_port=next(ports),
    )


@pytest.fixture
def new_options(
    stack_settings: StackSettings, infrastructure: Infrastructure, stand_in_environment: dict[str, str]
) -> NewOptions:
    def make(**environment: str) -> StackOptions:
        return StackOptions(
            settings=stack_settings,
            kafka=infrastructure.bootstrap_servers,
            postgres=infrastructure.postgres_url,
            environment={**stand_in_environment, **environment},
        )

    return make


class RememberingReporter:
    """Keeps what a person would have read."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    @contextmanager
    def download(self, what: str, total_bytes: int) -> Iterator[Advance]:
        yield lambda _: None

    def begins(self, part: str, doing: str) -> None:
        self.notes.append(f"{part}: {doing}")

    def done(self, part: str, what: str) -> None:
        self.notes.append(f"{part}: {what}")


@pytest.fixture
def reporter() -> RememberingReporter:
    return RememberingReporter()
