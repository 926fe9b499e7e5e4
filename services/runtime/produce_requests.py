"""Kafka's produce request and its answer, written and read in one pass.

aiokafka's protocol classes nest, and each level of a request copies all that stands in it: a request of half a megabyte
is copied eight times, and once here. What is written and read is the same, byte for byte.

The format: https://kafka.apache.org/protocol#The_Messages_Produce (version 7, which every Kafka since 2.0 speaks; with
older ones aiokafka's own classes are used).
"""
# ruff: noqa: SLF001 - aiokafka has no public place where a request could be written differently

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Self, cast

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7, ProduceResponse_v7

_NULL_STRING = b"\xff\xff"
_ACKS_AND_TIMEOUT = struct.Struct(">hi")
_INT16, _INT32 = struct.Struct(">h"), struct.Struct(">i")
_PARTITION_AND_SIZE = struct.Struct(">ii")
_RESULT = struct.Struct(">ihqqq")
"""Partition, error code, offset, timestamp, first offset of the log."""


class QuickProduceResponse(ProduceResponse_v7):  # type: ignore[misc]  # aiokafka ships no types
    """What became of each partition's batch."""

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> Self:
        """Read it. Raises struct.error when it ends too early."""
        buffer = data if isinstance(data, bytes) else data.read()
        (topics,), at = _INT32.unpack_from(buffer), _INT32.size
        found = []
        for _ in range(topics):
            (length,) = _INT16.unpack_from(buffer, at)
            at += _INT16.size
            name = buffer[at : at + length].decode()
            at += length
            (partitions,) = _INT32.unpack_from(buffer, at)
            at += _INT32.size
            end = at + partitions * _RESULT.size
            found.append((name, list(_RESULT.iter_unpack(buffer[at:end]))))
            at = end
        return cls(found, *_INT32.unpack_from(buffer, at))


class _QuickStruct(ProduceRequest_v7):  # type: ignore[misc]  # aiokafka ships no types
    RESPONSE_TYPE = QuickProduceResponse

    def encode(self) -> "_Body":
        own = self.transactional_id
        name_of_transaction = _NULL_STRING if own is None else _text(own)
        parts: list[bytes | bytearray] = [name_of_transaction]
        parts.append(_ACKS_AND_TIMEOUT.pack(self.required_acks, self.timeout))
        parts.append(_INT32.pack(len(self.topics)))
        for name, partitions in self.topics:
            parts += (_text(name), _INT32.pack(len(partitions)))
            for partition, batch in partitions:
                parts += (_PARTITION_AND_SIZE.pack(partition, len(batch)), batch)
        return _Body(parts)


class _Body:
    """A request, to which aiokafka adds a header in front and then its length: it is copied once, with all of them."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[bytes | bytearray]) -> None:
        self._parts = parts

    def __radd__(self, header: bytes) -> "_Message":
        return _Message([header, *self._parts])


class _Message:
    __slots__ = ("_parts",)

    def __init__(self, parts: list[bytes | bytearray]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __radd__(self, size: bytes) -> bytes:
        return b"".join([size, *self._parts])


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _INT16.pack(len(encoded)) + encoded


class QuickProduceRequest(ProduceRequest):  # type: ignore[misc]  # aiokafka ships no types
    """A produce request."""

    def build(self, request_struct_class: type[Any]) -> Any:
        """The request in the version that the broker speaks."""
        quick = _QuickStruct if request_struct_class is ProduceRequest_v7 else request_struct_class
        return super().build(quick)


class _QuickHandler(SendProduceReqHandler):  # type: ignore[misc]  # aiokafka ships no types
    def create_request(self) -> QuickProduceRequest:
        made = super().create_request()
        return QuickProduceRequest(made._transactional_id, made.required_acks, made._timeout, made._topics)


def send_quickly(producer: AIOKafkaProducer) -> None:
    """Let a producer that was not started write its requests this way."""
    sender = cast("Any", producer)._sender

    async def send(node_id: int, batches: Mapping[TopicPartition, Any]) -> None:
        """As aiokafka 0.14's `Sender._send_produce_req`."""
        await _QuickHandler(sender, batches).do(node_id)
        sender._in_flight.remove(node_id)
        sender._muted_partitions.difference_update(batches)

    sender._send_produce_req = send
