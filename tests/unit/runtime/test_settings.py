"""Settings come from the environment, and a wrong one ends the start with a line that names it."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import SharedSettings, load_settings, variable_name
from undertone.embedded.errors import WrongSettingError
from undertone.embedded.settings import load_stack_settings


class ShopSettings(SharedSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")

    port: int = 8000
    token: SecretStr | None = None
    window_seconds: float = Field(default=0.25, gt=0)


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "LOG_LEVEL", "LOG_FORMAT", "API_KEYS"):
        monkeypatch.delenv(name, raising=False)


def start_refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        load_settings(ShopSettings)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_shared_names_have_no_prefix_and_own_names_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("SHOP_PORT", "8111")
    monkeypatch.setenv("SHOP_HOST", "::1")
    settings = load_settings(ShopSettings)
    assert (settings.kafka_bootstrap_servers, settings.port, settings.host) == ("kafka:9092", 8111, "::1")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SHOP_PORT", "eight", "must be a whole number (it is 'eight')"),
        ("SHOP_WINDOW_SECONDS", "0", "must be greater than 0"),
        ("SHOP_WINDOW_SECONDS", "inf", "must be a finite number"),
        ("LOG_LEVEL", "LOUD", "must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR' (it is 'LOUD')"),
        ("KAFKA_TOPIC_PREFIX", "a b", "must match ^[A-Za-z0-9._-]{0,100}$"),
        ("KAFKA_BOOTSTRAP_SERVERS", "nonsense", "must be HOST:PORT, or several separated by commas"),
        ("KAFKA_SSL_CAFILE", "/nowhere/ca.pem", "must be the path of a file that is there"),
    ],
)
def test_a_wrong_value_ends_the_start_with_one_line_that_names_the_variable(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    message = start_refused(capsys)
    assert message.startswith(f"{name}: {said}")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"PROTOCOL": "SASL_SSL"},
            "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are needed for KAFKA_SASL_MECHANISM=PLAIN",
        ),
        (
            {"PROTOCOL": "SASL_PLAINTEXT", "MECHANISM": "OAUTHBEARER"},
            "KAFKA_SASL_OAUTH_TOKEN or KAFKA_SASL_OAUTH_TOKEN_F",
        ),
        ({"PROTOCOL": "SSL", "CAFILE": __file__}, "KAFKA_SSL_CAFILE: holds no certificate"),
        (
            {"PROTOCOL": "SSL", "CERTFILE": __file__},
            "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: not a certificate and its key",
        ),
    ],
)
def test_half_of_what_a_secure_kafka_needs_ends_the_start(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"PROTOCOL": "KAFKA_SECURITY_PROTOCOL", "MECHANISM": "KAFKA_SASL_MECHANISM"}
    for name, value in given.items():
        monkeypatch.setenv(names.get(name, f"KAFKA_SSL_{name}"), value)
    message = start_refused(capsys)
    assert message.startswith(said)
    assert message.count("\n") == 1


def test_a_secure_kafka_with_all_it_needs_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SECURITY_PROTOCOL", "SASL_SSL"), ("SASL_USERNAME", "a"), ("SASL_PASSWORD", "b")):
        monkeypatch.setenv(f"KAFKA_{name}", value)
    assert load_settings(ShopSettings).kafka_sasl_username == "a"


def test_every_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SHOP_PORT", "eight")
    monkeypatch.setenv("LOG_FORMAT", "xml")
    assert start_refused(capsys).count("\n") == 2


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    monkeypatch.setenv("SHOP_TOKEN_FILE", str(tmp_path / "token"))
    token = load_settings(ShopSettings).token
    assert token is not None
    assert token.get_secret_value() == "s3cret"


def test_a_dotenv_file_may_name_the_file_of_a_secret_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_text(f"{name} secret\n")
    (tmp_path / ".env").write_text(f"SHOP_TOKEN_FILE={tmp_path / 'first'}\n")
    assert load_settings(ShopSettings).token == SecretStr("first secret")
    monkeypatch.setenv("SHOP_TOKEN_FILE", str(tmp_path / "second"))
    assert load_settings(ShopSettings).token == SecretStr("second secret")
    monkeypatch.setenv("SHOP_TOKEN", "third secret")
    assert load_settings(ShopSettings).token == SecretStr("third secret")


def test_an_unreadable_file_that_dotenv_names_ends_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("SHOP_TOKEN_FILE=/nowhere/token\n")
    assert "SHOP_TOKEN_FILE: cannot read /nowhere/token" in start_refused(capsys)


def test_the_stack_reads_its_ports_from_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("UNDERTONE_INGRESS_PORT=8100\nUNDERTONE_KAFKA_PORT=\nSHOP_PORT=1\n")
    monkeypatch.delenv("UNDERTONE_INGRESS_PORT", raising=False)
    monkeypatch.delenv("UNDERTONE_KAFKA_PORT", raising=False)
    settings = load_stack_settings()
    assert (settings.ingress_port, settings.kafka_port) == (8100, 19092)
    monkeypatch.setenv("UNDERTONE_INGRESS_PORT", "8200")
    assert load_stack_settings().ingress_port == 8200


def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOP_TOKEN_FILE", "/nowhere/token")
    said = "SHOP_TOKEN_FILE: cannot read /nowhere/token: No such file or directory\n"
    assert start_refused(capsys) == said, "its path is told once"


def test_a_wrong_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SHOP_PORT", "eight")
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    assert "s3cret" not in start_refused(capsys)
    assert "s3cret" not in repr(ShopSettings(port=1))


def test_a_dotenv_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SHOP_PORT=1234\nLOG_FORMAT=text\nUNKNOWN=1\n")
    monkeypatch.setenv("SHOP_PORT", "8222")
    settings = load_settings(ShopSettings)
    assert (settings.port, settings.log_format) == (8222, "text")


def test_a_dotenv_file_that_is_not_utf8_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"SHOP_TOKEN=caf\xe9\n")
    said = f"{dotenv} cannot be read: it is not UTF-8"
    assert start_refused(capsys) == f"{said}\n"
    with pytest.raises(WrongSettingError) as error:
        load_stack_settings()
    assert str(error.value) == f"{said}."


def test_a_slip_of_the_pen_is_pointed_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SHOP_PROT", "8111")
    load_settings(ShopSettings)
    assert "SHOP_PROT: no setting has this name" in capsys.readouterr().err


def test_the_name_of_a_variable_is_known_for_every_field() -> None:
    assert variable_name(ShopSettings, "window_seconds") == "SHOP_WINDOW_SECONDS"
    assert variable_name(ShopSettings, "log_level") == "LOG_LEVEL"
