"""The pins: what is fetched is exactly what the repository names."""

import hashlib
from pathlib import Path

import pytest

from undertone.embedded.jars import KAFKA_COORDINATES, Jar, pins_key, read_pins, write_pins


@pytest.fixture
def jar() -> Jar:
    return Jar("org.example:tool:1.2", hashlib.sha256(b"content").hexdigest(), 7)


def test_the_pins_name_the_kafka_that_is_asked_for_and_no_second_version_of_its_client() -> None:
    pinned = [jar.coordinates for jar in read_pins()]
    assert set(KAFKA_COORDINATES) <= set(pinned)
    assert len([name for name in pinned if name.startswith("org.apache.kafka:kafka-clients:")]) == 1


def test_pins_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_pins(tmp_path / "pins", read_pins())
    assert read_pins(tmp_path / "pins") == read_pins()


def test_a_file_with_other_content_of_the_same_size_is_not_the_jar(tmp_path: Path, jar: Jar) -> None:
    (tmp_path / jar.file_name).write_bytes(b"CONTENT")
    assert jar.has_size_in(tmp_path)
    assert not jar.is_in(tmp_path)
    (tmp_path / jar.file_name).write_bytes(b"content")
    assert jar.is_in(tmp_path)


def test_half_a_file_is_not_the_jar(tmp_path: Path, jar: Jar) -> None:
    (tmp_path / jar.file_name).write_bytes(b"cont")
    assert not jar.has_size_in(tmp_path)


def test_another_set_of_jars_has_another_folder(jar: Jar) -> None:
    assert pins_key([jar]) != pins_key([jar, *read_pins()])
