"""Random ids for the path of every request, from the system's generator, drawn in blocks: one system call for 256."""

import os

_BLOCK_BYTES = 4096


class RandomIds:
    """Hexadecimal ids. Not for keys and tokens: what was drawn ahead lies in memory."""

    __slots__ = ("_at", "_block")

    def __init__(self) -> None:
        self._block = ""
        self._at = 0

    def hex(self, digits: int) -> str:
        """So many random hexadecimal digits, at most 64."""
        end = self._at + digits
        if end > len(self._block):
            self._block = os.urandom(_BLOCK_BYTES).hex()
            self._at, end = 0, digits
        drawn = self._block[self._at : end]
        self._at = end
        return drawn


random_ids = RandomIds()
"""One for the process; a forked child must not use what its parent drew (services never fork)."""
