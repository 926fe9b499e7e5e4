"""Finding the one record that Postgres refuses: halves are stored until a half is one record.

Splitting keeps the order within each partition, so every half moves offsets by a contiguous run. Of B records with k
bad ones at most 1 + 2·k·ceil(log2 B) batches are tried, and every neighbour is stored.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from services.sink.failures import REFUSED

T = TypeVar("T")


async def store_isolating(
    records: Sequence[T],
    store: Callable[[Sequence[T]], Awaitable[None]],
    give_up: Callable[[T, Exception], Awaitable[None]],
) -> None:
    """Store the records in order; `give_up` gets each one that is refused on its own."""
    try:
        await store(records)
    except REFUSED as error:
        if len(records) == 1:
            await give_up(records[0], error)
            return
        middle = len(records) // 2
        await store_isolating(records[:middle], store, give_up)
        await store_isolating(records[middle:], store, give_up)
