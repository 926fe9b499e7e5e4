"""The server that all workers of a run share is started once, and stopped when nobody uses it any more."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.infrastructure.one_for_all import one_for_all


class _Servers:
    """Notes in what order what happened."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self._count = 0

    @contextmanager
    def started(self) -> Iterator[str]:
        self._count += 1
        name = f"server {self._count}"
        self.happened.append(f"{name} started")
        yield name
        self.happened.append(f"{name} stopped")


@pytest.fixture
def servers() -> _Servers:
    return _Servers()


@pytest.fixture
def shared(tmp_path: Path, servers: _Servers) -> Callable[[], AbstractContextManager[str]]:
    """What each worker does, in a thread: to the system's locks that is another opened file, as in a process."""
    return lambda: one_for_all(tmp_path / "server", servers.started)


def test_a_server_is_stopped_after_the_last_that_uses_it_and_not_when_its_starter_is_done(
    shared: Callable[[], AbstractContextManager[str]], servers: _Servers
) -> None:
    starter_is_done, another_entered, begun = Event(), Event(), Event()

    def start_and_leave() -> None:
        with shared():
            begun.set()
            assert another_entered.wait(30)
        starter_is_done.set()

    def use_it() -> None:
        assert begun.wait(30)
        with shared() as address:
            assert address == "server 1"
            another_entered.set()
            assert not starter_is_done.wait(0.2)  # it would be set at once by one that does not wait
            servers.happened.append("used")

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(start_and_leave), threads.submit(use_it)]:
            done.result()
    assert servers.happened == ["server 1 started", "used", "server 1 stopped"]


def test_who_comes_after_the_end_gets_a_server_of_its_own(
    shared: Callable[[], AbstractContextManager[str]], servers: _Servers
) -> None:
    with shared() as first:
        pass
    with shared() as second:
        pass
    assert (first, second) == ("server 1", "server 2")
    assert servers.happened[-1] == "server 2 stopped"


def test_the_next_one_starts_it_where_a_start_failed(tmp_path: Path, servers: _Servers) -> None:
    @contextmanager
    def failing() -> Iterator[str]:
        raise OSError("no port is free")
        yield

    with pytest.raises(OSError, match="no port is free"), one_for_all(tmp_path / "server", failing):
        pass
    with one_for_all(tmp_path / "server", servers.started) as address:
        assert address == "server 1"
