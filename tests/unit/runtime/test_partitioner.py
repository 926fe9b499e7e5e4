from random import Random

from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.partitioner import murmur2, partition_of, partitions_of


def partition_as_kafka_has_it(key: bytes, partitions: int) -> int:
    return int((murmur2_of_aiokafka(key) & 0x7FFFFFFF) % partitions)


@given(st.binary(max_size=140))
def test_a_key_hashes_as_in_every_other_client(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_aiokafka(key) & 0xFFFFFFFF


@given(st.lists(st.binary(max_size=9), max_size=60), st.integers(1, 50))
def test_keys_hashed_together_land_where_each_would_alone(keys: list[bytes], partitions: int) -> None:
    expected = [partition_as_kafka_has_it(key, partitions) for key in keys]
    assert partitions_of(keys, partitions) == expected
    assert [partition_of(key, partitions) for key in keys] == expected


@given(st.integers(0, 130), st.integers(8, 600), st.randoms(use_true_random=False))
def test_many_keys_of_one_length_are_hashed_rightly(length: int, count: int, random: Random) -> None:
    keys = [random.randbytes(length) for _ in range(count)]
    assert partitions_of(keys, 12) == [partition_as_kafka_has_it(key, 12) for key in keys]


def test_known_hashes_of_the_java_client() -> None:
    """From org.apache.kafka.common.utils.UtilsTest."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    assert {key: murmur2(key) for key in known} == {key: value & 0xFFFFFFFF for key, value in known.items()}
