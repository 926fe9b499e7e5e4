"""A wrong setting of the ingress ends the start with a line that names the variable."""

import pytest

from services.ingress.settings import IngressSettings
from services.runtime.settings import load_settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("INGRESS_PORT", "70000"),
        ("INGRESS_REQUESTS_PER_SECOND", "-1"),
        ("INGRESS_CLIENT_LIMIT", "many"),
        ("INGRESS_ANONYMOUS_LIMIT", "60/1h"),
        ("INGRESS_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("INGRESS_READ_API_URL", "not a url"),
        ("INGRESS_ACK_TIMEOUT_SECONDS", "0"),
    ],
)
def test_a_wrong_value_is_one_line_with_the_variables_name(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        load_settings(IngressSettings)
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"{variable}: ")
    assert "\n" not in said
