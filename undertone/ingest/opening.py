"""Opening a file to read: plain or gzip, told apart by its first bytes, with the share read so far.

Raises UsageProblem for whatever cannot be opened, in one sentence.
"""

import codecs
import gzip
import io
import os
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from undertone.errors import UsageProblem

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER_BYTES = 128 * 1024
CONVERT = "where the whole file is in Latin-1, convert it first: iconv -f LATIN1 -t UTF-8"
"""What to do about bytes that are not UTF-8."""
UTF8_MARK = b"\xef\xbb\xbf"

_ARCHIVES = {
    b"PK\x03\x04": ("a zip archive", "unzip"),
    b"BZh": ("packed with bzip2", "bunzip2 --keep"),
    b"\xfd7zXZ\x00": ("packed with xz", "unxz --keep"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "unzstd"),
}
"""By its first bytes what is packed otherwise than with gzip, and the command that unpacks it."""

Stream = io.BufferedReader | gzip.GzipFile
"""Bytes to read, with `peek`, `read1` and a fast `readline`."""

DAMAGED_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)
"""What reading a damaged gzip file raises."""
DAMAGED = "the gzip data is damaged from here on; what follows cannot be read"


_read_into = io.FileIO.readinto


class _NamedFile(io.FileIO):
    """A file whose name is told when the system cannot read it."""

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        try:
            return _read_into(self, buffer)
        except OSError as error:
            raise _unreadable(Path(str(self.name)), error) from error


def open_bytes(path: Path) -> io.BufferedReader:
    """The file's bytes. Raises UsageProblem when it cannot be opened, and later when it cannot be read."""
    try:
        return io.BufferedReader(_NamedFile(str(path)), _BUFFER_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UsageProblem:
    if isinstance(error, FileNotFoundError):
        return UsageProblem(f"{path} does not exist.")
    if isinstance(error, PermissionError):
        return UsageProblem(f"{path} may not be read by this user.")
    return UsageProblem(f"{path} cannot be read: {os.strerror(error.errno or 0)}.")


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
        with open_bytes(path) as stream:
            beginning = stream.read(6)
        self.is_gzip = beginning.startswith(_GZIP_MAGIC)
        self._underlying: IO[bytes] | None = None
        self._refuse_archive(beginning)
        self._refuse_other_than_utf8()

    @contextmanager
    def open(self) -> Iterator[Stream]:
        """The file's bytes, decompressed, without a byte order mark. Raises UsageProblem when none can be read."""
        with open_bytes(self.path) as underlying:
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
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if self.path.is_dir():
            raise UsageProblem(f"{self.path} is a folder; name the files in it, such as {self.path}/*.jsonl.")
        if not self.path.is_file():
            raise UsageProblem(f"{self.path} is not a regular file; write its content to a file first.")
        return status.st_size

    def _refuse_archive(self, beginning: bytes) -> None:
        for magic, (kind, command) in _ARCHIVES.items():
            if beginning.startswith(magic):
                raise UsageProblem(
                    f"{self.path} is {kind}; unpack it first ({command} {shlex.quote(str(self.path))}). "
                    "Files packed with gzip are read as they are."
                )

    def _refuse_other_than_utf8(self) -> None:
        """Of what the first bytes give away; single characters of other encodings are found line by line."""
        encoding = wide_encoding(self.head(64))
        if encoding is not None:
            raise UsageProblem(
                f"{self.path} is written in {encoding}; convert it to UTF-8 first: {self.recoding(encoding)}"
            )

    def recoding(self, encoding: str) -> str:
        """The command that makes a UTF-8 file of this one."""
        suffixes = [suffix for suffix in self.path.suffixes if suffix.lower() != ".gz"]
        target = f"utf8{suffixes[-1] if suffixes else '.txt'}"
        source = shlex.quote(str(self.path))
        if self.is_gzip:
            return f"gzip -dc {source} | iconv -f {encoding} -t UTF-8 > {target}"
        return f"iconv -f {encoding} -t UTF-8 {source} > {target}"


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, when a text begins with its mark, or with plain letters that are written in it."""
    for mark, name in _WIDE_MARKS.items():
        if head.startswith(mark):
            return name
    low, high = head[::2], head[1::2]
    if len(head) >= _TELLING_BYTES and all(low) and not any(high[: len(low)]):
        return "UTF-16LE"
    if len(head) >= _TELLING_BYTES and not any(low) and all(high):
        return "UTF-16BE"
    return None


_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_TELLING_BYTES = 8
