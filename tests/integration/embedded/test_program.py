"""A Kafka starts with the classes that a first one left ready, and without them where they are of no use."""

from dataclasses import replace
from pathlib import Path

import psutil

from undertone.embedded.kafka import EmbeddedKafka, KafkaProgram
from undertone.embedded.ports import free_port
from undertone.embedded.program import ready_program
from undertone.embedded.reporter import SilentReporter
from undertone.embedded.settings import load_stack_settings


def _program() -> KafkaProgram:
    return ready_program(load_stack_settings().cache_dir, SilentReporter())


async def _log_of_a_start(folder: Path, program: KafkaProgram) -> str:
    kafka = EmbeddedKafka(folder / "kafka", program, free_port(), free_port(), folder / "kafka.log")
    await kafka.start()
    try:
        assert kafka.child.pid is not None
        assert set(program.flags) <= set(psutil.Process(kafka.child.pid).cmdline())
        return (folder / "kafka.log").read_text()
    finally:
        await kafka.stop()


async def test_java_takes_the_classes_as_they_were_left(tmp_path: Path) -> None:
    program = _program()
    assert program.flags
    assert "[aot]" not in await _log_of_a_start(tmp_path, program)


async def test_java_starts_without_them_when_they_are_damaged(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.aot"
    damaged.write_bytes(b"no classes at all")
    log = await _log_of_a_start(tmp_path, replace(_program(), flags=(f"-XX:AOTCache={damaged}",)))
    assert "AOT cache" in log
