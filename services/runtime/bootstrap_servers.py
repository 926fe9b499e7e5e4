"""`KAFKA_BOOTSTRAP_SERVERS`: checked at the start, since a client of Kafka would try a wrong address for ever."""

import re
from typing import Annotated

from pydantic import AfterValidator

_ADDRESS = re.compile(r"^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})$")
_MAX_PORT = 65_535


def checked_bootstrap_servers(text: str) -> str:
    """The addresses, separated by commas. Raises ValueError when one is not HOST:PORT."""
    addresses = [word.strip() for word in text.split(",")]
    for address in addresses:
        match = _ADDRESS.match(address)
        if match is None or not 1 <= int(match[1]) <= _MAX_PORT:
            raise ValueError("must be HOST:PORT, or several separated by commas, such as kafka-1:9092,kafka-2:9092")
    return ",".join(addresses)


BootstrapServers = Annotated[str, AfterValidator(checked_bootstrap_servers)]
