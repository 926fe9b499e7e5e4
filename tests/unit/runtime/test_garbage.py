"""When garbage is not looked for."""

import gc
from collections.abc import Iterator

import pytest

from services.runtime.garbage import collection_postponed


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    """Tests leave the collector as they found it."""
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    if not was_enabled:
        gc.disable()


def test_nothing_is_collected_until_the_block_ends() -> None:
    with collection_postponed():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_ends_early_when_it_is_said() -> None:
    with collection_postponed() as collect_again:
        collect_again()
        assert gc.isenabled()
        collect_again()
    assert gc.isenabled()


def test_the_last_of_several_lets_it_begin_again() -> None:
    with collection_postponed() as first_is_over:
        with collection_postponed():
            first_is_over()
            assert not gc.isenabled()
        assert gc.isenabled()


def test_an_error_ends_it() -> None:
    with pytest.raises(OSError), collection_postponed():  # noqa: PT011 - any will do
        raise OSError
    assert gc.isenabled()
