"""The environment that our services get."""

from pathlib import Path

import pytest

from undertone.embedded.errors import WrongSettingError
from undertone.embedded.ports import Ports
from undertone.embedded.prepare import StackOptions, prepared_stack
from undertone.embedded.reporter import SilentReporter
from undertone.embedded.services import Servers, kafka_connection, service_environment
from undertone.embedded.settings import StackSettings
from undertone.embedded.stack import without_password

PORTS = Ports(1, 2, 3, 4, 5, 6)
EMBEDDED = Servers("127.0.0.1:4", "postgresql://undertone@127.0.0.1:6/undertone")


def test_the_stacks_addresses_win_over_the_shells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    monkeypatch.setenv("INGRESS_PORT", "9999")
    environment = service_environment(EMBEDDED, PORTS, {})
    assert environment["DATABASE_URL"] == EMBEDDED.database_url
    assert environment["INGRESS_PORT"] == "1"
    assert environment["SINK_PORT"] == "3"
    assert environment["INGRESS_READ_API_URL"] == "http://127.0.0.1:3"


def test_overrides_win_over_everything() -> None:
    environment = service_environment(EMBEDDED, PORTS, {"ANALYZER_ENGINE": "offline", "SINK_PORT": "7"})
    assert environment["ANALYZER_ENGINE"] == "offline"
    assert environment["SINK_PORT"] == "7"


def test_passwords_meant_for_another_kafka_are_not_shown_to_the_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    assert service_environment(EMBEDDED, PORTS, {})["KAFKA_SECURITY_PROTOCOL"] == "PLAINTEXT"
    assert kafka_connection(EMBEDDED, {}).client_options()["security_protocol"] == "PLAINTEXT"
    external = Servers("kafka.example:9093", EMBEDDED.database_url, kafka_is_embedded=False)
    assert service_environment(external, PORTS, {})["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"


def test_a_wrong_kafka_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_TOPIC_PREFIX", "no spaces please")
    with pytest.raises(WrongSettingError, match="KAFKA_TOPIC_PREFIX"):
        kafka_connection(EMBEDDED, {})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db.example:5432/x", "postgresql://me@db.example:5432/x"),
        ("postgresql://me@db.example/x", "postgresql://me@db.example/x"),
        ("postgresql://me:a%40b@[::1]:5432/x?sslmode=require", "postgresql://me@[::1]:5432/x?sslmode=require"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("kafka", "postgres", "said"),
    [
        ("localhost", None, "--kafka wants HOST:PORT"),
        (":9092", None, "--kafka wants HOST:PORT"),
        ("a:1,b:0", None, "--kafka wants HOST:PORT"),
        ("", None, "--kafka wants HOST:PORT"),
        (None, "postgresql://host", "--postgres wants"),
        (None, "http://host/db", "--postgres wants"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_before_anything_is_touched(
    kafka: str | None, postgres: str | None, said: str
) -> None:
    options = StackOptions(StackSettings(), kafka=kafka, postgres=postgres)
    with pytest.raises(WrongSettingError, match=said):
        prepared_stack(options, SilentReporter()).__enter__()


def test_folders_are_absolute_however_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("UNDERTONE_CACHE_DIR", raising=False)
    settings = StackSettings(home=Path("~/state"))
    assert settings.home == Path("/home/me/state")
    assert settings.cache_dir == Path("/home/me/.cache/undertone")
    assert StackSettings(home=Path("here")).home == Path.cwd() / "here"
