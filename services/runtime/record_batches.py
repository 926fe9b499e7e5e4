"""Batches of records in Kafka's own format, written for many records whose headers are nearly the same.

aiokafka's builder encodes each header of each record anew, which costs more than all the rest of a record. Here
headers come encoded, so that writers of many encode what their records have in common once. The result is the same,
byte for byte.

The format: https://kafka.apache.org/documentation/#recordbatch (magic 2, not compressed, not transactional).
"""

import struct
import time
from collections.abc import Iterable, Sequence

import msgspec
from aiokafka.record.util import calc_crc32c

_VARINTS_KEPT = 8_192
"""Those of one and two bytes: lengths of nearly all that is written."""


class _Varints(dict[int, bytes]):
    """Kafka's variable-length integers (zigzag) of numbers from 0 on, each computed once unless it is large."""

    def __missing__(self, number: int) -> bytes:
        left, written = number << 1, bytearray()
        while left > 0x7F:
            written.append(left & 0x7F | 0x80)
            left >>= 7
        written.append(left)
        varint = bytes(written)
        if number < _VARINTS_KEPT:
            self[number] = varint
        return varint


_varints = _Varints()


def encoded_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """The headers of a record as they stand in it."""
    return _varints[len(headers)] + encoded_some(headers)


def encoded_some(headers: Iterable[tuple[str, bytes]]) -> bytes:
    """A part of a record's headers, without their number, which stands before the first."""
    parts: list[bytes] = []
    for name, content in headers:
        encoded = name.encode()
        parts += (_varints[len(encoded)], encoded, _varints[len(content)], content)
    return b"".join(parts)


class HeaderTemplate:
    """Headers of which most are the same in every record: None stands for the contents of those that are not."""

    __slots__ = ("_after", "_before")

    def __init__(self, headers: Sequence[tuple[str, bytes | None]]) -> None:
        parts, self._before = [_varints[len(headers)]], []
        for name, content in headers:
            encoded = name.encode()
            parts += (_varints[len(encoded)], encoded)
            if content is None:
                self._before.append(b"".join(parts))
                parts = []
            else:
                parts += (_varints[len(content)], content)
        self._after = b"".join(parts)

    def filled(self, *contents: bytes) -> bytes:
        """The encoded headers with these contents, in the order of their places."""
        parts: list[bytes] = []
        for before, content in zip(self._before, contents, strict=True):
            parts += (before, _varints[len(content)], content)
        parts.append(self._after)
        return b"".join(parts)


class NumberedHeaders:
    """Headers that differ in one only, which ends with a number: those of the events of one request."""

    __slots__ = ("after", "before")

    def __init__(self, headers: Sequence[tuple[str, bytes]], place: int, digits: int) -> None:
        """The header at `place` is followed by a dash and so many digits, which stand between `before` and `after`."""
        name, content = headers[place]
        blank = b"-" + b"0" * digits
        before = encoded_some([(name, content + blank)])[:-digits]
        self.before = _varints[len(headers)] + encoded_some(headers[:place]) + before
        self.after = encoded_some(headers[place + 1 :])


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is sent; `headers` come from `encoded_headers`, or what is before and after a number from `NumberedHeaders`.

    There are many, and making a tuple with names would cost three times as much. What they share is not copied for
    each: a bulk request is more than a processor keeps near, and what is far makes it wait.
    """

    key: bytes
    value: bytes
    headers: bytes
    number: bytes = b""
    after: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return len(self.key) + len(self.value) + len(self.headers) + len(self.number) + len(self.after)


_HEADER = struct.Struct(">qiibIhiqqqhii")
_AFTER_LENGTH = 12
_CHECKSUM = 17
_ATTRIBUTES = 21
_BLANK_HEADER = bytes(_HEADER.size)
_MAGIC = 2
_NONE = -1


class RecordBatch:
    """Records of one partition; what aiokafka 0.14 wants of a `BatchBuilder` that `send_batch` is given."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._timestamp_ms = time.time_ns() // 1_000_000
        self._parts = [_BLANK_HEADER]
        self._size = _HEADER.size
        self._count = 0
        self._producer = (_NONE, _NONE, _NONE)
        self._is_closed = False
        self._buffer: bytearray | None = None

    def add(self, records: Sequence[Record], start: int = 0) -> int:
        """Add records from `start` on while there is room, at least one to an empty batch; returns how many.

        None from when the batch is closed.
        """
        if self._is_closed:
            return 0
        varints = _varints
        parts, size, count = self._parts, self._size, self._count
        for record in records[start:] if start else records:
            key, value, headers, number, after = record.key, record.value, record.headers, record.number, record.after
            offset, of_key, of_value = varints[count], varints[len(key)], varints[len(value)]
            body = 2 + len(offset) + len(of_key) + len(key) + len(of_value) + len(value)
            body += len(headers) + len(number) + len(after)
            length = varints[body]
            room_after = size + len(length) + body
            if room_after >= self._limit_bytes and count:
                break
            # Joined once, with the whole batch. The zeros: no attributes, and no later than the first.
            parts += (length, b"\0\0", offset, of_key, key, of_value, value, headers, number, after)
            size = room_after
            count += 1
        added, self._size, self._count = count - self._count, size, count
        return added

    def close(self) -> None:
        """Take no more."""
        self._is_closed = True

    # What aiokafka calls.

    def append(self, **_: object) -> None:
        """Takes no single sends: they make a batch of their own."""

    def closed(self) -> bool:
        """Whether there is no use in waiting for more."""
        return True

    def record_count(self) -> int:
        return self._count

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        """What idempotence needs; set before the first attempt to send, and kept in the others.

        From here on it takes no more: the next batch's number counts on how many it has.
        """
        self._is_closed = True
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytearray:
        """The bytes; the same at every attempt to send."""
        if self._buffer is None:
            self._buffer = bytearray().join(self._parts)
            self._parts.clear()
            self._write_header(self._buffer)
        return self._buffer

    def _write_header(self, buffer: bytearray) -> None:
        length, at, last = self._size - _AFTER_LENGTH, self._timestamp_ms, self._count - 1
        _HEADER.pack_into(buffer, 0, 0, length, _NONE, _MAGIC, 0, 0, last, at, at, *self._producer, self._count)
        with memoryview(buffer) as view:
            struct.pack_into(">I", buffer, _CHECKSUM, calc_crc32c(view[_ATTRIBUTES:]))
