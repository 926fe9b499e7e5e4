"""Fetching: an interrupted run continues, and nothing enters the cache that is not the pinned file."""

import hashlib
from pathlib import Path

import pytest

from undertone.embedded.errors import StackError
from undertone.embedded.fetch import KafkaJars
from undertone.embedded.jars import Jar
from undertone.embedded.reporter import SilentReporter

CONTENT = {"org.example:one:1": b"first", "org.example:two:1": b"second", "org.example:three:1": b"third"}
JARS = [Jar(name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in CONTENT.items()]


class Mirror:
    """Stands for Maven Central: knows which jars were asked for, and may break or lie."""

    def __init__(self) -> None:
        self.content = dict(CONTENT)
        self.asked: list[str] = []
        self.fails_at: str | None = None

    def download(self, jar: Jar, folder: Path) -> Path:
        self.asked.append(jar.coordinates)
        if jar.coordinates == self.fails_at:
            raise ConnectionError("connection reset by peer\nand a stack of details")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / jar.file_name
        path.write_bytes(self.content[jar.coordinates])
        return path


class TellingReporter(SilentReporter):
    """Keeps the lines that a person would have read."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()


def fetch(folder: Path, mirror: Mirror, reporter: SilentReporter | None = None) -> str:
    return KafkaJars(folder, JARS, mirror.download).fetch(reporter or SilentReporter())


def test_the_class_path_names_every_jar_in_the_order_of_the_pins(tmp_path: Path, mirror: Mirror) -> None:
    classpath = fetch(tmp_path, mirror).split(":")
    assert [Path(path).name for path in classpath] == ["one-1.jar", "two-1.jar", "three-1.jar"]
    assert [Path(path).read_bytes() for path in classpath] == list(CONTENT.values())


def test_what_is_there_is_not_fetched_again_and_not_announced(tmp_path: Path, mirror: Mirror) -> None:
    fetch(tmp_path, mirror)
    reporter = TellingReporter()
    mirror.asked.clear()
    fetch(tmp_path, mirror, reporter)
    assert mirror.asked == []
    assert reporter.notes == []


def test_one_line_before_the_first_byte_says_what_how_much_and_where(tmp_path: Path, mirror: Mirror) -> None:
    reporter = TellingReporter()
    fetch(tmp_path, mirror, reporter)
    (line,) = reporter.notes
    for word in ("3 files", "MB", str(tmp_path), "Java", "Postgres", "memory"):
        assert word in line


def test_an_interrupted_fetch_continues_where_it_stopped(tmp_path: Path, mirror: Mirror) -> None:
    mirror.fails_at = "org.example:two:1"
    with pytest.raises(StackError, match=r"org.example:two:1 .*connection reset by peer\).*repeat"):
        fetch(tmp_path, mirror)
    mirror.fails_at = None
    mirror.asked.clear()
    fetch(tmp_path, mirror)
    assert mirror.asked == ["org.example:two:1", "org.example:three:1"]


def test_a_file_that_is_not_the_pinned_one_is_refused_and_not_kept(tmp_path: Path, mirror: Mirror) -> None:
    mirror.content["org.example:two:1"] = b"sECOND"
    with pytest.raises(StackError, match="not the file that this repository pins"):
        fetch(tmp_path, mirror)
    assert list(tmp_path.rglob("two-1.jar")) == []


def test_a_cache_that_somebody_tidied_is_completed(tmp_path: Path, mirror: Mirror) -> None:
    fetch(tmp_path, mirror)
    next(tmp_path.rglob("three-1.jar")).unlink()
    mirror.asked.clear()
    fetch(tmp_path, mirror)
    assert mirror.asked == ["org.example:three:1"]
