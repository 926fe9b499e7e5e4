"""Which Kafka and Postgres a command means when nobody names one: those of the stack that runs from this folder."""

import os
import socket
from pathlib import Path

import pytest

from undertone.embedded.state import ProcessState, StackState, own_identity, write_state
from undertone.errors import CommandError
from undertone.settings import load_kafka_settings
from undertone.sink_process import _environment, run_in_sink

KAFKA, POSTGRES = "127.0.0.1:29192", "postgresql://undertone@127.0.0.1:25433/undertone"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder, and an environment that names no servers."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL", "DATABASE_URL", "DATABASE_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _runs(home: Path, *embedded: str) -> None:
    """A stack with these servers of its own; the others are somebody else's. This process stands for all."""
    pid, started_at = own_identity()
    processes = {name: ProcessState(pid, started_at, 0, "x.log") for name in embedded}
    write_state(home, StackState("running", pid, started_at, {"kafka": KAFKA, "postgres": POSTGRES}, processes))


def test_servers_of_the_running_stack_are_taken_when_the_environment_names_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")  # the embedded one speaks no TLS
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "undertone")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "secret")
    _runs(home, "kafka", "postgres")
    settings = load_kafka_settings()
    assert (settings.kafka_bootstrap_servers, settings.kafka_security_protocol) == (KAFKA, "PLAINTEXT")
    environment = _environment()
    assert (environment["KAFKA_BOOTSTRAP_SERVERS"], environment["DATABASE_URL"]) == (KAFKA, POSTGRES)


def test_what_the_environment_names_is_never_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _runs(home, "kafka", "postgres")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://other/database")
    assert load_kafka_settings().kafka_bootstrap_servers == "kafka.example:9092"
    environment = _environment()
    assert environment["KAFKA_BOOTSTRAP_SERVERS"] == "kafka.example:9092"
    assert environment["DATABASE_URL"] == "postgresql://other/database"


def test_of_servers_that_are_not_ours_nothing_is_guessed(home: Path) -> None:
    _runs(home)
    assert load_kafka_settings().kafka_bootstrap_servers == "127.0.0.1:19092"
    assert "DATABASE_URL" not in _environment()


def test_a_stack_that_is_gone_gives_no_addresses(home: Path) -> None:
    assert "DATABASE_URL" not in _environment()
    processes = {name: ProcessState(os.getpid(), 1.0, 0, "x.log") for name in ("kafka", "postgres")}
    write_state(home, StackState("running", os.getpid(), 1.0, {"kafka": KAFKA, "postgres": POSTGRES}, processes))
    assert load_kafka_settings().kafka_bootstrap_servers == "127.0.0.1:19092"
    assert "DATABASE_URL" not in _environment()


def test_a_machine_without_a_stack_is_told_where_one_was_looked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", nobody)
    with pytest.raises(CommandError, match=r"No Postgres answers at 127\.0\.0\.1:15432; no stack runs in") as refused:
        run_in_sink("offsets", "show")
    assert str(home) in str(refused.value)
    assert "DATABASE_URL" in str(refused.value)
