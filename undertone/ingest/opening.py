"""Opening a file to read: plain or gzip, told apart by its first bytes, with the share read so far.

Raises UsageProblem for whatever cannot be opened, in one sentence.
"""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from undertone.errors import UsageProblem

_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF8_MARK = b"\xef\xbb\xbf"

Stream = io.BufferedReader | gzip.GzipFile
"""Bytes to read, with `peek`, `read1` and a fast `readline`."""

DAMAGED_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)
"""What reading a damaged gzip file raises."""


def read_what_is_whole(stream: Stream, count: int) -> tuple[bytes, bool]:
    """`count` bytes unless the file ends before, and whether it ended by damage.

    One large read would lose what stands before the damage.
    """
    pieces: list[bytes] = []
    length = 0
    try:
        while length < count and (piece := stream.read1(count - length)):
            pieces.append(piece)
            length += len(piece)
    except DAMAGED_GZIP:
        return b"".join(pieces), True
    return b"".join(pieces), False


class InputFile:
    """A file that may be opened several times; `share_done` follows the reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = self._check()
        self.is_gzip = self._begins_with() == _GZIP_MAGIC
        self._underlying: IO[bytes] | None = None
        self._refuse_utf16()

    @contextmanager
    def open(self) -> Iterator[Stream]:
        """The file's bytes, decompressed, without a byte order mark. Raises UsageProblem when none can be read."""
        with self.path.open("rb") as underlying:
            self._underlying = underlying
            stream: Stream = gzip.GzipFile(fileobj=underlying) if self.is_gzip else underlying
            try:
                if stream.peek(3)[:3] == UTF8_MARK:
                    stream.read(3)
            except DAMAGED_GZIP as error:
                raise UsageProblem(f"{self.path} is damaged: its gzip data cannot be read.") from error
            yield stream

    def share_done(self) -> float:
        """How much of the file was read, from 0 to 1; of a gzip file, of its compressed bytes."""
        if self._underlying is None or self._underlying.closed or self.size == 0:
            return 0.0
        return min(1.0, self._underlying.tell() / self.size)

    def head(self, count: int = 4096) -> bytes:
        """The first bytes, decompressed."""
        with self.open() as stream:
            return read_what_is_whole(stream, count)[0]

    def _check(self) -> int:
        try:
            status = self.path.stat()
            if self.path.is_dir():
                raise UsageProblem(f"{self.path} is a folder; name the files in it, such as {self.path}/*.jsonl.")
            if not self.path.is_file():
                raise UsageProblem(f"{self.path} is not a regular file; write its content to a file first.")
            with self.path.open("rb"):
                pass
        except FileNotFoundError as error:
            raise UsageProblem(f"{self.path} does not exist.") from error
        except PermissionError as error:
            raise UsageProblem(f"{self.path} may not be read by this user.") from error
        except OSError as error:
            raise UsageProblem(f"{self.path} cannot be read: {os.strerror(error.errno or 0)}.") from error
        return status.st_size

    def _begins_with(self, count: int = 2) -> bytes:
        with self.path.open("rb") as stream:
            return stream.read(count)

    def _refuse_utf16(self) -> None:
        if not self.is_gzip and self._begins_with() in _UTF16_MARKS:
            raise UsageProblem(
                f"{self.path} is written in UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 {self.path} > utf8.jsonl"
            )
