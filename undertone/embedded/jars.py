"""Which files Kafka is made of: coordinates, size and SHA-256 of each jar, pinned in this repository."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.3.1"
KAFKA_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3",
)
PINS_FILE = Path(__file__).with_name("kafka-jars.sha256")


@dataclass(frozen=True, order=True)
class Jar:
    """One artifact of Maven Central; coordinates are `group:artifact:version`."""

    coordinates: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"

    def is_in(self, folder: Path) -> bool:
        """Tell whether the folder holds this very file, by its content."""
        if not self.has_size_in(folder):
            return False
        with (folder / self.file_name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256

    def has_size_in(self, folder: Path) -> bool:
        path = folder / self.file_name
        return path.is_file() and path.stat().st_size == self.size_bytes


def read_pins(path: Path = PINS_FILE) -> list[Jar]:
    """Read `sha256 size coordinates` lines; lines that start with # are remarks."""
    jars = []
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            sha256, size, coordinates = line.split()
            jars.append(Jar(coordinates, sha256, int(size)))
    return jars


def write_pins(path: Path, jars: list[Jar]) -> None:
    head = "# Kafka's jars: SHA-256, bytes, coordinates. Written by `python -m undertone.embedded.pin_jars`.\n"
    path.write_text(head + "".join(f"{jar.sha256} {jar.size_bytes:>8} {jar.coordinates}\n" for jar in jars))


def pins_key(jars: list[Jar]) -> str:
    """Name a set of jars, so that two sets never share a folder."""
    return hashlib.sha256("".join(jar.sha256 for jar in jars).encode()).hexdigest()[:12]
