"""Addresses of Kafka that no client could ever reach are refused at the start."""

import pytest

from services.runtime.bootstrap_servers import checked_bootstrap_servers


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("127.0.0.1:19092", "127.0.0.1:19092"),
        ("kafka-1.internal:9092, kafka_2:9092", "kafka-1.internal:9092,kafka_2:9092"),
        ("[::1]:9092", "[::1]:9092"),
    ],
)
def test_addresses_are_kept_without_the_spaces_around_them(text: str, servers: str) -> None:
    assert checked_bootstrap_servers(text) == servers


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "kafka:",
        ":9092",
        "kafka:0",
        "kafka:65536",
        "kafka:port",
        "kafka:٣",
        "kafka:9092,",
        "kafka:1 kafka:2",
        "kafka:9092/path",
        "PLAINTEXT://kafka:9092",
        "-:9092",
        "::1:9092",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be HOST:PORT"):
        checked_bootstrap_servers(text)
