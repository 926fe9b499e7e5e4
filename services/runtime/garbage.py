"""How often, and when, a service looks for garbage that counting references does not find."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_OF_A_BATCH = 50_000

_moments: set[object] = set()
"""Those in which garbage has to wait."""


def collect_rarely(objects_in_flight: int = _OF_A_BATCH) -> None:
    """Spare the garbage collector what stays for ever. Call it once everything is imported and set up.

    A request or a batch makes no cycles, but very many objects: with the default of 700 new ones a collection starts
    every few conversations, and takes up to a fifth of what reading them does. `objects_in_flight` is how many there
    are while as much is in flight as may be: none of it is garbage, and fewer are no reason to look.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(max(_OF_A_BATCH, objects_in_flight), 20, 50)


@contextmanager
def collection_postponed() -> Iterator[Callable[[], None]]:
    """Until the block ends or the callable is called, garbage waits: looking for it may take tenths of a second.

    For the moments between deciding that something happens now and its happening. May be held by several tasks.
    """
    moment = object()
    _moments.add(moment)
    gc.disable()

    def release() -> None:
        _moments.discard(moment)
        if not _moments:
            gc.enable()

    try:
        yield release
    finally:
        release()
