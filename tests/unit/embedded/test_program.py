"""What a start of Kafka does without on a machine where it cannot be had is tried once."""

from pathlib import Path

import pytest

from tests.unit.embedded.test_fetch import CONTENT, JARS
from undertone.embedded import program
from undertone.embedded.errors import StackError
from undertone.embedded.fetch import KafkaJars
from undertone.embedded.kafka import EmbeddedKafka
from undertone.embedded.reporter import SilentReporter


async def test_a_machine_on_which_no_kafka_runs_once_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    def create(kafka: EmbeddedKafka) -> None:
        tried.append(kafka.folder)
        raise StackError("no Java runs here")

    monkeypatch.setattr(EmbeddedKafka, "create", create)
    monkeypatch.setattr(program, "KafkaJars", lambda folder: KafkaJars(folder, JARS))
    jars = KafkaJars(tmp_path, JARS)
    jars.folder.mkdir()
    for jar in JARS:
        (jars.folder / jar.file_name).write_bytes(CONTENT[jar.coordinates])
    for _ in range(2):
        ready = program.ready_program(tmp_path, SilentReporter())
        assert (ready.classpath, ready.flags) == (jars.classpath, ())
    assert len(tried) == 1
