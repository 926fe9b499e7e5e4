"""What a request leaves behind: nothing that only the garbage collector finds, since it looks rarely."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.ingress.serving import request, serving

_REQUESTS = 20
ONE = request()
MANY = request('[{"text":"a"},{"text":""}]').replace(b"/conversations ", b"/conversations/bulk ")
REFUSED = request('{"text":""}')
ELSEWHERE = b"GET /nowhere HTTP/1.1\r\nhost: ingress.test\r\n\r\n"


@contextmanager
def garbage() -> Iterator[list[Any]]:
    """In the end the list holds what was left in the block that no reference leads to."""
    found: list[Any] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    ("asked", "settings", "status"),
    [
        (ONE, {}, 202),
        (MANY, {}, 202),
        (REFUSED, {}, 400),
        (ONE, {"requests_per_second": 0.001, "burst": 1}, 429),
        (ELSEWHERE, {}, 404),
    ],
    ids=["one", "many", "refused", "limited", "elsewhere"],
)
async def test_a_request_leaves_no_garbage(asked: bytes, settings: dict[str, Any], status: int) -> None:
    async with serving(**settings) as served:
        line = await served.connect()
        await line.say(asked)  # what is made once is made now
        await line.answer()
        with garbage() as found:
            for _ in range(_REQUESTS):
                await line.say(asked)
                assert (await line.answer())[0] == status
        line.close()
    left = Counter(type(one).__name__ for one in found)
    assert max(left.values(), default=0) < _REQUESTS, f"some things are left of each request: {left}"
