"""Variables that `undertone up` would pass over in silence."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from undertone.embedded.errors import WrongSettingError
from undertone.embedded.settings import StackSettings
from undertone.embedded.unheard import EMBEDDED, given_variables, refuse_unheard


@pytest.fixture(autouse=True)
def _no_variables_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("UNDERTONE_"):
            monkeypatch.delenv(name)


def _refused(variables: Mapping[str, str], kafka: str | None = None, postgres: str | None = None, **given: int) -> str:
    with pytest.raises(WrongSettingError) as refused:
        refuse_unheard(StackSettings(**given), kafka, postgres, variables)  # type: ignore[arg-type]  # ports
    return str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value", "option"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092", "--kafka or UNDERTONE_KAFKA"),
        ("DATABASE_URL", "postgresql://u@h/d", "--postgres or UNDERTONE_POSTGRES"),
        ("DATABASE_URL_FILE", "/run/secrets/url", "--postgres or UNDERTONE_POSTGRES"),
        ("INGRESS_PORT", "9000", "--ingress-port or UNDERTONE_INGRESS_PORT"),
        ("SINK_PORT", "9002", "--read-api-port or UNDERTONE_READ_API_PORT"),
    ],
)
def test_a_variable_of_a_service_is_refused_with_the_option_that_does_it(
    variable: str, value: str, option: str
) -> None:
    said = _refused({variable: value})
    assert said.startswith(f"{variable} is ")
    assert option in said


def test_hosts_beyond_this_machine_are_refused() -> None:
    assert "for this machine alone" in _refused({"SINK_HOST": "0.0.0.0"})
    refuse_unheard(StackSettings(), None, None, {"SINK_HOST": "127.0.0.1"})


def test_what_an_option_says_is_no_conflict() -> None:
    variables = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://u@h/d", "INGRESS_PORT": "9000"}
    refuse_unheard(StackSettings(ingress_port=8000), EMBEDDED, "postgresql://u@other/d", variables)


def test_a_port_that_is_the_same_is_no_conflict() -> None:
    refuse_unheard(StackSettings(), None, None, {"INGRESS_PORT": "8000", "ANALYZER_PORT": "8001"})


def test_a_database_url_is_never_shown() -> None:
    assert "secret" not in _refused({"DATABASE_URL": "postgresql://u:secret@h/d"})


def test_the_environment_wins_over_the_file_and_an_empty_variable_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("INGRESS_PORT=9000\nSINK_PORT=9002\nANALYZER_PORT=9001\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INGRESS_PORT", "9900")
    monkeypatch.setenv("ANALYZER_PORT", "")
    monkeypatch.delenv("SINK_PORT", raising=False)
    given = given_variables()
    assert (given["INGRESS_PORT"], given["SINK_PORT"]) == ("9900", "9002")
